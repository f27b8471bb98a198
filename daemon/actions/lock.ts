import { action, done, nothing } from './action.ts';
import type { Parts } from './parts.ts';

export const lock = action('lock', nothing, async (_, { custody }: Pick<Parts, 'custody'>) => {
  await custody.lock();
  return done;
});
