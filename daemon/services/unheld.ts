import type { Target } from '../../protocol/credential.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import type { Entry } from '../credentials/unlocked/set.ts';

/** A token that is not held, in the form of one that is: enough to say how it goes along with a call. */
export function unheldAt(manifest: Manifest, { protocol, host, path }: Target, kind: string): Entry {
  return {
    ...{ protocol, host, path, id: '', storedAt: 0, about: { service: manifest.id, kind } },
    ...{ resting: undefined, forgetAt: undefined, inMemory: undefined, lease: undefined },
  };
}
