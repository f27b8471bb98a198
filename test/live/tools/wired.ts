import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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
  /** Keeps a credential for a moment, and comes back when it is past its expiry. */
  keepPast(lines: Readonly<Record<string, string>>): Promise<void>;
  /** Erases what is kept for it. */
  forget(lines: Readonly<Record<string, string>>): Promise<void>;
  /** Runs `ask` while everything is locked, and opens it again. */
  whileLocked<T>(ask: () => Promise<T>): Promise<T>;
  /** What is held, without the secrets. */
  held(): Promise<readonly { readonly protocol: string; readonly host: string; readonly path?: string }[]>;
};

/** keyhold's own places, and what the tools keep for themselves there. */
const ELSEWHERE =
  /^(\.local\/(state|bin|share\/keyhold\/(versions|current))|\.config\/keyhold|\.cargo\/(registry|\.)|\.kube\/cache|\.cache)/;
/** Milliseconds between two looks at what is soon past its expiry. */
const POLL = 50;
const FOLDER = /\/ \d+$/;

/** A fresh person. `env` is what their tools find around them. */
export async function aWiredPerson(env: Readonly<Record<string, string>> = {}): Promise<Wired> {
  const person = await aPerson({ env });
  await person.keyhold(['install']);
  let before: string[] | undefined;
  const { agentSocket } = groundOf(person.env).places;
  let started: Promise<unknown> | undefined;
  /** One action on the wire, and its status: it costs no process, as a verb of the CLI does. */
  const act = async (action: string, lines: Readonly<Record<string, string>> = {}) => {
    started ??= tell('get', { protocol: 'https', host: 'nobody.invalid' });
    await started;
    const told = Object.entries(lines).map(([key, value]) => `${key}=${value}`);
    const answer = await exchange(agentSocket, [`action=${action}`, 'capability[]=keyhold', ...told]);
    return /^status=(.*)$/m.exec(answer)?.[1];
  };
  const actWell = async (action: string) => {
    const status = await act(action);
    if (status !== 'ok') throw new Error(`${action} was answered: ${status}`);
  };
  const tell = async (operation: string, lines: Readonly<Record<string, string>>) => {
    const input = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`);
    const helper = join(person.home, '.local/bin/keyhold-helper');
    const expect = operation === 'get' ? 'any' : [0];
    await person.run(helper, [operation], { input: `${input.join('')}\n`, expect });
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
    async keepPast({ password = '', ...target }: Readonly<Record<string, string>>) {
      // A date that is past when the store comes, on a busy machine, is not kept: then once more.
      for (let status: string | undefined = 'not-found'; status !== 'expired'; ) {
        await act('store', { ...target, password, password_expiry_utc: inSeconds(2) });
        do {
          await sleep(POLL);
          status = await act('get', target);
        } while (status === 'ok');
        if (status !== 'not-found' && status !== 'expired') throw new Error(`get was answered: ${status}`);
      }
    },
    forget: (lines: Readonly<Record<string, string>>) => tell('erase', lines),
    async whileLocked<T>(ask: () => Promise<T>) {
      await actWell('lock');
      try {
        return await ask();
      } finally {
        await actWell('unlock');
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

function inSeconds(seconds: number): string {
  return String(Math.floor(Date.now() / 1_000) + seconds);
}
