import { mergeAbout } from '../protocol/about.ts';
import { documentLine } from '../protocol/document-line.ts';
import type { CredentialReply, CredentialRequest, Detail } from '../protocol/handler.ts';
import { recordsOf } from '../protocol/record-lines.ts';
import type { Secret } from '../protocol/secret.ts';
import { fromWire } from '../protocol/text.ts';
import type { Held, Secrets } from './backends/backend.ts';
import { openBackup } from './backends/backup.ts';
import { copySecrets, disposeSecrets } from './backends/secrets.ts';
import type { Management } from './manage.ts';
import { isBackedUp, isOwn } from './tombstones/own-records.ts';
import type { Entry } from './unlocked/set.ts';

/**
 * What became of a credential of a backup. `same`: it is held with this value already. `replaced`: an older value stood here,
 * which lies in the restore bin now. `kept`: a newer value stands here and stays. `revoked`: its value is known to be dead.
 */
type Outcome = 'taken' | 'same' | 'replaced' | 'kept' | 'revoked';

/**
 * Takes records of a backup back in. Where another value is held for the same target the one stored later stays, unless
 * `takesOlder`; what is replaced goes into the restore bin. What differs is answered, one `differs[]` for each. Throws what
 * `openBackup` and the backend throw; records before the one that failed are restored then.
 */
export async function restore(
  management: Management,
  passphrase: Secret,
  { attributes }: Pick<CredentialRequest, 'attributes'>,
): Promise<CredentialReply> {
  const { custody, keep } = management;
  await custody.ready();
  const takesOlder = attributes.text('older') === '1';
  const backup = await openBackup(passphrase, attributes.text('header') ?? '', keep);
  const items = [];
  const counts: Record<Outcome | 'own', number> = { own: 0, taken: 0, same: 0, replaced: 0, kept: 0, revoked: 0 };
  const differing: Detail[] = [];
  try {
    items.push(...backup.read(recordsOf(attributes.list('record[]'))));
    for (const { held, secrets } of items) {
      if (isOwn(held)) {
        await restoreOwn(held, secrets, management);
        counts.own++;
        continue;
      }
      const heldAt = custody.at(held)?.storedAt;
      const outcome = await restoreOne(held, secrets, takesOlder, management);
      counts[outcome]++;
      if (outcome !== 'taken' && outcome !== 'same') {
        differing.push(['differs[]', documentLine({ ...placeOf(held), storedAt: held.storedAt, heldAt, outcome })]);
      }
    }
  } finally {
    for (const { secrets } of items) disposeSecrets(secrets);
    backup.dispose();
  }
  const { own, taken, same, replaced } = counts;
  return {
    status: 'ok',
    details: [['restored', String(taken + same + replaced)], ['own', String(own)], ...differing],
  };
}

/** A key that is here already stays the one that new marks are made with: what comes is the newest. */
async function restoreOwn(held: Held, secrets: Secrets, { custody, keep, clock }: Management): Promise<void> {
  if (custody.own.has(held) || !isBackedUp(held)) return;
  const { secret } = copySecrets({ secret: secrets.secret }, keep);
  await custody.own.put(secret ? { ...held, storedAt: clock.now() } : held, secret);
}

/** A credential is marked anew: the key of marks here may be another. */
async function restoreOne(
  held: Held,
  secrets: Secrets,
  takesOlder: boolean,
  { custody, tombstones, bin }: Management,
): Promise<Outcome> {
  const { secret } = secrets;
  if (secret) {
    const dead = tombstones.of(await tombstones.marks.marksOf(secret, held, held.about, tombstones.keys()));
    if (dead) return 'revoked';
  }
  const noted = secret && (await tombstones.marks.note(secret, held, held.about, true));
  const restored = { ...held, about: mergeAbout(held.about, noted?.about ?? {}) };
  await custody.settled();
  return custody.inTurn(held, async () => {
    const there = custody.at(held);
    if (there && (await isSameValue(there, secrets, custody))) return 'same';
    if (there && !takesOlder && there.storedAt >= held.storedAt) return 'kept';
    await bin.replacing(there, () => custody.put(restored, secrets, true, undefined));
    return there ? 'replaced' : 'taken';
  });
}

async function isSameValue(
  there: Entry,
  { secret, refreshToken }: Secrets,
  custody: Management['custody'],
): Promise<boolean> {
  const now = await custody.secretsAside(there);
  if (!now) return false;
  try {
    return isEqual(now.secret, secret) && isEqual(now.refreshToken, refreshToken);
  } finally {
    disposeSecrets(now);
  }
}

function isEqual(one: Secret | undefined, other: Secret | undefined): boolean {
  return one === undefined || other === undefined ? one === other : one.equals(other);
}

function placeOf({ id, protocol, host, path, username, about }: Held): Record<string, unknown> {
  const text = (value: string | undefined) => (value === undefined ? undefined : fromWire(value));
  return { id, protocol, host, path: text(path), username: text(username), label: about?.label };
}
