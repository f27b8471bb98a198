import type { Auth, Call, Kind, Manifest, Operation } from './manifest.ts';

/** The kind of that name; the first one, which is the usual one, when none is named; undefined if there is none such. */
export function kindOf({ kinds }: Manifest, name?: string): Kind | undefined {
  return name === undefined ? kinds[0] : kinds.find((kind) => kind.name === name);
}

/** How a kind goes on the wire: the first way that fits it. */
export function authOf({ auth }: Manifest, kind: Kind): Auth | undefined {
  return auth.find(({ kinds }) => kinds === undefined || kinds.includes(kind.name));
}

/** What git sends as the username of a token that is kept without one: the kind's own, else the service's. */
export function gitUsernameOf(manifest: Manifest, kindName?: string): string | undefined {
  return kindOf(manifest, kindName)?.gitUsername ?? manifest.gitUsername;
}

export type CallChoice =
  | { readonly status: 'ok'; readonly call: Call }
  /** The service has no such operation: exit 11, with this text. */
  | { readonly status: 'unsupported'; readonly why: string };

/** The call for an operation on a token of a kind: the kind's own, else the service's. */
export function callOf({ title, rest }: Manifest, operation: Operation, kind?: Kind): CallChoice {
  const call = kind?.rest?.[operation] ?? rest?.[operation];
  if (call === undefined) return { status: 'unsupported', why: `${title} has no known call for this (${operation})` };
  return 'none' in call ? { status: 'unsupported', why: call.none } : { status: 'ok', call };
}
