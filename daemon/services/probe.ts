import { isDead, type Manifest, type Read } from '../../protocol/services/index.ts';
import { type Bearer, type CallParts, call, disposeAll } from './call.ts';
import { kindOfToken, mayMake, planned, type Question, type Subject } from './planning.ts';

/** Whose token it is, as the service says (`whoami`). A member that it does not say is absent. */
export type Holder = { readonly user?: string; readonly account?: string; readonly tenant?: string };

/** What a token's own call says of it. */
export type Probe = {
  /** Undefined where no call tells, or where none was answered. */
  readonly isAlive: boolean | undefined;
  readonly holder?: Holder;
  /** The service's own id of the token, where that call tells it. */
  readonly tokenId?: string | undefined;
  /**
   * Of a dead one: the manifest has a name for the answer, `revoked` or `expired`. Without it the service answered a bare 401,
   * which may be about an audience or a gateway as well.
   */
  readonly isNamed?: boolean;
  /** The service knows the token and lets it not ask this (403). */
  readonly mayNotAsk?: boolean;
};

/** Whether its service has a call by which a token tells that it lives. */
export function canProbe(manifest: Manifest, token: Subject): boolean {
  const plan = planned(questionOf(manifest, token));
  return plan.status === 'ok' && mayMake(plan.call, kindOfToken(manifest, token));
}

/** Whether a token still lives, as its own call tells; undefined where nothing could. */
export async function probeLife(parts: CallParts, manifest: Manifest, by: Bearer): Promise<boolean | undefined> {
  return (await probe(parts, manifest, by)).isAlive;
}

/** The same, and whose token it is where it lives. */
export async function probe(parts: CallParts, manifest: Manifest, by: Bearer): Promise<Probe> {
  if (!canProbe(manifest, by.as)) return { isAlive: undefined };
  const heard = await call(parts, { ...questionOf(manifest, by.as), ...by });
  if (heard.ok) {
    disposeAll(heard.secrets);
    return { isAlive: true, holder: holderIn(heard.read), tokenId: tokenIdIn(heard.read) };
  }
  const isRefused = heard.httpStatus === 401 && !heard.isPage;
  const isNamed = heard.cause !== undefined && isDead(heard.cause);
  if (isRefused || isNamed) return { isAlive: false, isNamed };
  return { isAlive: undefined, mayNotAsk: heard.httpStatus === 403 && !heard.isPage };
}

function questionOf(manifest: Manifest, token: Subject): Question {
  return { manifest, operation: 'whoami', kind: kindOfToken(manifest, token).name, target: token };
}

/** The id of the token that made the call, as `whoami` tells it; undefined where it does not. */
export function tokenIdIn({ tokenId }: Read): string | undefined {
  return typeof tokenId === 'string' || typeof tokenId === 'number' ? String(tokenId) : undefined;
}

function holderIn({ user, account, tenant }: Read): Holder {
  const texts = Object.entries({ user, account, tenant }).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(texts) as Holder;
}
