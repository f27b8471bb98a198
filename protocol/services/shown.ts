import { checkFormat } from './format.ts';
import type { Format, Kind, Manifest } from './manifest.ts';

/** What the agent notes of a value that it keeps, and nothing of which the value could be told. */
export type Shown = {
  /** What a fingerprint is taken of: equal for every spelling of one token. The caller's to wipe. */
  readonly canonical: Uint8Array;
  /** The kind, where the value's form says so; undefined where any value would pass. */
  readonly kind?: string | undefined;
  /** The beginning that every value of the kind has. */
  readonly prefix?: string | undefined;
  /** What a JWT says of itself. Nothing has proved it. */
  readonly tokenId?: string | undefined;
};

/**
 * What may be noted of a value. One that does not have the service's form is taken as it is: a tool may have stored
 * something else under that name. `value` stays the caller's to wipe.
 */
export function shownOf(value: Uint8Array, manifest: Manifest | undefined, kindName?: string): Shown {
  if (!manifest) return { canonical: value.slice() };
  const hasKind = kindName !== undefined && manifest.kinds.some(({ name }) => name === kindName);
  const named = hasKind ? checkFormat(manifest, value, kindName) : undefined;
  const checked = named?.status === 'ok' ? named : checkFormat(manifest, value);
  if (checked.status === 'unfit') return { canonical: value.slice() };
  const { kind, canonical, id } = checked;
  const prefix = prefixOf(kind, checked.value);
  checked.value.fill(0);
  return { canonical, kind: named === checked || isTelling(kind.format) ? kind.name : undefined, prefix, tokenId: id };
}

function prefixOf({ format }: Kind, value: Uint8Array): string | undefined {
  return format?.prefixes?.find((prefix) => Buffer.from(value.subarray(0, prefix.length)).toString() === prefix);
}

/** Whether a value has such a form by more than chance. */
function isTelling(format: Format | undefined): boolean {
  return format?.prefixes !== undefined || format?.pattern !== undefined || format?.decode === 'jwt';
}
