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
  return `import type { Handler } from '../handler.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { askForHost } from './ask.ts';
import { targetOfUrl } from './url.ts';

const FAILED = 1;

/**
 * TODO: one sentence about ${name}'s helper protocol: who runs it, what it is told, and what is done with the answer.
 */
export const ${identifier(name)}: Adapter = {
  name: '${name}',
  // TODO: the names that ${name} runs its helper by.
  programs: ['${name}-credential-keyhold'],
  specification: 'TODO: where the protocol is written down',
  // TODO: what the thin client must pass on of the environment, and whether it reads standard input.
  environment: [],
  asks: { authtype: false, wholeHost: true },
  input: { '*': 'none' },
  // TODO: what ${name} shall hear when there is no agent.
  unavailable: { '*': { stdout: '', explain: true, exitCode: FAILED } },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    // TODO: what names the credential. Only askForHost where ${name} sends it to that host alone, else ask.
    const target = targetOfUrl(invocation.arguments[0] ?? '');
    if (!target) return FAILED;
    const reply = await askForHost(handler, { target });
    if (reply.status !== 'ok') {
      // TODO: a miss in ${name}'s own words; and whatever is none, locked before all, never in these words.
      if (reply.status !== 'not-found') invocation.warn(reply.message);
      return FAILED;
    }
    // TODO: the answer in ${name}'s language: reply.credential, whose secret out.secret or writeJsonSecret writes.
    return FAILED;
  },
};
`;
}

function transcript(name: string): string {
  return `# TODO: ${name}'s helper, as ${name} VERSION runs it. Record the real one: input, output, exit code.      PROTOCOL.md §8.5

## what is held is given in ${name}'s language      §8.5
$ git-credential-keyhold store
> protocol=https
> host=${name}.example
> username=ada
> password=${name}-EXAMPLE
$ ${name}-credential-keyhold https://${name}.example
< TODO: what ${name} must read here

## what is not held is a miss      §8.5
$ ${name}-credential-keyhold https://other.example
? 1

## locked is not the same as not found      §8.5
> action=lock
> capability[]=keyhold
>
< status=ok
<
$ ${name}-credential-keyhold https://${name}.example
! keyhold: the credentials are locked; run: keyhold unlock
? 1
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
