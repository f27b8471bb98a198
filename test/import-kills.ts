import { spawn } from 'node:child_process';
import { existsSync, readdirSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { searchPlaintext } from '../client/import/find.ts';
import { identityOf, type Target } from '../protocol/credential.ts';
import { files, writeFiles } from './client/import/files.ts';
import { type BuiltAgent, DIST } from './fakes/built-agent.ts';
import { textOf } from './fakes/core.ts';

const KEYHOLD = join(DIST, 'bin/keyhold');
/** Milliseconds that a run may take at all. */
const DEADLINE = 30_000;
export const IMPORT = ['import', '--all', '--remove', '--replace', '--yes'];

export type Killed = {
  /** Tokens that are neither in keyhold nor in their file. */
  readonly lost: readonly string[];
  /** How many are still in files. */
  readonly left: number;
  readonly wasKilled: boolean;
  readonly took: number;
};

/** When a run is killed: so many milliseconds after it began, or after it began to change files. */
export type Point = { readonly after: 'start' | 'journal'; readonly milliseconds: number };
type Ran = { readonly code: number | null; readonly took: number; readonly stderr: string };

/** Runs keyhold in a home of its own; killed at a point, unless it has ended by then. */
export function runUntil(home: string, args: readonly string[], point?: Point): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const from = performance.now();
    const env = { PATH: process.env['PATH'], HOME: home, KEYHOLD_HOME: home, KEYHOLD_NO_AUTOSTART: '1' };
    const child = spawn(KEYHOLD, args, { cwd: home, env, stdio: ['ignore', 'ignore', 'pipe'] });
    const timers = [setTimeout(() => child.kill('SIGKILL'), DEADLINE)];
    const killIn = (milliseconds: number) => timers.push(setTimeout(() => child.kill('SIGKILL'), milliseconds));
    if (point?.after === 'start') killIn(point.milliseconds);
    const watcher =
      point?.after === 'journal' &&
      watch(join(home, 'state'), (_, name) => {
        if (name === 'import.json') killIn(point.milliseconds);
      });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      for (const timer of timers) clearTimeout(timer);
      if (watcher) watcher.close();
      resolve({ code, took: performance.now() - from, stderr });
    });
  });
}

/** Fills every file with tokens of this round, kills an import after so long, and says which of them are nowhere. */
export async function killImport(agent: BuiltAgent, round: string, point: Point): Promise<Killed> {
  writeFiles(agent.home, (name, at) => `${name}r${round}t${at}-EXAMPLE`);
  const given = await valuesInFiles(agent.home);
  const count = files.reduce((sum, { tokens }) => sum + tokens, 0);
  if (given.size !== count) throw new Error(`${given.size} tokens were written, of ${count}`);
  const { code, took } = await runUntil(agent.home, IMPORT, point);
  const inFiles = await valuesInFiles(agent.home);
  const lost: string[] = [];
  for (const [place, { target, value }] of given) {
    const isInFile = inFiles.get(place)?.value === value;
    if (!isInFile && !(await isHeld(agent, target, value))) lost.push(value);
  }
  return { lost, left: inFiles.size, wasKilled: code === null, took };
}

/** Drafts and locks that lie about in the folders of these files. */
export function leftovers(home: string): string[] {
  const folders = new Set(files.map(({ path }) => dirname(join(home, path))));
  return [...folders].flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).filter((name) => /\.keyhold-\d+$|\.lock$/.test(name)) : [],
  );
}

/** What the files hold, by source and place. Throws where one of them is not whole. */
async function valuesInFiles(home: string): Promise<Map<string, { readonly target: Target; readonly value: string }>> {
  const values = new Map<string, { target: Target; value: string }>();
  for (const one of await searchPlaintext({ home, environment: {} })) {
    if (one.status !== 'ok') throw new Error(`${one.file} is broken: ${one.why}`);
    for (const { target, secret } of one.entries) {
      values.set(`${one.source.name} ${identityOf(target)}`, { target, value: textOf(secret) });
    }
  }
  return values;
}

async function isHeld(agent: BuiltAgent, { protocol, host, path, username }: Target, value: string): Promise<boolean> {
  const lines = ['action=get', 'capability[]=keyhold', `protocol=${protocol}`, `host=${host}`];
  if (path !== undefined) lines.push(`path=${path}`);
  if (username !== undefined) lines.push(`username=${username}`);
  return (await agent.ask(...lines)).split('\n').includes(`password=${value}`);
}
