import type { AboutChange } from '../../../protocol/about.ts';
import { asFault } from '../../../protocol/errors.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { Manifest } from '../../../protocol/services/index.ts';
import { release } from '../../access/release.ts';
import type { Held } from '../../backends/backend.ts';
import { disposeSecrets } from '../../backends/secrets.ts';
import type { Entry } from '../../credentials/unlocked/set.ts';
import type { Tombstones } from '../../history/tombstones/tombstones.ts';
import type { EndParts } from '../end-upstream.ts';
import { type KeepParts, putValue, type Value } from '../keep.ts';
import type { Rechecks } from '../recheck.ts';
import type { Aside, RotationBook } from './rotation.ts';

/** What a rotation needs of what is asked of services. */
export type RotateParts = EndParts &
  KeepParts & {
    readonly tombstones: Pick<Tombstones, 'entomb' | 'marks' | 'keys' | 'of'>;
    readonly rechecks: Pick<Rechecks, 'keep'>;
  };

/** One rotation under way, and what its caller has agreed to. */
export type Turn = {
  readonly parts: RotateParts;
  readonly book: RotationBook;
  readonly manifest: Manifest;
  /** The credential, or what the journal knows of it where it was removed meanwhile. */
  readonly entry: Held;
  /** Whose token makes the calls about others. */
  readonly as?: Entry | undefined;
  /** A shorter life is all right. */
  readonly mayBeShorter?: boolean;
  /** A person says that the old token is deleted at its service. */
  readonly isSaidDead?: boolean;
  readonly actor?: string | undefined;
};

/** The same while the credential is held. */
export type TurnOfHeld = Turn & { readonly entry: Entry };

/** The commands that go on and back, in every refusal that leaves a journal. */
export function ways({ id, about }: Pick<Held, 'id' | 'about'>): string {
  const name = about?.label !== undefined && /^[\w.@-]+$/.test(about.label) ? about.label : id;
  return `go on with: keyhold token rotate ${name}, or go back: keyhold token rotate ${name} --undo`;
}

/**
 * Puts a value in the place of `before`, compared in the same turn as it is stored. False where another one stands there, or rests
 * there by another program: that one is newer, and stays.
 */
export async function putOver({ parts, entry }: Turn, value: Value, before: Secret): Promise<boolean> {
  try {
    await putValue(parts, entry, value, before);
    return true;
  } catch (error) {
    if (asFault(error).code === 'denied') return false;
    throw error;
  }
}

/** Which of the two stands in the credential now. */
export async function standsIn({ parts, entry }: Turn, fresh: Aside, old: Aside): Promise<'new' | 'old' | 'another'> {
  const now = parts.credentials.entries.at(entry);
  const held = now && (await release(parts.credentials.values, now, parts.caller, 'call'));
  try {
    if (held?.secret?.equals(fresh.secret)) return 'new';
    return held?.secret?.equals(old.secret) ? 'old' : 'another';
  } finally {
    if (held) disposeSecrets(held);
  }
}

/** What lies aside as what is kept. */
export function restated({ secret, about, expiresAt }: Aside) {
  const { prefix: _, fingerprint: __, oauth: ___, ...change } = about;
  return { secret, about: change as AboutChange, expiresAt };
}
