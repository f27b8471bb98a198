import type { AboutChange } from '../../../protocol/about.ts';
import { asFault } from '../../../protocol/errors.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { Manifest } from '../../../protocol/services/index.ts';
import { release } from '../../access/release.ts';
import { disposeSecrets } from '../../backends/secrets.ts';
import type { Entry } from '../../credentials/unlocked/set.ts';
import { putValue, type Value } from '../keep.ts';
import type { RequestParts } from '../parts.ts';
import type { Aside, RotationBook } from './rotation.ts';

/** One rotation under way, and what its caller has agreed to. */
export type Turn = {
  readonly parts: RequestParts;
  readonly book: RotationBook;
  readonly manifest: Manifest;
  readonly entry: Entry;
  /** Whose token makes the calls about others. */
  readonly as?: Entry | undefined;
  /** A shorter life is all right. */
  readonly mayBeShorter?: boolean;
  /** A person says that the old token is deleted at its service. */
  readonly isSaidDead?: boolean;
  readonly actor?: string | undefined;
};

/** The commands that go on and back, in every refusal that leaves a journal. */
export function ways({ id, about }: Pick<Entry, 'id' | 'about'>): string {
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
  const held = await release(parts.credentials.values, entry, parts.caller, 'call');
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
