import type { Command } from 'commander';

/** Adds commands to `parent`; `words` is what the run says behind their own. */
type Add = (parent: Command, words: readonly string[]) => void | Promise<void>;

/** Words of commands, and where what adds them is read. */
export type Entry = readonly [words: readonly string[], read: () => Promise<Add>];

/** Adds what `words` begin with, and reads no other file; where nothing goes by that word, everything. */
export async function addAsked(parent: Command, entries: readonly Entry[], words: readonly string[]): Promise<void> {
  const [word = '', ...more] = words;
  const asked = entries.filter(([names]) => names.includes(word));
  for (const [, read] of asked.length > 0 ? asked : entries) {
    const add = await read();
    await add(parent, more);
  }
}
