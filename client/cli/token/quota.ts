import { checkName, type Manifest, type NameHints } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { printable } from '../../../protocol/text.ts';
import { CommandFailure } from '../failure.ts';
import { nameOf, type TokenItem } from './item.ts';

/** Tokens that a refusal proposes to free. */
const PROPOSED_MAX = 3;

/** A token as the service lists it. */
export type RemoteToken = {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly expiresAt?: number | undefined;
  readonly lastUsedAt?: number | undefined;
};

/** How many of a service's tokens are active, of how many; without `limit` the service is not known to have one. */
export type Quota = { readonly active: number; readonly limit: number | undefined };

/**
 * Counts the active tokens of a service: what is held here and what the service lists, each once. What is past its expiry or was
 * revoked (a tombstone) does not count. `now` is in epoch seconds.
 */
export function quotaOf(
  { id, limits }: Manifest,
  held: readonly TokenItem[],
  now: number,
  remote: readonly RemoteToken[] = [],
): Quota {
  const isActive = ({ expiresAt }: { readonly expiresAt?: number | undefined }) =>
    expiresAt === undefined || expiresAt > now;
  const here = held.filter((item) => item.service === id && isActive(item));
  const there = remote.filter(isActive);
  const isListed = (item: TokenItem) =>
    there.some(
      (one) => (one.id !== undefined && one.id === item.tokenId) || (one.name !== undefined && one.name === item.label),
    );
  return { active: there.length + here.filter((item) => !isListed(item)).length, limit: limits?.active };
}

/**
 * Throws a `CommandFailure` with 9 where a service takes no further token, naming what to free: what is used least first. Called
 * before anything is asked of the service.
 */
export function refuseBeyondQuota(
  manifest: Manifest,
  held: readonly TokenItem[],
  now: number,
  remote?: readonly RemoteToken[],
): void {
  const { active, limit } = quotaOf(manifest, held, now, remote);
  if (limit === undefined || active < limit) return;
  const ours = held.filter(({ service }) => service === manifest.id).toSorted(byUse);
  const names = ours.slice(0, PROPOSED_MAX).map((item) => printable(`${nameOf(item) ?? item.id} (${useOf(item)})`));
  const free = names.length === 0 ? 'revoke one on its page' : `free one: keyhold token revoke ${quoted(ours[0]!)}`;
  const list = names.length === 0 ? '' : `; used least: ${names.join(', ')}`;
  throw new CommandFailure(
    exitCodeOf('limit-reached'),
    `cannot make another token: ${manifest.title} takes ${limit} at once and ${active} are active${list}; ${free}`,
  );
}

/**
 * Throws a `CommandFailure` with 2 for a name that the service does not take, and proposes another. Answers a remark for one that says
 * nothing, and undefined for a good one.
 */
export function refuseName(manifest: Manifest, name: string, hints: NameHints): string | undefined {
  const checked = checkName(manifest, name, hints);
  if (checked.status === 'ok') return undefined;
  const better = checked.proposal === undefined ? '' : `; such as ${checked.proposal}`;
  if (checked.status === 'poor') return `"${printable(name)}": ${checked.why}${better}`;
  throw new CommandFailure(exitCodeOf('bad-request'), `${checked.why}${better}`);
}

function byUse(one: TokenItem, other: TokenItem): number {
  return (one.uses ?? 0) - (other.uses ?? 0) || (one.lastUsed ?? 0) - (other.lastUsed ?? 0);
}

function useOf({ uses = 0 }: TokenItem): string {
  if (uses === 0) return 'never used';
  return uses === 1 ? 'used once' : `used ${uses} times`;
}

function quoted(item: TokenItem): string {
  const name = nameOf(item) ?? item.id;
  return /^[\w.@-]+$/.test(name) ? name : item.id;
}
