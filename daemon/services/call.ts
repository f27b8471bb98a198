import type { Target } from '../../protocol/credential.ts';
import type { Refusal } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { Cause, Manifest, Operation, Read } from '../../protocol/services/index.ts';
import { release } from '../access/release.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Emit } from '../events/agent-event.ts';
import type { Caller } from '../socket/caller.ts';
import type { FailureName, Route, SecretName } from '../upstream/plan.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { causeReply, failureReply, placeOptions, refused } from './outcomes.ts';
import { authPlan, kindOfToken, planned, type Question, type Subject } from './planning.ts';
import { endedBy, sightOf, type Verdicts } from './verdicts.ts';

/** What a call of a service needs. */
export type CallParts = {
  readonly credentials: Pick<CredentialStore, 'entries' | 'leases' | 'values'>;
  readonly upstream: Pick<Upstream, 'run'>;
  /** How services are reached at the moment. Throws where they must not be. */
  readonly route: () => Route;
  readonly verdicts: Pick<Verdicts, 'note'>;
  readonly emit: Emit;
  /** For whom the call is made. */
  readonly caller: Caller;
};

/** What a service said. */
export type Heard =
  | {
      readonly ok: true;
      readonly status: number;
      readonly read: Read;
      readonly items: readonly Read[];
      /** The caller's to dispose of. */
      readonly secrets: ReadonlyMap<SecretName, Secret>;
      /** Secrets that came and cannot be kept, with the reason; see given.ts. */
      readonly unfit?: ReadonlyMap<SecretName, string> | undefined;
      /** Why `read` has no id although the service gave one. */
      readonly unfitId?: string | undefined;
    }
  | {
      readonly ok: false;
      readonly reply: Refusal;
      /** What the service said; absent where it said nothing that could be judged. */
      readonly cause?: Cause;
      readonly httpStatus?: number;
      /** A page came in place of an answer: not the service's word about a token. */
      readonly isPage?: boolean | undefined;
      readonly failure?: FailureName;
    };

/** Whose token makes a call: one that is held, or a value at hand, which need not be held and is borrowed. */
export type Bearer =
  | { readonly as: Entry; readonly token?: undefined }
  | { readonly as: Subject; readonly token: Secret };

/** Without `as` it goes without a token. */
export type Asked = Question &
  (Bearer | { readonly as?: Entry | undefined; readonly token?: undefined }) & {
    readonly secrets?: Readonly<Partial<Record<SecretName, Secret>>>;
    /** Milliseconds after which the call is given up, where the configured time is longer. */
    readonly atMost?: number | undefined;
  };

/** Makes one call. What goes wrong is told in the answer's `reply`, and nothing is thrown for it. */
export async function call(parts: CallParts, asked: Asked): Promise<Heard> {
  const { manifest, operation, as, token, secrets = {} } = asked;
  const entry = asked.token === undefined ? asked.as : undefined;
  const plan = planned(asked);
  if (plan.status !== 'ok') return { ok: false, reply: refused(plan.status, operation, plan.why) };
  const auth = as && authPlan(manifest, kindOfToken(manifest, as));
  if (as && !auth) {
    return {
      ok: false,
      reply: refused('unsupported', operation, `${manifest.title} does not speak HTTP with its tokens`),
    };
  }
  // Without a token the service would refuse, in words about a token that was never sent.
  if (!as && !isOpen(operation, secrets)) return { ok: false, reply: signInFirst(manifest, operation, asked.target) };
  const route = parts.route();
  const seen = entry && sightOf(entry);
  const held = entry && (await release(parts.credentials.values, entry, parts.caller, 'call'));
  const secret = token ?? held?.secret;
  try {
    if (as && !secret) return { ok: false, reply: refused('not-found', operation, 'the token that it needs is gone') };
    const deadline = Math.min(route.deadline, asked.atMost ?? route.deadline);
    const whole = { ...plan.plan, ...route, deadline, ...(auth && { auth }) };
    const answer = await parts.upstream.run('call', whole, { ...secrets, ...(secret && { token: secret }) });
    const { reply } = answer;
    if ('failure' in reply) {
      note(parts, manifest, operation, reply.failure);
      const text = failureReply(manifest, operation, reply.failure, reply.why);
      return { ok: false, reply: text, failure: reply.failure };
    }
    note(parts, manifest, operation, String(reply.status));
    if (reply.cause) {
      const text = causeReply(manifest, operation, reply.cause);
      if (entry) await parts.verdicts.note(entry, seen, endedBy(reply.cause));
      return { ok: false, reply: text, cause: reply.cause, httpStatus: reply.status, isPage: reply.isPage };
    }
    if (entry) {
      await parts.verdicts.note(entry, seen, undefined);
      noteUse(parts, entry);
    }
    const { status, read, unfitId, items = [] } = reply;
    return { ok: true, status, read, unfitId, items, secrets: answer.secrets, unfit: answer.unfit };
  } finally {
    if (held) disposeSecrets(held);
  }
}

function noteUse({ credentials }: CallParts, entry: Entry): void {
  if (credentials.entries.at(entry) === entry && entry.lease) credentials.leases.touch(entry);
}

function note({ emit }: CallParts, { id: service }: Manifest, operation: Operation, outcome: string): void {
  emit({ kind: 'upstream', service, operation, outcome });
}

/** Whether a call brings its own secret: a password, a code, a refresh token. Every other is made by a token. */
function isOpen(operation: Operation, { refreshToken }: NonNullable<Asked['secrets']>): boolean {
  return operation === 'login' || operation === 'challenge' || refreshToken !== undefined;
}

function signInFirst(manifest: Manifest, operation: Operation, target: Target): Refusal {
  const how = `sign in: keyhold auth login ${placeOptions(manifest, target)}`;
  const why = `no token of ${manifest.title} that may do this is held for that place; ${how}`;
  return refused('interaction-required', operation, why);
}

/** Wipes what an answer brought and nobody keeps. */
export function disposeAll(secrets: ReadonlyMap<string, Secret>): void {
  for (const secret of secrets.values()) secret.dispose();
}
