import { expose, type Secret } from '../../protocol/secret.ts';
import type { Manifest } from '../../protocol/services/index.ts';

/** Shorter ones say nothing: many values begin with three letters by chance. */
const PREFIX_MIN = 4;

/** The beginning that every token of its kind shows in public (`ghp_`), by which people know theirs; else empty. */
export function prefixOf(secret: Secret, manifests: readonly Manifest[]): string {
  const bytes = expose(secret);
  try {
    const prefixes = manifests.flatMap(({ kinds }) => kinds.flatMap(({ format }) => format?.prefixes ?? []));
    const isBeginning = (prefix: string) =>
      prefix.length >= PREFIX_MIN &&
      bytes.length >= 2 * prefix.length &&
      [...prefix].every((character, at) => bytes[at] === character.charCodeAt(0));
    return prefixes.filter(isBeginning).sort((one, other) => other.length - one.length)[0] ?? '';
  } finally {
    bytes.fill(0);
  }
}
