import { join } from 'node:path';
import type { Target } from '../../protocol/credential.ts';
import { targetOfDockerKey } from '../../protocol/tools/docker-key.ts';
import { readIfThere } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';

/** What docker knows `docker-credential-keyhold` by. */
export const HELPER = 'keyhold';

/** The file that docker reads. */
export function dockerConfig({ environment, home }: Pick<Ground, 'environment' | 'home'>): string {
  return join(environment['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json');
}

/** What docker's file says; nothing where it is not there or cannot be read. */
export function configOf(file: string): Readonly<Record<string, unknown>> {
  try {
    return objectIn(JSON.parse(readIfThere(file)?.toString('utf8') || '{}'));
  } catch {
    // That it cannot be read is said where it is to be changed.
    return {};
  }
}

export function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/**
 * The registries of `file` for which docker asks keyhold by name (`credHelpers`) and whose answer may be what is kept for `target`.
 * docker asks for each of them in a classic build, also for those that the helper does not list (docker/cli, GetAllCredentials).
 */
export function registriesAskedFor(file: string, { protocol, host, path }: Target): string[] {
  const isMeant = (one: Target) => one.protocol === protocol && one.host === host && one.path === path;
  return Object.entries(objectIn(configOf(file)['credHelpers']))
    .filter(([key, helper]) => helper === HELPER && targetOfDockerKey(key).some(isMeant))
    .map(([key]) => key);
}
