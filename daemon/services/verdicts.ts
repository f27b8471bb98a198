import { type Ended, mergeAbout } from '../../protocol/about.ts';
import { asFault } from '../../protocol/errors.ts';
import { type Cause, isDead, type Read } from '../../protocol/services/index.ts';
import type { Clock } from '../clock.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Emit } from '../events/agent-event.ts';
import type { Audit } from '../history/audit/audit.ts';

export type VerdictsParts = {
  readonly credentials: Pick<CredentialStore, 'changes' | 'entries' | 'queue'>;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly audit: Pick<Audit, 'record'>;
};

/** Which value of an entry a call was made with: by the time of the answer another may stand there. */
export type Sight = { readonly fingerprint: string | undefined; readonly round: number | undefined };

/** To be taken before the call. */
export function sightOf({ about }: Entry): Sight {
  return { fingerprint: about?.fingerprint, round: about?.oauth?.round };
}

/**
 * What the cause of a refusal says of the token that made the call: `revoked` or `expired` only where the manifest names that
 * answer so. A bare 401 may be about an audience, a scope or a proxy, and says nothing about the token.
 */
export function endedBy(cause: Cause): Ended['status'] | 'unsaid' {
  return isDead(cause) ? (cause.outcome as Ended['status']) : 'unsaid';
}

/** What an answer about a token itself says of it (`whoami`, `show`, `introspect`, an item of a list). */
export function endedIn(
  { active, expiresAt }: Pick<Read, 'active' | 'expiresAt'>,
  now: number,
): Ended['status'] | undefined {
  if (active !== false) return undefined;
  return typeof expiresAt === 'number' && expiresAt <= now ? 'expired' : 'revoked';
}

/**
 * Remembers what services say of the tokens that are held. A get is not answered with a token whose service has said that it does
 * not take it any more (meant.ts); the token is kept, and a call that the service takes, or another value, clears the mark.
 */
export class Verdicts {
  readonly #parts: VerdictsParts;

  constructor({ credentials, clock, emit, audit }: VerdictsParts) {
    this.#parts = { credentials, clock, emit, audit };
  }

  /**
   * Notes what the answer to a call said of the token of `entry`, which made it or which it was about: `undefined`: the service
   * takes it; `unsaid`: nothing. It never throws: the answer itself is worth more than the note.
   */
  async note(entry: Entry, seen: Sight | undefined, said: Ended['status'] | 'unsaid' | undefined): Promise<void> {
    const { credentials, clock, emit, audit } = this.#parts;
    if (said === 'unsaid' || entry.about?.ended?.status === said) return;
    const isThere = () => {
      const now = credentials.entries.at(entry) === entry ? sightOf(entry) : undefined;
      return now !== undefined && now.fingerprint === seen?.fingerprint && now.round === seen?.round;
    };
    if (!isThere()) return;
    const ended: Ended | undefined = said && { status: said, at: Math.floor(clock.now()) };
    try {
      await credentials.queue.run(entry, async () => {
        if (isThere()) await credentials.changes.annotate(entry, mergeAbout(entry.about, { ended }));
      });
      emit(ended ? { kind: 'ended', id: entry.id, outcome: ended.status } : { kind: 'taken-again', id: entry.id });
      const reason = ended ? 'its service said so' : 'its service takes it again';
      await audit.record({ at: clock.now(), action: 'verdict', outcome: said ?? 'ok', credential: entry.id, reason });
    } catch (error) {
      emit({ kind: 'verdict-failed', id: entry.id, code: asFault(error).code });
    }
  }
}
