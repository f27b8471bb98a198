import type { Auth, Kind, Manifest } from './manifest.ts';

/** The kind of that name; the first one, which is the usual one, when none is named; undefined if there is none such. */
export function kindOf({ kinds }: Manifest, name?: string): Kind | undefined {
  return name === undefined ? kinds[0] : kinds.find((kind) => kind.name === name);
}

/** How a kind goes on the wire: the first way that fits it. */
export function authOf({ auth }: Manifest, kind: Kind): Auth | undefined {
  return auth.find(({ kinds }) => kinds === undefined || kinds.includes(kind.name));
}
