import type { CredentialReply } from '../../../protocol/handler.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import { release } from '../../access/release.ts';
import type { Degradation } from '../../backends/backend.ts';
import { disposeSecrets } from '../../backends/secrets.ts';
import type { Clock } from '../../clock.ts';
import { entryById, notHeld } from '../../credentials/entry-by-id.ts';
import type { CredentialStore } from '../../credentials/held/credential-store.ts';
import { told } from '../asking.ts';
import { refused } from '../outcomes.ts';
import { kindOfToken } from '../planning.ts';
import { type KnownServices, serviceAt, serviceOf } from '../which-service.ts';
import { begin, settle } from './begin.ts';
import { isShorter, livesTold, planDetails, planRotation, type RotationPlan, type RotationWish } from './plan.ts';
import { credentialIn, type Rotation, RotationBook, standing } from './rotation.ts';
import { byHandDetails, goOn, isByHand } from './steps.ts';
import type { RotateParts, Turn, TurnOfHeld } from './turn.ts';
import { goBack } from './undo.ts';

/** Which token is rotated, and how. Texts are text for people; `pasted` is borrowed, and `as` the id of the credential that makes the call. */
export type RotateRequest = RotationWish & {
  readonly id: string;
  readonly as: string | undefined;
  readonly scopes: readonly string[] | undefined;
  readonly pasted: Secret | undefined;
  readonly mayBeShorter: boolean;
  /** The person says that the old one was deleted on the service's page. */
  readonly isSaidDead: boolean;
  readonly actor: string | undefined;
  readonly isCheck: boolean;
  readonly isUndone: boolean;
};

/** What rotations share: where their journals lie, and the credentials. */
export type RotationsParts = {
  readonly credentials: Pick<CredentialStore, 'entries' | 'lifecycle' | 'own'>;
  readonly clock: Clock;
  readonly keep: SecretKeeper;
};

/**
 * Puts a new token in the place of an old one, under the same label: the new one is made, proved, swapped in, and only then is
 * the old one revoked and shown to be dead. Each step stands in a journal first, so that it goes on from there, or back, whatever
 * dies in between. To ask again goes on; `undo=1` goes back; `check=1` only tells.
 */
export class Rotations {
  readonly #credentials: RotationsParts['credentials'];
  readonly #book: RotationBook;
  /** By the id of the credential: two at a time would each make one. */
  readonly #running = new Set<string>();

  constructor({ credentials, clock, keep }: RotationsParts) {
    this.#credentials = credentials;
    this.#book = new RotationBook(credentials.own, clock, keep);
  }

  async answer(asked: RotateRequest, parts: RotateParts & KnownServices): Promise<CredentialReply> {
    const { id } = asked;
    await this.#credentials.lifecycle.ready();
    if (this.#running.has(id)) return refused('unavailable', 'rotate', 'it is being rotated right now; try again soon');
    this.#running.add(id);
    try {
      return await this.#answer(asked, parts);
    } finally {
      this.#running.delete(id);
    }
  }

  /** Rotations that stand somewhere between. */
  degradations(): Degradation[] {
    if (this.#credentials.lifecycle.state !== 'open') return [];
    const open = this.#book.all().filter(({ credential }) => !this.#running.has(credential));
    return open.map((rotation) => ({
      code: 'rotation-open',
      what: `a rotation has not ended (${rotation.credential}): ${standing(rotation)}`,
      remedy: `run: keyhold token rotate ${rotation.credential}, or the same with --undo`,
    }));
  }

  async #answer(asked: RotateRequest, parts: RotateParts & KnownServices): Promise<CredentialReply> {
    const { id } = asked;
    const rotation = this.#book.of(id);
    const held = this.#credentials.entries.byId(id);
    const entry = held ?? (rotation && credentialIn(rotation));
    if (!entry) throw notHeld('rotate');
    const turn: Turn = {
      parts,
      book: this.#book,
      manifest: rotation ? serviceAt(parts, rotation.target, rotation.service) : serviceOf(parts, entry),
      entry,
      as: asked.as === undefined ? undefined : entryById(parts.credentials.entries, asked.as, 'find the token', 'as'),
      mayBeShorter: asked.mayBeShorter,
      isSaidDead: asked.isSaidDead,
      actor: asked.actor,
    };
    if (asked.isUndone) return this.#undo(turn, rotation);
    if (asked.isCheck && rotation) return openReply(turn, rotation);
    if (!held) {
      const rule = 'the token was removed meanwhile; take back what is left of it';
      return refused('not-found', 'rotate', `${rule}: keyhold token rotate ${id} --undo`);
    }
    const turnOfHeld = { ...turn, entry: held };
    return rotation ? this.#again(turnOfHeld, rotation, asked) : this.#anew(turnOfHeld, asked);
  }

  async #anew(turn: TurnOfHeld, asked: RotateRequest): Promise<CredentialReply> {
    const { entry, manifest } = turn;
    if (entry.about?.oauth) {
      return refused('unsupported', 'rotate', 'it belongs to a login, which is refreshed: keyhold token refresh');
    }
    if (!entry.resting) {
      return refused('unsupported', 'rotate', 'it lives in memory only: make another, keyhold token create');
    }
    const plan = planRotation(manifest, kindOfToken(manifest, entry), entry, asked);
    if ('refusal' in plan) return plan.refusal;
    if (asked.isCheck) return { status: 'ok', details: planDetails(plan) };
    const { pasted, scopes, limit } = asked;
    const refusal = this.#whyNot(turn, plan, pasted !== undefined) ?? (pasted && (await whyNotThis(turn, pasted)));
    if (refusal) return refusal;
    const begun = await begin(turn, { plan, scopes, limit, pasted });
    return 'status' in begun ? begun : goOn(turn, begun);
  }

  #whyNot(turn: TurnOfHeld, { way, why, page, label, oldLife, newLife }: RotationPlan, isPasted: boolean) {
    if (way === 'page' && !isPasted) {
      const where = page === undefined ? '' : `: make a token named ${label} on ${page}, then`;
      return refused(
        'interaction-required',
        'rotate',
        `${why}${where} paste it: keyhold token rotate ${turn.entry.id}`,
      );
    }
    // What cannot be taken back is agreed to before.
    if (way !== 'trade' || turn.mayBeShorter || !isShorter(oldLife, newLife)) return undefined;
    const rule = 'the new token would live shorter than the old one, which dies at once; nobody has agreed to that';
    return { ...refused('interaction-required', 'rotate', rule), details: livesTold(oldLife, newLife) };
  }

  /** What an earlier run has left goes on; where nothing came of it, it begins again. */
  async #again(turn: TurnOfHeld, rotation: Rotation, asked: RotateRequest): Promise<CredentialReply> {
    const hasNew = (await this.#book.value('rotation-new', rotation.credential)) !== undefined;
    // The old one is dead, or the new one is there; without either, an undo had all but ended.
    if (hasNew || rotation.step === 'revoked') return goOn(turn, rotation);
    const unsettled = rotation.step === 'asked' ? await settle(turn, rotation) : undefined;
    if (unsettled) return unsettled;
    await this.#book.close(rotation.credential);
    return this.#anew(turn, asked);
  }

  async #undo(turn: Turn, rotation: Rotation | undefined): Promise<CredentialReply> {
    if (!rotation) return refused('not-found', 'rotate', 'no rotation of it has begun, so there is none to undo');
    if (await this.#hasNew(rotation)) return goBack(turn, rotation);
    const unsettled = await settle(turn, rotation);
    if (unsettled) return unsettled;
    await this.#book.close(rotation.credential);
    return { status: 'ok', ids: [rotation.credential], details: [['step', 'undone']] };
  }

  /** Whether the new value is there: it is kept before the journal says so. */
  async #hasNew({ credential, step }: Rotation): Promise<boolean> {
    return step !== 'asked' || (await this.#book.value('rotation-new', credential)) !== undefined;
  }
}

function openReply(turn: Turn, rotation: Rotation): CredentialReply {
  // The old token is not to be deleted while the new one is not proved.
  const isProved = turn.entry.about?.unverified === undefined;
  const hand = rotation.step === 'swapped' && isProved && isByHand(turn) ? byHandDetails(turn.manifest) : undefined;
  return {
    status: 'ok',
    details: [
      ['way', rotation.way],
      ['step', hand ? 'by-hand' : rotation.step],
      ...told('stands', standing(rotation)),
      ...told('began_at', Math.floor(rotation.beganAt)),
      ...(hand ?? []),
    ],
  };
}

/** A pasted value that is the old one, or known to be dead, is no new one. */
async function whyNotThis({ parts, entry }: TurnOfHeld, pasted: Secret): Promise<CredentialReply | undefined> {
  const { tombstones } = parts;
  const held = await release(parts.credentials.values, entry, parts.caller, 'call');
  try {
    if (held?.secret?.equals(pasted)) {
      return refused('bad-request', 'rotate', 'that is the token that is held already');
    }
  } finally {
    if (held) disposeSecrets(held);
  }
  const marks = await tombstones.marks.marksOf(pasted, entry, entry.about, tombstones.keys());
  return tombstones.of(marks) ? refused('revoked', 'rotate', 'that token was revoked; make a new one') : undefined;
}
