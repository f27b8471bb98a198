import type { EpochSeconds, Seconds, Target } from '../protocol/credential.ts';
import type { Detail } from '../protocol/handler.ts';
import type { Status } from '../protocol/status.ts';
import { fromWire, toWire } from '../protocol/text.ts';
import type { Held } from './backends/backend.ts';
import type { Preference } from './profiles.ts';
import type { RefreshState } from './upstream/refresh-state.ts';

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
  readonly offersAuthtype: boolean;
  readonly minTtl: Seconds;
  /** Where the target has no path, a credential with one is another. */
  readonly exactPath: boolean;
  readonly now: EpochSeconds;
  /** Everything held for the protocol and host, newest last. */
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
 * Which rule chose: `only` one matched; the `profile`'s account; or, among several, the one stored `last`. Path and
 * username are no rules of choice: what they rule out does not match.
 */
type Rule = 'only' | 'profile' | 'last';
type Verdict = 'given' | 'expired' | 'next' | 'other-path' | 'other-username' | 'authtype-not-offered';

/** The details of an answer to `explain`, and never a value. Candidates come in the order in which they are in line. */
export function explain(explained: Explained): Detail[] {
  const { candidates, chosen, preference, agent } = explained;
  const { account, choice } = preference;
  const judged = candidates
    .map((candidate) => ({ candidate, verdict: judge(candidate, explained) }))
    .reverse()
    .sort((one, other) => rankOf(one, account) - rankOf(other, account));
  const outcome = outcomeOf(explained);
  const rivals = judged.filter(({ verdict }) => (outcome === 'expired' ? isMatch(verdict) : isAlive(verdict))).length;
  const details: [string, string | undefined][] = [
    ['outcome', outcome],
    ['rule', chosen && ruleOf(chosen, rivals, account)],
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
      .map(({ candidate, verdict }): [string, string] => [
        'candidate[]',
        toWire(JSON.stringify(documentOf(candidate, verdict))),
      ]),
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

function rankOf(
  { candidate, verdict }: { candidate: Candidate; verdict: Verdict },
  account: string | undefined,
): number {
  if (!isMatch(verdict)) return 4;
  const others = account !== undefined && candidate.held.username === account ? 0 : 2;
  return verdict === 'expired' ? others + 1 : others;
}

function ruleOf(chosen: Held, rivals: number, account: string | undefined): Rule {
  if (rivals <= 1) return 'only';
  return account !== undefined && chosen.username === account ? 'profile' : 'last';
}

function outcomeOf(explained: Explained): Status {
  const { agent, chosen, isRevoked, now, minTtl } = explained;
  if (agent.state === 'failed') return agent.failure ?? 'unavailable';
  if (agent.state !== 'open') return 'locked';
  if (!chosen) return isRevoked ? 'revoked' : 'not-found';
  if (!isExpired(chosen, now, minTtl)) return 'ok';
  const refresh = refreshOf(explained);
  if (!refresh) return 'expired';
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

function isExpired({ expiresAt }: Held, now: EpochSeconds, minTtl: Seconds): boolean {
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
  const { id, protocol, host, path, username, authtype, storedAt, expiresAt } = held;
  return {
    id,
    protocol,
    host,
    path: path === undefined ? undefined : fromWire(path),
    username: username === undefined ? undefined : fromWire(username),
    authtype,
    storedAt,
    expiresAt,
    verdict,
    leaseLeft: leaseLeft === undefined ? undefined : Math.floor(leaseLeft),
    memoryOnly,
    refresh,
  };
}
