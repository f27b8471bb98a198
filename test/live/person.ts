import { chownSync, cpSync, existsSync, lchownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adapters } from '../../protocol/tools/index.ts';
import { helper, writeLauncher } from '../../scripts/build/launchers.ts';
import { linkNames } from '../../scripts/build/thin-table.ts';
import { type Executed, execute } from '../execute.ts';

/** Somebody who is not root and need not be in the user table. */
export const PLAIN_UID = 1_000;
const ROOT = join(import.meta.dirname, '../..');

type Options = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  readonly expect?: readonly number[] | 'any';
};

/** A person with a home folder, a built copy of keyhold to start from, and nothing else: no bus, no other variable. */
export type Person = AsyncDisposable & {
  readonly home: string;
  /** A folder beside the home, for clones and servers; the person's own. */
  readonly desk: string;
  /** Where `dist/bin` lies that was not installed. */
  readonly copy: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs a program as this person. */
  run(program: string, arguments_: readonly string[], options?: Options): Promise<Executed>;
  git(arguments_: readonly string[], options?: Options): Promise<Executed>;
  /** The installed `keyhold`, or the copy's before it is. */
  keyhold(arguments_: readonly string[], options?: Options): Promise<Executed>;
  /** Pid of the agent that answers; undefined if none does. */
  agentPid(): Promise<number | undefined>;
};

export type PersonOptions = {
  /** Run as a plain uid where the test runs as root. */
  readonly plain?: boolean;
  /** As the build leaves it on a machine without a compiler. */
  readonly withoutNative?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs each program of this person: `machine.enter`. */
  readonly under?: readonly string[];
};

/** A person who has just cloned and built keyhold. */
export async function aPerson({
  plain = false,
  withoutNative = false,
  env: more = {},
  under = [],
}: PersonOptions = {}): Promise<Person> {
  if (!existsSync(join(ROOT, 'dist/bin/keyhold-agent'))) throw new Error('dist/bin is not built; run: npm run build');
  const folder = mkdtempSync(join(tmpdir(), 'keyhold-person-'));
  const [home, desk, copy] = ['home', 'desk', 'copy'].map((name) => join(folder, name)) as [string, string, string];
  for (const each of [home, desk, copy]) mkdirSync(each, { mode: 0o755 });
  await copyBuilt(copy, withoutNative);
  const isOther = plain && process.getuid!() === 0;
  if (isOther) giveTo(folder, PLAIN_UID);
  const env = { HOME: home, PATH: '/usr/local/bin:/usr/bin:/bin', GIT_TERMINAL_PROMPT: '0', ...more };
  const as = isOther ? ['setpriv', `--reuid=${PLAIN_UID}`, `--regid=${PLAIN_UID}`, '--clear-groups', '--'] : [];
  const before = [...under, ...as];

  const run: Person['run'] = (program, arguments_, { env: extra, cwd = desk, input, expect } = {}) => {
    const [first, ...rest] = [...before, program, ...arguments_] as [string, ...string[]];
    return execute(first, rest, { env: { ...env, ...extra }, cwd, input, expect });
  };
  const program = () => [join(home, '.local/bin/keyhold'), join(copy, 'dist/bin/keyhold')].find(existsSync)!;
  const person: Person = {
    home,
    desk,
    copy,
    env,
    run,
    git: (arguments_, options) => run('git', arguments_, options),
    keyhold: (arguments_, options) => run(program(), arguments_, options),
    async agentPid() {
      const { code, stdout } = await person.keyhold(['status', '--json'], {
        expect: 'any',
        env: { KEYHOLD_NO_AUTOSTART: '1' },
      });
      return code === 0 ? (JSON.parse(stdout) as { pid: number }).pid : undefined;
    },
    async [Symbol.asyncDispose]() {
      await run(join(copy, 'dist/bin/keyhold'), ['stop'], { expect: 'any' });
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return person;
}

async function copyBuilt(to: string, withoutNative: boolean): Promise<void> {
  for (const part of ['package.json', 'dist/bin', 'dist/lib', 'systemd']) {
    cpSync(join(ROOT, part), join(to, part), { recursive: true });
  }
  const node = `node_modules/node-linux-${process.arch}/bin`;
  mkdirSync(join(to, node), { recursive: true });
  cpSync(process.execPath, join(to, node, 'node'));
  if (!withoutNative) return;
  rmSync(join(to, 'dist/lib/keyhold.node'), { force: true });
  const bin = join(to, 'dist/bin');
  for (const program of [helper.program, ...linkNames(adapters)]) {
    rmSync(join(bin, program));
    await writeLauncher(bin, { ...helper, program });
  }
}

function giveTo(path: string, uid: number): void {
  lchownSync(path, uid, uid);
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    const full = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) lchownSync(full, uid, uid);
    else chownSync(full, uid, uid);
  }
}
