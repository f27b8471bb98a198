import type { Seconds } from '../credential.ts';
import { exitCodeOf } from '../status.ts';
import type { ErrorRule, Manifest, Operation, Outcome } from './manifest.ts';

/** An answer of a service, as far as it helps to find out what it means. */
export type Answer = {
  readonly operation?: Operation;
  readonly status: number;
  /** The service's own code (`error.code`), if it gave one. */
  readonly code?: string | undefined;
  /** Its text, as much as was read. It is looked through and never shown. */
  readonly text?: string;
  /** From `Retry-After`. */
  readonly retryAfter?: Seconds;
};

export type Cause = {
  readonly outcome: Outcome;
  /** What was wrong, in words for people. */
  readonly cause: string;
  readonly next: string;
  readonly exit: number;
  /** What waiting would help, and for how long at least. */
  readonly retryAfter?: Seconds;
};

/** Where a service says to wait and not how long; and the most that is believed. */
const BACK_OFF: Seconds = 30;
const BACK_OFF_MAX: Seconds = 3_600;

/** What an answer means: what the service's catalogue says, else what its status means anywhere. */
export function causeOf(manifest: Pick<Manifest, 'errors'>, answer: Answer): Cause {
  const rule = manifest.errors?.find((one) => holds(one, answer)) ?? generally(answer);
  const retryAfter = answer.status === 429 || answer.status === 503 ? waitOf(answer.retryAfter) : undefined;
  return {
    outcome: rule.outcome,
    cause: rule.cause,
    next: rule.next ?? '',
    exit: rule.outcome === 'done' ? 0 : exitCodeOf(rule.outcome),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  };
}

/**
 * Whether a cause says that the token itself is dead. Only then may something be forgotten: a 403 is about what the
 * token may do, a 5xx about the service, and neither is a reason to lose one.
 */
export function isDead({ outcome }: Cause): boolean {
  return outcome === 'revoked' || outcome === 'expired';
}

function holds(rule: ErrorRule, { operation, status, code, text }: Answer): boolean {
  return (
    (rule.operation === undefined || rule.operation === operation) &&
    (rule.status === undefined || rule.status === status) &&
    (rule.code === undefined || rule.code === code) &&
    (rule.text === undefined || text?.toLowerCase().includes(rule.text.toLowerCase()) === true)
  );
}

function generally({ operation, status }: Answer): ErrorRule {
  const isRevoke = operation === 'revoke' || operation === 'revokeSelf';
  if ((status === 404 || status === 410) && isRevoke) {
    return { cause: 'there is no such token any more', next: 'nothing: it is gone', outcome: 'done' };
  }
  const known = general[status];
  if (known) return known;
  if (status >= 500) return general[500]!;
  return {
    cause: `the service answered ${status}, which it should not`,
    next: 'see: keyhold service show',
    outcome: 'unavailable',
  };
}

const general: Readonly<Record<number, ErrorRule>> = {
  400: {
    cause: 'the service did not understand the request',
    next: 'look at what was asked for; see: keyhold service show',
    outcome: 'bad-request',
  },
  401: {
    cause: 'the service does not accept the token',
    next: 'store a new one: keyhold token set',
    outcome: 'interaction-required',
  },
  402: { cause: 'the plan does not include this', next: 'look at the plan on its page', outcome: 'denied' },
  403: {
    cause: 'the token may not do this; it is kept',
    next: 'use a token with the scope or role that this needs',
    outcome: 'denied',
  },
  404: { cause: 'there is no such thing', next: 'look at the name, id and server', outcome: 'not-found' },
  409: { cause: 'there is one by that name already', next: 'choose another name', outcome: 'bad-request' },
  410: { cause: 'there is no such thing any more', next: 'look at the name, id and server', outcome: 'not-found' },
  422: { cause: 'the service does not take a value', next: 'look at the name and lifetime', outcome: 'bad-request' },
  429: { cause: 'too many requests', next: 'wait; it is tried again later', outcome: 'unavailable' },
  500: { cause: 'the service is at fault', next: 'try again later; nothing was lost', outcome: 'unavailable' },
};

function waitOf(asked: Seconds | undefined): Seconds {
  if (asked === undefined || !(asked >= 0)) return BACK_OFF;
  return Math.min(asked, BACK_OFF_MAX);
}
