import type { Seconds } from '../../protocol/credential.ts';
import type { Grant } from '../../protocol/grant.ts';
import type { Refusal } from '../../protocol/handler.ts';
import { fromWire } from '../../protocol/text.ts';
import type { Degradation, Held } from '../backends/backend.ts';
import { IoDeadline } from '../io-deadline.ts';
import type { OAuthReply } from './oauth-plan.ts';

/** What an answer of the provider means for a family. */
export type Verdict =
  | {
      readonly kind: 'given';
      readonly expiresIn?: unknown;
      readonly scopes?: readonly string[] | undefined;
      readonly subject?: string | undefined;
    }
  /** The provider has not taken the refresh token: it is good as before. */
  | {
      readonly kind: 'later';
      readonly why: 'down' | 'busy' | 'refused-client' | 'unfit';
      readonly retryAfter?: Seconds | undefined;
    }
  /** There is no further refresh. */
  | { readonly kind: 'ended'; readonly why: 'refused' | 'other-subject' }
  /** It may have taken the refresh token, and what it gave for it is lost. */
  | { readonly kind: 'unknown' };

export type RefreshOutcome = { readonly status: 'refreshed' } | { readonly status: 'failed'; readonly reply: Refusal };

/**
 * Judges an answer. Only the provider's own `invalid_grant` ends a family. What may have been heard and was not answered whole
 * is `unknown`, unless the provider is known to leave refresh tokens as they are.
 */
export function verdictOf(reply: OAuthReply, grant: Grant): Verdict {
  if ('oauth' in reply) {
    const { expiresIn, scopes, subject } = reply.oauth;
    const isOther = grant.subject !== undefined && subject !== undefined && subject !== grant.subject;
    return isOther ? { kind: 'ended', why: 'other-subject' } : { kind: 'given', expiresIn, scopes, subject };
  }
  if ('error' in reply) {
    const { error, status, retryAfter } = reply;
    if (error === 'invalid_grant' && status < 500) return { kind: 'ended', why: 'refused' };
    if (status === 429) return { kind: 'later', why: 'busy', retryAfter };
    return {
      kind: 'later',
      why: status >= 500 || error === 'temporarily_unavailable' ? 'down' : 'refused-client',
      retryAfter,
    };
  }
  switch (reply.failure) {
    case 'unreachable':
    case 'untrusted':
      return { kind: 'later', why: 'down' };
    // A page in the place of an answer is no provider's; it has answered nothing.
    case 'no-json':
    case 'redirected':
    case 'unfit':
      return { kind: 'later', why: 'unfit' };
    default:
      return grant.rotates === false ? { kind: 'later', why: 'down' } : { kind: 'unknown' };
  }
}

/** Why nothing can be refreshed any more without somebody; undefined where it can. */
export function stuckOutcome(entry: Held, isUnknown: boolean): RefreshOutcome | undefined {
  const grant = entry.about?.oauth;
  if (!grant) return { status: 'failed', ...outcomeOf(entry, 'refused') };
  if (grant.ended) return { status: 'failed', ...outcomeOf(entry, grant.ended) };
  return isUnknown ? { status: 'failed', ...outcomeOf(entry, 'unknown') } : undefined;
}

type Why =
  | 'refused'
  | 'other-subject'
  | 'unknown'
  | 'unfit-token'
  | 'waiting'
  | Extract<Verdict, { kind: 'later' }>['why'];

/** What is told of a refresh that brought nothing: what, why, and what to do. */
export function outcomeOf(entry: Held, why: Why, seconds: Seconds = 0, what = ''): { readonly reply: Refusal } {
  const login = `run: ${loginCommand(entry)}`;
  const soon = `it is tried again in ${Math.ceil(seconds)} s; the login is kept`;
  const texts: Record<Why, string> = {
    refused: `the provider no longer accepts the login: it has ended, was revoked, or was used elsewhere; ${login}`,
    'other-subject': `the provider answered with a token of another person, which is not kept; ${login}`,
    unknown: `a refresh was cut off, and it is not known what the provider did; ${login}`,
    'unfit-token': `the provider answered a token that cannot be kept (${what}); the one until now is kept; ${
      seconds > 0 ? `it is tried again in ${Math.ceil(seconds)} s` : login
    }`,
    waiting: `the provider failed before; ${soon}`,
    down: `the provider does not answer; ${soon}`,
    busy: `the provider wants to be asked less often; ${soon}`,
    'refused-client': `the provider refused the request, not the login; ${soon}; see: keyhold logs`,
    unfit: `what answered was no provider of tokens; ${soon}`,
  };
  const isForPerson = why === 'refused' || why === 'other-subject' || why === 'unknown';
  return {
    reply: { status: isForPerson ? 'interaction-required' : 'unavailable', message: `cannot refresh: ${texts[why]}` },
  };
}

/** The command that begins a new login in the place of `entry`. */
export function loginCommand({ about, protocol, host }: Held): string {
  const named = about?.service === undefined ? '' : ` --service ${about.service}`;
  const way = about?.oauth?.by === 'client-secret' ? ' --way client' : '';
  return `keyhold auth login${named} --for ${fromWire(protocol)}://${fromWire(host)}${way}`;
}

/** Milliseconds that a get waits for a refresh: longer than that takes at worst by its own deadlines, on a machine at work. */
const REFRESH_WAIT = 40_000;

/** The outcome of a refresh, or that it takes too long. The refresh goes on. */
export async function inTime(refresh: Promise<RefreshOutcome>): Promise<RefreshOutcome> {
  const { promise, resolve } = Promise.withResolvers<RefreshOutcome>();
  const late = { status: 'unavailable', message: 'cannot refresh: the provider takes too long; try again' } as const;
  const timer = new IoDeadline(REFRESH_WAIT, () => resolve({ status: 'failed', reply: late }));
  try {
    return await Promise.race([refresh, promise]);
  } finally {
    timer.clear();
  }
}

/** What a person should see to of a login; undefined where it is well. `isUnknown`: a refresh of it was cut off. */
export function loginDegradation(entry: Held, isUnknown: boolean): Degradation | undefined {
  const { id, about } = entry;
  const remedy = `run: ${loginCommand(entry)}`;
  if (about?.oauth?.ended) {
    return { code: 'login-ended', what: `a login has ended and cannot be refreshed (${id})`, remedy };
  }
  if (!isUnknown) return undefined;
  return { code: 'refresh-unknown', what: `a refresh was cut off: the state of a login is unknown (${id})`, remedy };
}
