import type { Target } from '../../protocol/credential.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import { type Manifest, serviceFor } from '../../protocol/services/index.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { CommandFailure } from '../cli/failure.ts';
import { readCatalogue } from './catalogue.ts';

/** The services that a person names, in that order. Throws a `CommandFailure` with 4 for one that is not there. */
export function servicesNamed(names: readonly string[]): Manifest[] {
  const { manifests, faults } = readCatalogue();
  return names.map((name) => {
    const found = manifests.find(({ id }) => id === name);
    if (found) return found;
    const broken = faults.find(({ file }) => file.endsWith(`/${name}.json`));
    if (broken) throw new CommandFailure(exitCodeOf('bad-request'), `cannot use ${broken.file}: ${broken.why}`);
    throw new CommandFailure(exitCodeOf('not-found'), `cannot find the service "${name}"; see: keyhold service list`);
  });
}

/** The one service that a target belongs to; undefined if none does, several do, or keyhold was not built. */
export function serviceOf(target: Target): Manifest | undefined {
  try {
    const found = serviceFor(target, readCatalogue().manifests);
    return found.status === 'found' ? found.manifest : undefined;
  } catch (error) {
    if (error instanceof KeyholdError) return undefined;
    throw error;
  }
}
