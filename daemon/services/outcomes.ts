import type { Target } from '../../protocol/credential.ts';
import type { Refusal } from '../../protocol/handler.ts';
import type { Cause, Manifest, Operation } from '../../protocol/services/index.ts';
import type { Status } from '../../protocol/status.ts';
import { fromWire } from '../../protocol/text.ts';
import type { FailureName } from '../upstream/plan.ts';

/** The operations that leave everything as it is: after a failure there is nothing to wonder about. */
const reading: ReadonlySet<Operation> = new Set<Operation>([
  'list',
  'listUser',
  'show',
  'introspect',
  'whoami',
  'usage',
  'audit',
]);

/** What happened, why, and whether the call may have had its effect all the same. */
const texts: Readonly<Record<FailureName, readonly [why: string, mayHaveHappened: boolean]>> = {
  unreachable: ['it cannot be reached', false],
  untrusted: ['its certificate cannot be trusted; nothing was sent', false],
  late: ['it did not answer in time', true],
  cut: ['its answer broke off', true],
  'no-json': ['it answered something else than JSON, such as a page for browsers', true],
  unread: ['its answer says nothing that its interface promises', true],
  'too-long': ['its answer is longer than 1 MiB', true],
  redirected: ['it sends to another place, and a token is not sent there', true],
  unfit: ['the call cannot be made', false],
  fell: ['the child that makes calls ended early', true],
};

const verbs: Readonly<Record<Operation, string>> = {
  login: 'sign in',
  challenge: 'sign in',
  create: 'create a token',
  list: 'list tokens',
  listUser: "list another user's tokens",
  show: 'look at the token',
  revoke: 'revoke',
  revokeSelf: 'revoke',
  refresh: 'refresh',
  rotate: 'rotate',
  introspect: 'look at the token',
  whoami: 'ask whose token it is',
  usage: 'ask for its use',
  audit: 'read its record',
};

/** What somebody hears when a call came to no answer. Nothing was lost here. */
export function failureReply(
  { title }: Manifest,
  operation: Operation,
  failure: FailureName,
  why: string | undefined,
): Refusal {
  const [text, mayHave] = texts[failure];
  const code = why === undefined ? '' : ` (${why})`;
  const effect =
    mayHave && !reading.has(operation)
      ? 'it may have happened there all the same: look with keyhold token list --remote'
      : 'try again later';
  return {
    status: failure === 'unfit' ? 'unsupported' : 'unavailable',
    message: `cannot ${verbs[operation]}: ${title}: ${text}${code}; nothing was lost here; ${effect}`,
  };
}

/** What somebody hears when the service said no. */
export function causeReply({ title }: Manifest, operation: Operation, cause: Cause): Refusal {
  const { outcome, next, retryAfter } = cause;
  const wait = retryAfter === undefined ? '' : `; wait ${retryAfter} s`;
  return {
    status: outcome === 'done' ? 'not-found' : (outcome satisfies Status),
    message: `cannot ${verbs[operation]}: ${title}: ${cause.cause}${next === '' ? '' : `; ${next}`}${wait}`,
  };
}

/** Whether a call that failed like this may have had its effect. */
export function mayHaveHappened(operation: Operation, failure: FailureName): boolean {
  return texts[failure][1] && !reading.has(operation);
}

/** The options by which a command means a service at a place: its server only where the service has not that one of its own. */
export function placeOptions({ id, hosts }: Manifest, { protocol, host }: Pick<Target, 'protocol' | 'host'>): string {
  const isOwn = hosts.some((one) => one.host === host && (one.protocol ?? 'https') === protocol);
  return isOwn ? `--service ${id}` : `--service ${id} --for ${fromWire(`${protocol}://${host}`)}`;
}

/** A refusal of our own, before anything was called. */
export function refused(status: Refusal['status'], operation: Operation, why: string): Refusal {
  return { status, message: `cannot ${verbs[operation]}: ${why}` };
}
