/** Columns of a line of code, as biome.json has them. */
const COLUMNS = 120;

/** The files of a new adapter by their paths: they are in order by type and form, and their tests fail, saying why. */
export function adapterFiles(name: string): Readonly<Record<string, string>> {
  return {
    [`protocol/tools/${name}.ts`]: adapterFile(name),
    [`test/transcripts/${name}.txt`]: transcript(name),
    [`test/live/tools/${name}.test.ts`]: liveTest(name),
  };
}

/** The index with one adapter more, in the order of names. Throws where the index is not what is expected. */
export function withAdapter(index: string, name: string): string {
  const imports = [...index.matchAll(/^import (?:type )?\{ \w+ \} from '\.\/([\w-]+)\.ts';\n/gm)];
  const before = imports.find(([, other]) => other! > name);
  const last = imports.at(-1);
  const list = /^(export const adapters: readonly Adapter\[\] = )\[([^\]]*)\];$/m.exec(index);
  if (!last || !list) throw new Error('cannot add an adapter: protocol/tools/index.ts has another form');
  const at = before?.index ?? last.index + last[0].length;
  const members = list[2]!.split(',').map((member) => member.trim());
  const all = [...members.filter(Boolean), identifier(name)];
  const line = `${list[1]}[${all.join(', ')}];`;
  const array = line.length <= COLUMNS ? line : `${list[1]}[\n${all.map((member) => `  ${member},\n`).join('')}];`;
  const own = `import { ${identifier(name)} } from './${name}.ts';\n`;
  return `${index.slice(0, at)}${own}${index.slice(at)}`.replace(list[0], () => array);
}

/** `a-b` is `aB`. */
function identifier(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function adapterFile(name: string): string {
  return `import type { Target } from '../credential.ts';
import type { CredentialReply, Handler } from '../handler.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { ask, askForHost } from './ask.ts';
import { targetOfUrl } from './url.ts';

// TODO: how ${name} is told that nothing is held, and that something failed.
const MISS = 1;
const FAILED = 2;

/**
 * TODO: one sentence about ${name}'s helper protocol: who runs it, what it is told, and what is done with the answer.
 */
export const ${identifier(name)}: Adapter = {
  name: '${name}',
  // TODO: the names that ${name} runs its helper by.
  programs: ['${name}-credential-keyhold'],
  specification: 'TODO: where the protocol is written down',
  // TODO: what the thin client must pass on of the environment.
  environment: [],
  asks: { authtype: false, wholeHost: true },
  // TODO: where ${name} asks by arguments alone, "none" for get: the thin client then reads no standard input.
  input: { '*': 'none', get: 'whole', store: 'whole', erase: 'whole' },
  // TODO: what ${name} is told when there is no agent.
  unavailable: { '*': { stdout: '', explain: true, exitCode: FAILED } },
  // TODO: the forms in which ${name} really asks. test/contracts/adapters.test.ts runs them against every outcome.
  probe: {
    get: [
      { arguments: ['get', 'https://h'], miss: { stdout: '', exitCode: MISS } },
      { arguments: ['get'], input: 'https://h\\n', miss: { stdout: '', exitCode: MISS } },
    ],
    store: { arguments: ['store', 'https://h'], input: 'probe-EXAMPLE' },
    erase: { arguments: ['erase', 'https://h'] },
  },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const [name = '', url, ...more] = invocation.arguments;
    const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
    // TODO: what names the credential, in its argument or on standard input.
    const target = targetOfUrl(url ?? textOf(invocation));
    if (operation && target && more.length === 0) return operation(target, invocation, handler);
    invocation.warn('usage: ${name}-credential-keyhold get|store|erase URL');
    return FAILED;
  },
};

/** Answers the exit code. */
type Operation = (target: Target, invocation: Invocation, handler: Handler) => Promise<number>;

// TODO: the operations that ${name} has; without store or erase, take its member of the probe out, too.
const operations: Readonly<Record<string, Operation>> = {
  async get(target, invocation, handler) {
    // TODO: askForHost only where ${name} sends the answer to that host alone; else ask.
    const reply = await askForHost(handler, { target });
    if (reply.status === 'not-found') return MISS;
    if (reply.status !== 'ok') return failed(reply, invocation);
    // TODO: the answer in ${name}'s language: reply.credential, whose secret output.secret or writeJsonSecret writes.
    invocation.warn('TODO: the answer');
    return FAILED;
  },

  async store(target, invocation, handler) {
    // TODO: the secret, and the username if there is one, in the form in which ${name} writes them: JsonObject reads JSON.
    const line = invocation.input.all();
    const secret = invocation.keep(line.at(-1) === 0x0a ? line.subarray(0, -1) : line);
    try {
      const reply = await ask(handler, { action: 'store', target, secret });
      return reply.status === 'ok' ? 0 : failed(reply, invocation);
    } finally {
      secret.dispose();
    }
  },

  async erase(target, invocation, handler) {
    const reply = await ask(handler, { action: 'erase', target });
    return reply.status === 'ok' || reply.status === 'not-found' ? 0 : failed(reply, invocation);
  },
};

/** Every other outcome is told in words of its own, never as a miss, after which a tool goes on without a credential. */
function failed(reply: CredentialReply, invocation: Invocation): number {
  if (reply.status !== 'ok') invocation.warn(reply.message);
  return FAILED;
}

function textOf({ input }: Invocation): string {
  return input.all().toString('latin1').trim();
}
`;
}

function transcript(name: string): string {
  const helper = `${name}-credential-keyhold`;
  const locked = `! keyhold: the credentials are locked; run: keyhold unlock
? 2`;
  return `# TODO: ${name}'s helper, as ${name} VERSION runs it. Record the real one: input, output, exit code.      PROTOCOL.md §8.5

## what is held is given in ${name}'s language      §8.5
$ git-credential-keyhold store
> protocol=https
> host=${name}.example
> username=ada
> password=${name}-EXAMPLE
$ ${helper} get https://${name}.example
< TODO: what ${name} must read here

## what is not held is a miss, asked by an argument or on standard input      §8.5
$ ${helper} get https://other.example
? 1
$ ${helper} get
> https://other.example
? 1

## what is stored is given, until it is erased      §8.5
$ ${helper} store https://${name}.example
> ${name}-EXAMPLE
$ keyhold-header https://${name}.example
< Authorization: Bearer ${name}-EXAMPLE
$ ${helper} erase https://${name}.example
$ ${helper} get https://${name}.example
? 1

## locked is not the same as not found      §8.5
> action=lock
> capability[]=keyhold
>
< status=ok
<
$ ${helper} get https://${name}.example
${locked}
$ ${helper} store https://${name}.example
> ${name}-EXAMPLE
${locked}
`;
}

function liveTest(name: string): string {
  return `import { describe, expect, it } from 'vitest';
import { need } from '../../need.ts';
import { aWiredPerson } from './wired.ts';

// TODO: the package that brings ${name}; add it to .ci/run if it is Debian's.
describe.skipIf(!need('${name}', 'apt-get install ${name}'))('real ${name}, by what setup ${name} wrote', () => {
  it('gets, misses, and says that keyhold is locked', async () => {
    await using person = await aWiredPerson();
    await person.keep({ protocol: 'http', host: '127.0.0.1', username: 'ada', password: '${name}-EXAMPLE' });
    expect.fail('TODO: let ${name} ask a server on loopback; test/live/tools/cargo.test.ts shows how');
  });
});
`;
}
