import type { About } from '../../protocol/about.ts';
import type { Target } from '../../protocol/credential.ts';
import {
  type Auth,
  addressOf,
  authOf,
  belongsTo,
  type Call,
  callOf,
  fill,
  isLoopback,
  type Kind,
  kindOf,
  type Manifest,
  type Operation,
  originOf,
  type Values,
} from '../../protocol/services/index.ts';
import type { Plan } from '../upstream/plan.ts';

export type Question = {
  readonly manifest: Manifest;
  readonly operation: Operation;
  /** The kind of token that the call is about; the usual one without it. */
  readonly kind?: string | undefined;
  /** Where the service is. */
  readonly target: Target;
  readonly values?: Values;
};

export type Planned =
  | { readonly status: 'ok'; readonly call: Call; readonly plan: Omit<Plan, 'deadline' | 'auth'> }
  | { readonly status: 'unsupported' | 'bad-request' | 'denied'; readonly why: string };

/** What a manifest says about one call, filled in, without the token that goes along. */
export function planned({ manifest, operation, kind, target, values = {} }: Question): Planned {
  const choice = callOf(manifest, operation, kind === undefined ? undefined : kindOf(manifest, kind));
  if (choice.status !== 'ok') return choice;
  const { call } = choice;
  const address = addressOf({ protocol: target.protocol, host: target.host });
  const origin = address && originOf(address);
  const all: Values = address
    ? { ...values, origin: origin!, host: address.host, ...(address.port && { port: address.port }) }
    : values;
  const base = fill(manifest.rest!.base, all);
  const place = base === undefined ? undefined : addressOf(base);
  if (!place)
    return { status: 'bad-request', why: `${manifest.title} needs to know which server is meant; give --for URL` };
  if (!belongsTo(base!, manifest))
    return { status: 'denied', why: `its token is not sent there: no server of ${manifest.title}` };
  if (place.protocol !== 'https' && !isLoopback(place.host)) {
    return { status: 'denied', why: `its token is not sent there: ${place.protocol} is for this machine only` };
  }
  const path = fill(call.path, all, encodeURIComponent);
  const query = queryOf(call, all);
  if (path === undefined) return { status: 'bad-request', why: missing(call.path, all) };
  return {
    status: 'ok',
    call,
    plan: {
      operation,
      method: call.method,
      origin: originOf(place),
      path: `${place.path === '' ? '' : `/${place.path}`}${path}${query}`,
      body: call.body,
      values: all,
      success: call.success,
      items: call.items,
      fields: call.fields,
      leaks: call.leaks,
      errors: manifest.errors,
    },
  };
}

/** How a token of a kind goes along; undefined where it cannot go over HTTP. */
export function authPlan(manifest: Manifest, kind: Kind): Plan['auth'] | undefined {
  const auth = authOf(manifest, kind);
  return auth && headerOf(auth);
}

/** A token that a call is about or made with, held or not: where its service is, and what is known of it. */
export type Subject = Target & { readonly about?: About | undefined };

/** What kind of token it is; the usual one of its service where that is not known. */
export function kindOfToken(manifest: Manifest, { about }: Pick<Subject, 'about'>): Kind {
  return kindOf(manifest, about?.kind) ?? manifest.kinds[0]!;
}

/** Whether a token of a kind may make a call. */
export function mayMake({ kinds }: Call, kind: Kind): boolean {
  return kinds === undefined || kinds.includes(kind.name);
}

function headerOf({ scheme, name, username }: Auth): Plan['auth'] | undefined {
  switch (scheme) {
    case 'bearer':
      return { header: 'authorization', before: 'Bearer ' };
    case 'token':
      return { header: 'authorization', before: 'token ' };
    case 'raw':
      return { header: 'authorization', before: '' };
    case 'basic':
      return { header: 'authorization', before: 'Basic ', basicUser: username ?? '' };
    case 'header':
      return { header: name!, before: '' };
    case 'grpc':
      return undefined;
  }
}

/** Members without a value are left out. */
function queryOf({ query = {} }: Call, values: Values): string {
  const pairs = Object.entries(query).flatMap(([name, template]) => {
    const value = fill(template, values);
    return value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`];
  });
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

const needs: Readonly<Record<string, string>> = {
  id: "the service's own id of the token is not known; see: keyhold token list --remote",
  user: 'give --user ID',
  tenant: 'give --tenant ID',
  name: 'give a name',
};

function missing(template: string, values: Values): string {
  const name = /\{([^{}]*)\}/g;
  for (const [, hole = ''] of template.matchAll(name)) {
    if (values[hole as keyof Values] === undefined) return needs[hole] ?? `${hole} is not known`;
  }
  return 'something that its path needs is not known';
}
