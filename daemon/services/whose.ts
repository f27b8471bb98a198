import type { Target } from '../../protocol/credential.ts';
import type { Secret } from '../../protocol/secret.ts';
import { kindOf, type Manifest } from '../../protocol/services/index.ts';
import type { CallParts } from './call.ts';
import { probe } from './probe.ts';
import { unheldAt } from './unheld.ts';

/** A token that is not held yet. The secret is borrowed; `kind` is one of the manifest, by default its first. */
export type NewToken = { readonly place: Target; readonly kind: string | undefined; readonly secret: Secret };

/**
 * Whose a new token is, as `whoami` says; undefined where that does not tell. `isRefused`: the service does not take the token.
 */
export async function whoseToken(
  parts: CallParts,
  manifest: Manifest,
  { place, kind, secret }: NewToken,
): Promise<{ readonly name: string | undefined; readonly isRefused: boolean }> {
  const stranger = unheldAt(manifest, place, kindOf(manifest, kind)?.name ?? manifest.kinds[0]!.name);
  const { isAlive, holder } = await probe(parts, manifest, { as: stranger, token: secret });
  return { name: holder?.user, isRefused: isAlive === false };
}
