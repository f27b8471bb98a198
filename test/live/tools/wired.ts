import { join } from 'node:path';
import { treeOf } from '../../client/home.ts';
import { aPerson, type Person } from '../person.ts';

/** Somebody who has installed keyhold, and whose tools are wired by nothing but `keyhold setup`. */
export type Wired = Person & {
  /** `keyhold setup` with these words. */
  setup(...words: string[]): Promise<void>;
  /** `keyhold setup TOOL --undo`, for each; answers what differs below the home folder from before the first setup. */
  undo(...tools: string[]): Promise<{ readonly before: string[]; readonly after: string[] }>;
  /** Keeps a credential for `url`, by the line protocol. */
  keep(lines: Readonly<Record<string, string>>): Promise<void>;
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
  const tree = () => treeOf(person.home).filter((entry) => !ELSEWHERE.test(entry) && !FOLDER.test(entry));
  return Object.assign(person, {
    async setup(...words: string[]) {
      before ??= tree();
      await person.keyhold(['setup', ...words]);
    },
    async undo(...tools: string[]) {
      for (const tool of tools) await person.keyhold(['setup', tool, '--undo']);
      return { before: before ?? [], after: tree() };
    },
    async keep(lines: Readonly<Record<string, string>>) {
      const input = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`);
      await person.run(join(person.home, '.local/bin/keyhold-helper'), ['store'], { input: `${input.join('')}\n` });
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
