import { gitUsernameOf, type Manifest, serviceFor } from '../../protocol/services/index.ts';
import type { Held } from '../backends/backend.ts';

/**
 * The username that git sends with a token which is kept without one, by the manifest of the token's service; undefined where
 * the service is not known or says nothing of it.
 */
export function gitUsernames(services: () => readonly Manifest[]): (held: Held) => string | undefined {
  return (held) => {
    const manifest = manifestOf(held, services());
    return manifest && gitUsernameOf(manifest, held.about?.kind);
  };
}

function manifestOf(held: Held, services: readonly Manifest[]): Manifest | undefined {
  const { about } = held;
  if (about?.service !== undefined) return services.find(({ id }) => id === about.service);
  const found = serviceFor(held, services);
  return found.status === 'found' ? found.manifest : undefined;
}
