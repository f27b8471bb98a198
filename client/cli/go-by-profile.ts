import type { Command } from 'commander';
import { checkProfileName } from '../../protocol/profiles.ts';
import { loadProfiles } from '../profiles/file.ts';
import { giveProfile, profileInForce } from '../profiles/in-force.ts';
import type { VerbOptions } from './verb.ts';

/** What every verb does first: takes `--profile` to heart, and the form of answers that the profile in force asks for. */
export function goByProfile(command: Command): void {
  const { profile, json } = command.opts<Partial<VerbOptions>>();
  const isOwn = command.parent?.name() === 'profile';
  giveProfile(profile === undefined ? undefined : checkProfileName(profile));
  if (profile !== undefined && !isOwn) profileInForce(loadProfiles());
  // The lines of `env` are for a shell, whoever asks.
  if (json !== undefined || isOwn || command.name() === 'env' || !command.options.some(({ long }) => long === '--json'))
    return;
  if (outputOf() === 'json') command.setOptionValueWithSource('json', true, 'config');
}

/** A file that cannot be read, or a profile that is not there, is told where it matters and not at every verb. */
function outputOf(): string | undefined {
  try {
    return profileInForce(loadProfiles())?.profile.get('output');
  } catch {
    return undefined;
  }
}
