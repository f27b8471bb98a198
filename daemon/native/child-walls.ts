import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Degradation } from '../backends/backend.ts';
import { loadNative } from './load.ts';

/**
 * How the memory of a child that holds secrets is protected. `locked`: not readable by other programs of the user, in no core dump
 * and in no swap; `hardened`: the same, and it may be swapped; `plain`: readable by every program of the user.
 */
export const protections = ['plain', 'hardened', 'locked'] as const;
export type Protection = (typeof protections)[number];

/**
 * Protects this process as the agent is protected, before it says that it is up and is given anything: not dumpable, no core, no new
 * privileges, and all of its memory kept out of swap: locked where the limit allows that, else by its control group where that may
 * use no swap (MemorySwapMax=0 of our unit). Answers what has held, as the parts of its first frame.
 */
export function protectChild(): Uint8Array[] {
  const native = loadNative();
  const isHardened = native?.harden() ?? false;
  const isUnswapped = isHardened && (native!.lockMemory() || isKeptOutOfSwap());
  const protection: Protection = !isHardened ? 'plain' : isUnswapped ? 'locked' : 'hardened';
  return [Buffer.from(protection)];
}

/**
 * Whether the control group of this process, or one above it, may use no swap at all (memory.swap.max is 0; cgroup v2). False where
 * that cannot be read, also under cgroup v1. `membership` is in the form of /proc/self/cgroup, `root` is where the groups are mounted.
 */
export function isKeptOutOfSwap(membership = '/proc/self/cgroup', root = '/sys/fs/cgroup'): boolean {
  try {
    const [, group = ''] = /^0::(\/.*)$/m.exec(readFileSync(membership, 'utf8')) ?? [];
    // A group outside of what is mounted here begins with /.. and says nothing.
    if (group === '' || group.split('/').includes('..')) return false;
    for (let at = group; at !== '/'; at = dirname(at)) {
      if (readSwapMax(join(root, at)) === '0') return true;
    }
    return false;
  } catch {
    return false;
  }
}

/** Undefined for a group without the memory controller. */
function readSwapMax(group: string): string | undefined {
  try {
    return readFileSync(join(group, 'memory.swap.max'), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** What the children have said of themselves since the start, the weakest of it: nothing is claimed that was not seen. */
export class ChildWalls {
  #weakest: Protection | undefined;

  /** Takes the parts of a child's first frame. */
  readonly came = (parts: readonly Uint8Array[]): void => {
    const said = Buffer.from(parts[0] ?? []).toString('latin1');
    const known = (protections as readonly string[]).indexOf(said);
    const before = this.#weakest === undefined ? protections.length : protections.indexOf(this.#weakest);
    this.#weakest = protections[Math.min(Math.max(known, 0), before)];
  };

  /** Undefined while no child has been up. */
  get weakest(): Protection | undefined {
    return this.#weakest;
  }

  /** `hasAddon`: without the addon the agent itself is no better, and says so. */
  degradations(hasAddon: boolean): Degradation[] {
    if (!hasAddon || this.#weakest !== 'plain') return [];
    const what = 'a child process that held a secret could be read by your other programs';
    return [{ code: 'child-not-hardened', what, remedy: 'run: keyhold install, then keyhold restart' }];
  }
}
