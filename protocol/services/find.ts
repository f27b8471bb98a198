import type { Target } from '../credential.ts';
import { type Address, addressOf, isLoopback, originOf } from './address.ts';
import type { HostRule, Manifest, ScopePart } from './manifest.ts';

export type Found =
  | { readonly status: 'found'; readonly manifest: Manifest }
  | { readonly status: 'none' }
  /** Several are equally near: who asks must name one of them. */
  | { readonly status: 'ambiguous'; readonly ids: readonly string[] };

/**
 * The service that a URL or target belongs to. An exact host stands above `*.`, a rule with a path above one without,
 * and a longer path above a shorter one; nothing else decides.
 */
export function serviceFor(place: string | Target, manifests: readonly Manifest[]): Found {
  const address = addressOf(place);
  if (!address) return { status: 'none' };
  let best = 0;
  let nearest: Manifest[] = [];
  for (const manifest of manifests) {
    const rank = Math.max(0, ...manifest.hosts.map((rule) => nearness(rule, address)));
    if (rank > best) [best, nearest] = [rank, [manifest]];
    else if (rank > 0 && rank === best) nearest.push(manifest);
  }
  const [manifest] = nearest;
  if (!manifest) return { status: 'none' };
  if (nearest.length > 1) return { status: 'ambiguous', ids: nearest.map(({ id }) => id) };
  return { status: 'found', manifest };
}

/**
 * Whether a token of this service may be kept for, and sent to, a place: one of its hosts, or, where people run servers
 * of their own, any host by https, or this machine by http.
 */
export function belongsTo(place: string | Target, { hosts, selfHosted }: Manifest): boolean {
  const address = addressOf(place);
  if (!address) return false;
  if (isHostOf(place, { hosts })) return true;
  return (
    selfHosted === true && (address.protocol === 'https' || (address.protocol === 'http' && isLoopback(address.host)))
  );
}

/** Whether a place is one of the hosts that the manifest lists, whoever else may run a server of the service. */
export function isHostOf(place: string | Target, { hosts }: Pick<Manifest, 'hosts'>): boolean {
  const address = addressOf(place);
  return address !== undefined && hosts.some((rule) => nearness(rule, address) > 0);
}

/** Two host rules that could match the same place with the same nearness, so that neither would win. */
export function collide(one: HostRule, other: HostRule): boolean {
  const same = (a: HostRule) =>
    JSON.stringify([a.protocol ?? 'https', a.host.toLowerCase(), pathOf(a).length, pathOf(a)]);
  const [a, b] = [portOf(one), portOf(other)];
  return same(one) === same(other) && (a === 'any' || b === 'any' || a === b);
}

/** 0 where a rule does not hold; else the more, the closer. */
function nearness(rule: HostRule, address: Address): number {
  if ((rule.protocol ?? 'https') !== address.protocol) return 0;
  const host = hostNearness(rule.host.toLowerCase(), address.host);
  const port = portOf(rule);
  if (host === 0 || (port !== 'any' && port !== address.port)) return 0;
  const path = pathOf(rule);
  if (path !== '' && address.path !== path && !address.path.startsWith(`${path}/`)) return 0;
  return host * 10_000 + path.length;
}

const EXACT = 3;
const ONE_LABEL = 2;
const OWN_SCHEME = 1;

function hostNearness(rule: string, host: string): number {
  if (rule === '*') return OWN_SCHEME;
  if (!rule.startsWith('*.')) return rule === host ? EXACT : 0;
  const suffix = rule.slice(1);
  const label = host.slice(0, -suffix.length);
  return host.endsWith(suffix) && label !== '' && !label.includes('.') ? ONE_LABEL : 0;
}

function portOf({ protocol = 'https', port }: HostRule): number | 'any' | undefined {
  return port ?? addressOf(`${protocol}://x`)?.port;
}

function pathOf({ path = '' }: HostRule): string {
  return path.replace(/^\/+|\/+$/g, '');
}

export type ScopeQuestion = {
  readonly place: string | Target;
  readonly account?: string | undefined;
  readonly tenant?: string | undefined;
};
export type ScopeKey =
  | { readonly status: 'ok'; readonly key: string }
  /** `missing` must be named first; undefined where the place itself cannot be read. */
  | { readonly status: 'incomplete'; readonly missing: ScopePart | undefined };

/**
 * The slot that a token of this service lies in: equal keys are one slot, whatever else differs (the case of a host, a
 * slash at the end). The account may be absent, which is a slot of its own; every other part of the scope may not.
 */
export function scopeKey({ id, scope }: Manifest, question: ScopeQuestion): ScopeKey {
  const address = addressOf(question.place);
  if (!address) return { status: 'incomplete', missing: undefined };
  const parts = [id];
  for (const part of scope) {
    const value = partOf(part, address, question);
    if (value === undefined && part !== 'account') return { status: 'incomplete', missing: part };
    if (value !== undefined) parts.push(`${part}=${value}`);
  }
  return { status: 'ok', key: JSON.stringify(parts) };
}

function partOf(part: ScopePart, address: Address, { place, account, tenant }: ScopeQuestion): string | undefined {
  switch (part) {
    case 'host':
      return address.host;
    case 'port':
      return address.port === undefined ? undefined : String(address.port);
    case 'path':
      return address.path;
    case 'account':
      return account ?? (typeof place === 'string' ? undefined : place.username);
    case 'tenant':
      return tenant;
    case 'registry':
      return `${originOf(address)}/${address.path}`;
  }
}
