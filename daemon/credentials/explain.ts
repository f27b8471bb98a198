import { accountsOf, type Choosable, type OrderRule, ruleBetween } from '../../protocol/choice.ts';
import type { EpochSeconds, Seconds, Target } from '../../protocol/credential.ts';
import { documentLine } from '../../protocol/document-line.ts';
import type { Detail } from '../../protocol/handler.ts';
import type { Status } from '../../protocol/status.ts';
import { fromWire, toWire } from '../../protocol/text.ts';
import type { Held } from '../backends/backend.ts';
import type { RefreshState } from '../oauth/refresh-state.ts';
import { FARTHEST, rankFor } from './fronts.ts';
import type { Preference } from './profiles.ts';

/** Most candidates that an explanation lists; how many there are is told besides. */
export const CANDIDATES_MAX = 50;

/** What an explanation knows about one held credential. */
export type Candidate = {
  readonly held: Held;
  /** Seconds for which it stays in memory if nobody uses it; undefined: it would be read from the backend first. */
  readonly leaseLeft: Seconds | undefined;
  readonly memoryOnly: boolean;
  /** Of a login. */
  readonly refresh?: RefreshState | undefined;
};

export type Explained = {
  readonly target: Target;
  readonly preference: Preference;
  /** The helper protocol that asks, if it is one that lists what it holds (docker). */
  readonly front: string | undefined;
  readonly offersAuthtype: boolean;
  readonly minTtl: Seconds;
  /** Where the target has no path, a credential with one is another. */
  readonly exactPath: boolean;
  readonly now: EpochSeconds;
  /** Everything held for the protocol and host in the order of choice, the first one last. */
  readonly candidates: readonly Candidate[];
  /** The one that `get` would choose. */
  readonly chosen: Held | undefined;
  /** Whether what the request could have meant is known to be revoked. */
  readonly isRevoked: boolean;
  readonly agent: {
    readonly state: 'opening' | 'open' | 'locked' | 'failed';
    readonly failure: Exclude<Status, 'ok'> | undefined;
    readonly backend: string;
    readonly needsPassphrase: boolean;
  };
};

/**
 * Which rule chose: `only` one matched; the `profile`'s account; the account that was `remembered` for the place where the
 * request comes from; another account of which was `refused` there a moment ago; or what put it before the next in line: a
 * helper that lists is answered its own first and other tools what it alone has not brought (`front`, fronts.ts), else the
 * order of choice (protocol/choice.ts). A path or username in the request is no rule of choice: what it rules out does not
 * match.
 */
type Rule = 'only' | 'profile' | 'remembered' | 'refused' | 'front' | OrderRule;
type Verdict = 'given' | 'expired' | 'next' | 'other-path' | 'other-username' | 'authtype-not-offered';

/** The details of an answer to `explain`, and never a value. Candidates come in the order in which they are in line. */
export function explain(explained: Explained): Detail[] {
  const { candidates, chosen, preference, agent, front } = explained;
  const { account, choice } = preference;
  const accounts = accountsOf(preference);
  const judged = candidates
    .map((candidate) => ({ candidate, verdict: judge(candidate, explained) }))
    .reverse()
    .sort(
      (one, other) =>
        rankOf(one, accounts, preference.avoided) - rankOf(other, accounts, preference.avoided) ||
        distanceOf(one, explained) - distanceOf(other, explained),
    );
  const outcome = outcomeOf(explained);
  const isRival = ({ verdict }: Judged) =>
    outcome === 'expired' || chosen?.about?.ended ? isMatch(verdict) : isAlive(verdict);
  const rivals = judged.filter(isRival).map(({ candidate }) => candidate.held);
  const details: [string, string | undefined][] = [
    ['outcome', outcome],
    ['rule', chosen && ruleOf(chosen, rivals, preference, front)],
    ['profile', choice?.name],
    ['profile_by', choice?.by],
    ['profile_folder', choice?.folder === undefined ? undefined : toWire(choice.folder)],
    ['account', account],
    ['backend', agent.backend],
    ['state', agent.state],
    ['human', humanOf(outcome, agent.needsPassphrase, refreshOf(explained)?.command)],
    ['candidates', String(candidates.length)],
    ...judged
      .slice(0, CANDIDATES_MAX)
      .map(({ candidate, verdict }): [string, string] => ['candidate[]', documentLine(documentOf(candidate, verdict))]),
  ];
  return details.filter((detail): detail is [string, string] => detail[1] !== undefined);
}

function judge(
  { held, refresh }: Candidate,
  { target, offersAuthtype, chosen, now, minTtl, exactPath }: Explained,
): Verdict {
  if ((target.path !== undefined || exactPath) && held.path !== target.path) return 'other-path';
  if (target.username !== undefined && held.username !== target.username) return 'other-username';
  if (held.authtype !== undefined && !offersAuthtype) return 'authtype-not-offered';
  const isChosen = held.id === chosen?.id;
  if (isExpired(held, now, minTtl) && !(isChosen && willBeRefreshed(refresh))) return 'expired';
  return isChosen ? 'given' : 'next';
}

function isMatch(verdict: Verdict): boolean {
  return isAlive(verdict) || verdict === 'expired';
}

function isAlive(verdict: Verdict): boolean {
  return verdict === 'given' || verdict === 'next';
}

type Judged = { readonly candidate: Candidate; readonly verdict: Verdict };

/** Of the preferred accounts first, then those that live. `accounts` are wire values. */
function rankOf({ candidate, verdict }: Judged, accounts: readonly string[], avoided?: ReadonlySet<string>): number {
  if (!isMatch(verdict)) return Number.POSITIVE_INFINITY;
  const at = accounts.findIndex((account) => isOf(candidate.held, account));
  const others = avoided?.has(candidate.held.username ?? '') ? accounts.length + 1 : accounts.length;
  return 2 * (at < 0 ? others : at) + (verdict === 'expired' ? 1 : 0);
}

/** Among those of one account: the chosen one, then those of the request's own scope as their fronts are near to it, then the others. */
function distanceOf({ candidate: { held }, verdict }: Judged, { front, target }: Explained): number {
  if (verdict === 'given') return -1;
  return held.path === target.path ? rankFor(front, held) : FARTHEST + 1;
}

function ruleOf(
  chosen: Held,
  rivals: readonly Held[],
  { account, remembered, avoided }: Preference,
  front: string | undefined,
): Rule {
  if (rivals.length <= 1) return 'only';
  if (account !== undefined && isOf(chosen, account)) return 'profile';
  if (remembered !== undefined && isOf(chosen, remembered)) return 'remembered';
  const isAvoided = ({ username }: Held) => avoided?.has(username ?? '') ?? false;
  if (!isAvoided(chosen) && rivals.some(isAvoided)) return 'refused';
  const next = rivals.find(({ id }) => id !== chosen.id);
  if (!next) return 'only';
  if (chosen.path === next.path && rankFor(front, chosen) < rankFor(front, next)) return 'front';
  return ruleBetween(choosable(chosen), choosable(next));
}

/** Whether a credential is that account's, a wire value: by its username, or by what its service calls its account. */
function isOf({ username, about }: Held, account: string): boolean {
  return username === account || about?.account === fromWire(account);
}

function choosable({ path, made, about, storedAt }: Held): Choosable {
  return { path, made, label: about?.label, storedAt };
}

function outcomeOf(explained: Explained): Status {
  const { agent, chosen, isRevoked, now, minTtl } = explained;
  if (agent.state === 'failed') return agent.failure ?? 'unavailable';
  if (agent.state !== 'open') return 'locked';
  if (!chosen) return isRevoked ? 'revoked' : 'not-found';
  if (!isExpired(chosen, now, minTtl)) return 'ok';
  const refresh = refreshOf(explained);
  if (!refresh) return chosen.about?.ended?.status ?? 'expired';
  if (refresh.command !== undefined) return 'interaction-required';
  return willBeRefreshed(refresh) ? 'ok' : 'unavailable';
}

/** Of the one that is chosen. */
function refreshOf({ candidates, chosen }: Explained): RefreshState | undefined {
  return candidates.find(({ held }) => held.id === chosen?.id)?.refresh;
}

/** Whether a get would have a new one, as far as that can be said before its provider is asked. */
function willBeRefreshed(refresh: RefreshState | undefined): boolean {
  return refresh?.state === 'well' || refresh?.state === 'under-way';
}

function isExpired({ expiresAt, about }: Held, now: EpochSeconds, minTtl: Seconds): boolean {
  if (about?.ended !== undefined) return true;
  return expiresAt !== undefined && expiresAt <= now + minTtl;
}

/** What would be asked of a person. A get by itself asks nothing (PROTOCOL.md §3.1). */
function humanOf(outcome: Status, needsPassphrase: boolean, login: string | undefined): string {
  switch (outcome) {
    case 'locked':
      return needsPassphrase ? 'the passphrase, by: keyhold unlock' : 'to run: keyhold unlock';
    case 'interaction-required':
      return `to run: ${login}`;
    case 'not-found':
    case 'revoked':
    case 'expired':
      return 'nothing by keyhold; the tool asks its next helper, and then the person';
    default:
      return 'nothing';
  }
}

function documentOf({ held, leaseLeft, memoryOnly, refresh }: Candidate, verdict: Verdict): Record<string, unknown> {
  const { id, protocol, host, path, username, authtype, storedAt, expiresAt, front } = held;
  return {
    id,
    protocol,
    host,
    path: path === undefined ? undefined : fromWire(path),
    username: username === undefined ? undefined : fromWire(username),
    authtype,
    storedAt,
    expiresAt,
    fronts: front === undefined ? held.fronts : [front],
    verdict,
    leaseLeft: leaseLeft === undefined ? undefined : Math.floor(leaseLeft),
    memoryOnly,
    refresh,
  };
}
