import { dirname } from 'node:path';

/**
 * Flags for a node that runs a library of others: it may read the folder of its own program and nothing else, write
 * nothing, start nothing, load no native code, and be inspected by nobody; and its memory is bounded.
 */
export function seatBelt(program: string): string[] {
  // Run from the sources, it reads packages and types from wherever they lie.
  const readable = program.endsWith('.ts') ? '*' : `${dirname(program)}/*`;
  return [
    '--permission',
    `--allow-fs-read=${readable}`,
    '--disable-sigusr1',
    '--disable-proto=delete',
    '--max-old-space-size=64',
    '--max-semi-space-size=1',
    '--v8-pool-size=1',
    '--no-warnings',
  ];
}
