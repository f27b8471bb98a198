import { dirname } from 'node:path';

/** What a child needs beyond the strictest profile. Each need stands, with its reason, in the file of the child's user. */
export type Needs = {
  /** Loads native code: its library is an addon, or ours protects its memory. @default {false} */
  readonly addons?: boolean;
  /** Reads files outside the folder of its program. @default {false} */
  readonly anyFile?: boolean;
};

/** Megabytes of JavaScript heap, old generation: a child that needs more is out of order, and ends. */
const HEAP = 64;

/**
 * Node's flags for a child that runs `program`. The strictest profile is the default: it reads the folder of its own program
 * and nothing else, writes nothing, starts no process and no thread, loads no native code, and no inspector can attach; its heap is bounded.
 * Node 24's permission model does not restrict the network (nodejs.org/api/permissions.html). Pure.
 */
export function sandbox(program: string, { addons = false, anyFile = false }: Needs = {}): string[] {
  // Run from the sources, a child reads packages and types from the folders where they lie.
  const readable = anyFile || program.endsWith('.ts') ? '*' : `${dirname(program)}/*`;
  return [
    '--permission',
    `--allow-fs-read=${readable}`,
    ...(addons ? ['--allow-addons'] : []),
    '--disable-sigusr1',
    '--disable-proto=delete',
    `--max-old-space-size=${HEAP}`,
    '--max-semi-space-size=1',
    '--v8-pool-size=1',
    '--no-warnings',
  ];
}
