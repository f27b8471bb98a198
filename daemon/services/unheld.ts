import type { Target } from '../../protocol/credential.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import type { Subject } from './planning.ts';

/** A token of a kind that is not held: enough to say how it goes along with a call. */
export function unheldAt(manifest: Manifest, { protocol, host, path }: Target, kind: string): Subject {
  return { protocol, host, path, about: { service: manifest.id, kind } };
}
