import type { Command } from 'commander';
import { addAsked, type Entry } from './entries.ts';
import { addNoun } from './verb.ts';

/** Every verb of a token, in the order of its help. A new one is its file in token/ and its line here. */
const verbs: readonly Entry[] = [
  [['list'], async () => (await import('./token/list.ts')).addList],
  [['set'], async () => (await import('./token/set.ts')).addSet],
  [['show'], async () => (await import('./token/show.ts')).addShow],
  [['create'], async () => (await import('./token/create.ts')).addCreate],
  [['revoke'], async () => (await import('./token/revoke.ts')).addRevoke],
  [['rotate'], async () => (await import('./token/rotate.ts')).addRotate],
  [['refresh'], async () => (await import('./token/refresh.ts')).addRefresh],
  [['print'], async () => (await import('./token/print.ts')).addPrint],
  [['share'], async () => (await import('./token/share.ts')).addShare],
  [['rename'], async () => (await import('./token/rename.ts')).addRename],
  [['history'], async () => (await import('./token/history.ts')).addHistory],
  [['explain'], async () => (await import('./explain.ts')).addExplain],
  [['restore'], async () => (await import('./token/restore.ts')).addRestore],
  [['remove'], async () => (await import('./token/remove.ts')).addRemove],
];

/** `keyhold token`: what is held, and the way in and out for a single value. A TOKEN is an id, a label, or how one begins. */
export function addToken(program: Command, words: readonly string[]): Promise<void> {
  return addAsked(addNoun(program, 'token', 'the tokens that are held'), verbs, words);
}
