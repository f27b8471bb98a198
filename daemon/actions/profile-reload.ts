import { action, nothing } from './action.ts';
import type { Parts } from './parts.ts';

export const profileReload = action('profile-reload', nothing, async (_, { profiles }: Pick<Parts, 'profiles'>) => {
  return { status: 'ok', details: [['profiles', String(profiles.reload())]] };
});
