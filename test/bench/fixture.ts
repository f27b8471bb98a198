import { connect } from 'node:net';

/** What every measurement asks for: PERFORMANCE's fixture, a token of 40 characters. */
export const target = { protocol: 'https', host: 'example.com', username: 'alice' } as const;
export const token = 'ghp_0123456789abcdefghijklmnopqrsEXAMPLE';

/** git's question for the target, as it stands on a helper's standard input. */
export const question = `protocol=${target.protocol}\nhost=${target.host}\n\n`;
/** The same as a request on the wire, without a run around it, in the words of git's cache client: its daemon wants them. */
export const directRequest = `action=get\ntimeout=900\n${question}`;

/** `count` credentials, the target last: the worst case of whoever looks through them in order. */
export function* credentials(count: number): Generator<string> {
  for (let index = 0; index < count - 1; index++) {
    const number = String(index).padStart(5, '0');
    yield storeLines(`h${number}.example.com`, `user${number}`, `ghp_${String(index).padStart(29, '0')}EXAMPLE`);
  }
  yield storeLines(target.host, target.username, token);
}

function storeLines(host: string, username: string, password: string): string {
  return `protocol=https\nhost=${host}\nusername=${username}\npassword=${password}\n\n`;
}

/** Stores under way at once: as many as a busy machine might have, not as many as a connection can queue. */
const STORES_AT_ONCE = 32;

/** Stores `count` credentials in an agent over one connection, a few at once; rejects unless each is answered with ok. */
export function fillAgent(socketPath: string, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const left = credentials(count);
    let stored = 0;
    let rest = '';
    const socket = connect(socketPath, () => {
      for (let index = 0; index < STORES_AT_ONCE; index++) storeNext();
    });
    const storeNext = () => {
      const { value } = left.next();
      if (value) socket.write(`action=store\ncapability[]=keyhold\n${value}`);
    };
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      const answers = `${rest}${text}`.split('\n\n');
      rest = answers.pop()!;
      for (const answer of answers) {
        if (answer !== 'status=ok') socket.destroy(new Error(`cannot fill the agent: a store was answered ${answer}`));
        stored++;
        storeNext();
      }
      if (stored === count) socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      if (stored === count) resolve();
      else reject(new Error(`cannot fill the agent: it closed after ${stored} of ${count} stores`));
    });
  });
}

/** Stores `count` credentials in git's cache daemon, which takes one a connection; few at once, in their order. */
export async function fillCacheDaemon(socketPath: string, count: number): Promise<void> {
  for (const lines of credentials(count)) await ask(socketPath, `action=store\ntimeout=86400\n${lines}`);
}

function ask(socketPath: string, request: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath, () => socket.end(request));
    socket.resume();
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
}
