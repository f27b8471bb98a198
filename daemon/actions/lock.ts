import { action, done, nothing } from './action.ts';
import type { Parts } from './parts.ts';

export const lock = action('lock', nothing, async (_, { credentials }: Pick<Parts, 'credentials'>) => {
  await credentials.lifecycle.lock();
  return done;
});
