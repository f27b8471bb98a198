import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { printable } from '../../protocol/text.ts';
import { isMissing, readIfThere } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';
import { startProgram } from '../programs.ts';
import { findServiceManager } from '../setup/service-manager.ts';
import { isManaged, SERVICE_UNIT } from '../setup/systemd.ts';

/** Milliseconds between two looks at a log that is followed. */
const PERIOD = 200;
/** Older files of the log, the newest first. */
const OLDER = ['.1', '.2'];

export type LogView = {
  /** Last lines to begin with. */
  readonly lines: number;
  readonly follow: boolean;
  readonly json: boolean;
  readonly write: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
};

/** Shows the agent's log: the journal where its unit is set up, else its file. With `follow` until the signal comes. */
export async function showLogs(ground: Ground, view: LogView): Promise<void> {
  if (isManaged(ground) && findServiceManager(ground)) await showJournal(view);
  else await showFile(join(ground.places.state, 'agent.log'), view);
}

/** journalctl(1) does the work; the unit's lines are JSON of ours. */
function showJournal({ lines, follow, json, signal }: LogView): Promise<void> {
  const format = json ? 'cat' : 'short-iso';
  const arguments_ = [
    '--user',
    '-u',
    SERVICE_UNIT,
    '-n',
    String(lines),
    '-o',
    format,
    ...(follow ? ['-f'] : ['--no-pager']),
  ];
  return new Promise((resolve, reject) => {
    const child = startProgram('journalctl', arguments_, { stdio: 'inherit', signal });
    child.on('error', reject);
    child.on('exit', () => resolve());
  });
}

async function showFile(path: string, { lines, follow, json, write, signal }: LogView): Promise<void> {
  const show = (line: string) => write(json ? line : readable(line));
  // The size is told before the lines are read: what comes in between is shown by following.
  let { size: at, ino } = follow ? identityOf(path) : { size: 0, ino: 0 };
  for (const line of lastLines(path, lines)) show(line);
  let rest = '';
  while (follow && !signal?.aborted) {
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
    const now = identityOf(path);
    if (now.ino !== ino || now.size < at) [at, ino, rest] = [0, now.ino, ''];
    if (now.size === at) continue;
    const complete = (rest + readFrom(path, at, now.size)).split('\n');
    at = now.size;
    rest = complete.pop()!;
    for (const line of complete) show(line);
  }
}

/** The last lines of the log, over the edge of its newest file if need be. */
function lastLines(path: string, count: number): string[] {
  let lines: string[] = [];
  for (const suffix of ['', ...OLDER]) {
    if (lines.length >= count) break;
    const text = readIfThere(`${path}${suffix}`)?.toString('utf8') ?? '';
    lines = [...text.split('\n').filter((line) => line !== ''), ...lines];
  }
  return count === 0 ? [] : lines.slice(-count);
}

function identityOf(path: string): { size: number; ino: number } {
  try {
    return statSync(path);
  } catch (error) {
    if (isMissing(error)) return { size: 0, ino: 0 };
    throw error;
  }
}

function readFrom(path: string, start: number, end: number): string {
  const bytes = Buffer.alloc(end - start);
  const file = openSync(path, 'r');
  try {
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, start));
  } finally {
    closeSync(file);
  }
}

/** One line of the log for people: time, event, then the rest as `name=value`. */
function readable(line: string): string {
  try {
    const { time, event, level, ...fields } = JSON.parse(line) as Record<string, unknown>;
    const words = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
    return printable([time, Number(level) >= 40 ? 'warning' : '', event, ...words].filter(Boolean).join(' '));
  } catch {
    return printable(line);
  }
}
