import { dial } from '../dial.ts';
import { ask, documents } from './agent.ts';

/** Milliseconds between two looks at how far the agent is, and before the first: what is done by then shows no bar. */
const PERIOD = 250;
/** Cells of the bar. */
const WIDTH = 24;

type Step = { readonly what: string; readonly done: number; readonly total: number };

/**
 * Waits for `work`, and meanwhile shows on a terminal's standard error how far the agent is with it. Whatever goes wrong with the
 * showing is nothing to end the work for.
 */
export async function withProgress<T>(work: Promise<T>): Promise<T> {
  if (process.stderr.isTTY !== true) return work;
  let isOver = false;
  let isShown = false;
  const ended = work.then(
    () => {
      isOver = true;
    },
    () => {
      isOver = true;
    },
  );
  while (!isOver) {
    const timer = Promise.withResolvers<void>();
    const timeout = setTimeout(timer.resolve, PERIOD);
    await Promise.race([ended, timer.promise]);
    clearTimeout(timeout);
    if (isOver) break;
    const step = await look().catch(() => undefined);
    if (!step || isOver) continue;
    process.stderr.write(`\r\x1b[K${barOf(step)}`);
    isShown = true;
  }
  if (isShown) process.stderr.write('\r\x1b[K');
  return work;
}

/** A bar for work that this command does itself, step by step. It takes its line back when it is disposed of. */
export class ProgressBar implements Disposable {
  readonly #what: string;
  #total: number;
  #isShown = false;

  /** `total` may be told later, by `show`. */
  constructor(what: string, total = 0) {
    this.#what = what;
    this.#total = total;
  }

  show(done: number, total = this.#total): void {
    this.#total = total;
    if (process.stderr.isTTY !== true) return;
    process.stderr.write(`\r\x1b[K${barOf({ what: this.#what, done, total: this.#total })}`);
    this.#isShown = true;
  }

  [Symbol.dispose](): void {
    if (this.#isShown) process.stderr.write('\r\x1b[K');
  }
}

/** One line: `backup  [########----------------] 34%  34,000 of 100,000`. */
export function barOf({ what, done, total }: Step): string {
  const part = total === 0 ? 1 : Math.min(done / total, 1);
  const full = Math.round(part * WIDTH);
  const bar = '#'.repeat(full) + '-'.repeat(WIDTH - full);
  const of = (count: number) => count.toLocaleString('en-US');
  return `${what}  [${bar}] ${Math.floor(part * 100)}%  ${of(done)} of ${of(total)}`;
}

async function look(): Promise<Step | undefined> {
  using agent = await dial({ autostart: false });
  const { details } = await ask(agent, 'progress');
  return documents(details, 'progress[]')[0] as Step | undefined;
}
