import { join } from 'node:path';
import { groundOf } from '../../../client/install/ground.ts';
import { treeOf } from '../../client/home.ts';
import { exchange } from '../../fakes/built-agent.ts';
import { aPerson, type Person } from '../person.ts';

/** Somebody who has installed keyhold, and whose tools are wired by nothing but `keyhold setup`. */
export type Wired = Person & {
  /** `keyhold setup` with these words. */
  setup(...words: string[]): Promise<void>;
  /** `keyhold setup TOOL --undo`, for each; answers what is below the home folder, and what was before the first setup. */
  undo(...tools: string[]): Promise<{ readonly before: string[]; readonly after: string[] }>;
  /** Keeps a credential for `url`, by the line protocol. */
  keep(lines: Readonly<Record<string, string>>): Promise<void>;
  /** Erases what is kept for it. */
  forget(lines: Readonly<Record<string, string>>): Promise<void>;
  /** Runs `ask` while everything is locked, and opens it again. The agent must have been started. */
  whileLocked<T>(ask: () => Promise<T>): Promise<T>;
  /** What is held, without the secrets. */
  held(): Promise<readonly { readonly protocol: string; readonly host: string; readonly path?: string }[]>;
};

/** keyhold's own places, and what the tools keep for themselves there. */
const ELSEWHERE =
  /^(\.local\/(state|bin|share\/keyhold\/(versions|current))|\.config\/keyhold|\.cargo\/(registry|\.)|\.kube\/cache|\.cache)/;
const FOLDER = /\/ \d+$/;

/** A fresh person. `env` is what their tools find around them. */
export async function aWiredPerson(env: Readonly<Record<string, string>> = {}): Promise<Wired> {
  const person = await aPerson({ env });
  await person.keyhold(['install']);
  let before: string[] | undefined;
  const { agentSocket } = groundOf(person.env).places;
  /** One action on the wire: it costs no process, as a verb of the CLI does. */
  const act = async (action: string) => {
    const answer = await exchange(agentSocket, [`action=${action}`, 'capability[]=keyhold']);
    if (!answer.startsWith('status=ok\n')) throw new Error(`${action} was answered: ${answer}`);
  };
  const tell = async (operation: string, lines: Readonly<Record<string, string>>) => {
    const input = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`);
    await person.run(join(person.home, '.local/bin/keyhold-helper'), [operation], { input: `${input.join('')}\n` });
  };
  const tree = () => treeOf(person.home).filter((entry) => !ELSEWHERE.test(entry) && !FOLDER.test(entry));
  return Object.assign(person, {
    async setup(...words: string[]) {
      before ??= tree();
      await person.keyhold(['setup', ...words]);
    },
    async undo(...tools: string[]) {
      for (const tool of tools) await person.keyhold(['setup', tool, '--undo']);
      const told = { before: before ?? [], after: tree() };
      before = undefined;
      return told;
    },
    keep: (lines: Readonly<Record<string, string>>) => tell('store', lines),
    forget: (lines: Readonly<Record<string, string>>) => tell('erase', lines),
    async whileLocked<T>(ask: () => Promise<T>) {
      await act('lock');
      try {
        return await ask();
      } finally {
        await act('unlock');
      }
    },
    async held() {
      const { items } = JSON.parse((await person.keyhold(['token', 'list', '--json'])).stdout);
      return items;
    },
  });
}

/** A date so close that a tool which wants a minute calls it past. */
export function soon(): string {
  return inSeconds(30);
}

/** A date that whoever polls sees pass, and that is not past before it is stored, on a busy machine too. */
export function shortly(): string {
  return inSeconds(4);
}

function inSeconds(seconds: number): string {
  return String(Math.floor(Date.now() / 1_000) + seconds);
}
