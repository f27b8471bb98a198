import type { Target } from '../../protocol/credential.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import { kindOf } from '../../protocol/services/index.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import { refusalOf } from '../history/tombstones/tombstone.ts';
import type { Tombstones } from '../history/tombstones/tombstones.ts';
import { item, told } from './asking.ts';
import { type CallParts, call, disposeAll, type Heard } from './call.ts';
import { refused } from './outcomes.ts';
import { canProbe } from './probe.ts';
import { normal } from './remote-show.ts';
import { unheldAt } from './unheld.ts';
import { type KnownServices, serviceAt } from './which-service.ts';

/** What asking about a token needs that is not held. */
export type VerifyParts = CallParts &
  KnownServices & {
    readonly credentials: Pick<CredentialStore, 'lifecycle'>;
    readonly tombstones: Pick<Tombstones, 'marks' | 'keys' | 'of'>;
  };

/** Milliseconds that a service gets to answer: a person waits, and without an answer the token is kept with a warning. */
const ANSWER = 8_000;

/** The token to ask about, and where. The secret is borrowed. */
export type VerifyRequest = {
  readonly place: Target;
  readonly service: string | undefined;
  readonly kind: string | undefined;
  readonly secret: Secret | undefined;
};

/**
 * Asks a service whose a token is that is not held yet, so that a bad one does not take the place of a good one. Nothing is kept.
 * `ok` with an item: it is taken, and what the service says of it. `ok` without: the service knows it, and lets it not ask.
 * `revoked`, `expired` and `interaction-required`: it is refused for certain. `unavailable`: the service gave no answer to go by.
 * `unsupported`: it has no such call.
 */
export async function verify(
  parts: VerifyParts,
  { place, service, secret, ...asked }: VerifyRequest,
): Promise<CredentialReply> {
  await parts.credentials.lifecycle.ready();
  const manifest = serviceAt(parts, place, service);
  if (!secret) return refused('bad-request', 'whoami', 'there is no token to ask about');
  const kind = kindOf(manifest, asked.kind) ?? manifest.kinds[0]!;
  const stranger = unheldAt(manifest, place, kind.name);
  // What is known to be revoked is not sent again.
  const { tombstones } = parts;
  const marks = await tombstones.marks.marksOf(secret, place, stranger.about, tombstones.keys());
  const tombstone = tombstones.of(marks);
  if (tombstone) return refusalOf(tombstone);
  if (!canProbe(manifest, stranger)) {
    return refused('unsupported', 'whoami', `${manifest.title} has no call by which such a token tells whose it is`);
  }
  const question = { manifest, operation: 'whoami', kind: kind.name, target: place, atMost: ANSWER } as const;
  const heard = await call(parts, { ...question, as: stranger, token: secret });
  if (heard.ok) {
    disposeAll(heard.secrets);
    return { status: 'ok', details: [item({ operation: 'whoami', answer: normal(heard.read) })] };
  }
  const { reply } = heard;
  const isDead = reply.status === 'revoked' || reply.status === 'expired';
  if (isRefusal(heard)) return isDead ? reply : { ...reply, status: 'interaction-required' };
  // It may not ask this, and so the service knows it: a reason to lose no token.
  if (heard.httpStatus === 403) return { status: 'ok', details: told('note', reply.message) };
  return { ...reply, status: reply.status === 'unsupported' ? 'unsupported' : 'unavailable' };
}

/** Whether a service said for certain that it does not take a token: by its status, or by what its manifest calls so. */
export function isRefusal(heard: Extract<Heard, { ok: false }>): boolean {
  if (heard.httpStatus === 429 || (heard.httpStatus ?? 0) >= 500) return false;
  const outcome = heard.cause?.outcome;
  return heard.httpStatus === 401 || outcome === 'revoked' || outcome === 'expired';
}
