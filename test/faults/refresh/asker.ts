import { connect } from 'node:net';

/**
 * A tool that asks again and again, as a process of its own: `asker.ts SOCKET`. It answers each message `{ host, refused? }` by
 * `{ host, status, password }`. With `refused` it first reports that a server has refused that token, as git does.
 */

/** Milliseconds that one exchange may take, on a machine at work. */
const DEADLINE = 60_000;
const socket = process.argv[2]!;

process.on('message', async ({ host, refused }: { readonly host: string; readonly refused?: string }) => {
  const target = ['capability[]=keyhold', 'protocol=https', `host=${host}`];
  try {
    if (refused !== undefined) await exchange('action=erase', ...target, `password=${refused}`);
    const answer = await exchange('action=get', ...target);
    const textOf = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(answer)?.[1];
    process.send?.({ host, status: textOf('status'), password: textOf('password') });
  } catch (error) {
    process.send?.({ host, status: (error as Error).message });
  }
});
process.on('disconnect', () => process.exit(0));

/** One connection, one request; all that comes back. */
function exchange(...lines: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = connect({ path: socket, allowHalfOpen: true });
    let answer = '';
    stream.setEncoding('utf8').setTimeout(DEADLINE, () => stream.destroy(new Error('no answer in time')));
    stream.on('data', (text) => {
      answer += text;
    });
    stream.on('error', reject);
    stream.on('end', () => {
      stream.destroy();
      resolve(answer);
    });
    stream.end(lines.map((line) => `${line}\n`).join(''));
  });
}
