import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sources = join(import.meta.dirname, 'tools');
/** Milliseconds that one run of a tool may take. */
const PATIENCE = 300_000;

const toolNames = ['pbench', 'loadgen', 'tfa'] as const;
export type ToolName = (typeof toolNames)[number];

/** Compiles the C tools into `folder`: static, so that pbench's own memory is no floor for what it measures. */
export async function compileTools(folder: string): Promise<void> {
  for (const name of toolNames) await compile('cc', folder, name);
  // The quickest to start that this machine can make, as the thin client is.
  await compile('musl-gcc', folder, 'floor').catch(() => compile('cc', folder, 'floor'));
}

async function compile(compiler: string, folder: string, name: string): Promise<void> {
  await run(compiler, ['-std=gnu99', '-O2', '-static', '-o', join(folder, name), join(sources, `${name}.c`)]);
}

/** Runs a compiled tool and answers what it prints. */
export async function runTool(
  folder: string,
  name: ToolName,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { stdout } = await run(join(folder, name), args, { env, timeout: PATIENCE, maxBuffer: 64 * 1_048_576 });
  return stdout;
}

/** One command's runs, round by round. */
export type Series = { readonly wall: number[]; readonly memory: number[]; failures: number };

/** What pbench prints: name, wall us, cpu us, peak KiB, right. */
export function parsePbench(text: string): Map<string, Series> {
  return seriesOf(text, ([name, wall, , memory, right]) => ({ name, wall, memory, right }));
}

/** What tfa prints: name, us, right. */
export function parseTfa(text: string): Map<string, Series> {
  return seriesOf(text, ([name, wall, right]) => ({ name, wall, memory: '0', right }));
}

type Line = Record<'name' | 'wall' | 'memory' | 'right', string | undefined>;

function seriesOf(text: string, lineOf: (fields: string[]) => Line): Map<string, Series> {
  const all = new Map<string, Series>();
  for (const line of text.trim().split('\n')) {
    const { name, wall, memory, right } = lineOf(line.split('\t'));
    if (!name || right === undefined) throw new Error(`cannot read a tool's line: ${line}`);
    const series = all.get(name) ?? { wall: [], memory: [], failures: 0 };
    series.wall.push(Number(wall));
    series.memory.push(Number(memory));
    if (right !== '1') series.failures++;
    all.set(name, series);
  }
  return all;
}

export type Load = {
  readonly requests: number;
  /** Requests a second. */
  readonly rate: number;
  /** Microseconds of the server's CPU a request. */
  readonly cpu: number;
  readonly failures: number;
};

/** What loadgen prints: requests, seconds, rate, p50, p99, cpu, failures. */
export function parseLoad(text: string): Load {
  const [requests, , rate, , , cpu, failures] = text.trim().split('\t').map(Number);
  if (failures === undefined || Number.isNaN(failures)) throw new Error(`cannot read loadgen's line: ${text}`);
  return { requests: requests!, rate: rate!, cpu: cpu!, failures };
}
