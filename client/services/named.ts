import type { Target } from '../../protocol/credential.ts';
import { type Manifest, serviceFor } from '../../protocol/services/index.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { CommandFailure } from '../cli/failure.ts';

/** The manifests of the services that a person names, in that order. Throws a `CommandFailure` with 4 for one that is not there. */
export async function servicesNamed(names: readonly string[]): Promise<Manifest[]> {
  const all = await manifests();
  return names.map((name) => {
    const found = all.find(({ id }) => id === name);
    if (found) return found;
    throw new CommandFailure(exitCodeOf('not-found'), `cannot find the service ${name}; see: keyhold service list`);
  });
}

/** The one service that a target belongs to; undefined if none does, or several. */
export async function serviceOf(target: Target): Promise<Manifest | undefined> {
  const found = serviceFor(target, await manifests());
  return found.status === 'found' ? found.manifest : undefined;
}

async function manifests(): Promise<readonly Manifest[]> {
  return [];
}
