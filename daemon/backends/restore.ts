import { mergeAbout } from '../../protocol/about.ts';
import { documentLine } from '../../protocol/document-line.ts';
import type { CredentialReply, Detail } from '../../protocol/handler.ts';
import { recordsOf } from '../../protocol/record-lines.ts';
import type { Secret } from '../../protocol/secret.ts';
import { release } from '../access/release.ts';
import type { Parts } from '../actions/parts.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { isBackedUp, isOwn } from '../history/tombstones/own-records.ts';
import { Slices } from '../slices.ts';
import type { Caller } from '../socket/caller.ts';
import type { Held, Secrets } from './backend.ts';
import { type BackupItem, type OpenBackup, openBackup } from './backup.ts';
import { placeOf } from './named.ts';
import { copySecrets, disposeSecrets } from './secrets.ts';

/** Records that are restored together. */
const TOGETHER = 32;
/** Milliseconds that the key of a backup is kept for its next records. */
const KEPT_OPEN = 30_000;

/**
 * What became of a credential of a backup. `same`: it is held with this value already. `replaced`: an older value stood here,
 * which lies in the restore bin now. `kept`: a newer value stands here and stays. `revoked`: its value is known to be dead.
 */
type Outcome = 'taken' | 'same' | 'replaced' | 'kept' | 'revoked';

/** What a restore needs. */
type Restoring = Pick<Parts, 'credentials' | 'keep' | 'clock' | 'tombstones' | 'bin'>;

export type RestoreRequest = {
  readonly passphrase: Secret;
  /** The first line of the backup. */
  readonly header: string;
  /** Its records, in lines of the wire (record-lines.ts). */
  readonly lines: readonly string[];
  /** Take a value of the backup where a newer one is held. */
  readonly takesOlder: boolean;
};

/**
 * Takes records of a backup back in. Where another value is held for the same target the one stored later stays, unless
 * `takesOlder`; what is replaced goes into the restore bin. What differs is answered, one `differs[]` for each. Throws what
 * `openBackup` and the backend throw; records before the one that failed are restored then.
 */
export async function restore(
  parts: Restoring,
  { passphrase, header, lines, takesOlder }: RestoreRequest,
  caller: Caller,
): Promise<CredentialReply> {
  const { credentials } = parts;
  await credentials.lifecycle.ready();
  const backup = await openedBackup(parts, passphrase, header);
  const items: BackupItem[] = [];
  const counts: Record<Outcome | 'own', number> = { own: 0, taken: 0, same: 0, replaced: 0, kept: 0, revoked: 0 };
  const differing: Detail[] = [];
  try {
    const slices = new Slices();
    const records = recordsOf(lines);
    for (let at = 0; at < records.length; at += TOGETHER) {
      items.push(...backup.read(records.slice(at, at + TOGETHER)));
      if (slices.isOver) await slices.next();
    }
    for (const { held, secrets } of items.filter((item) => isOwn(item.held))) {
      await restoreOwn(held, secrets, parts);
      counts.own++;
    }
    const others = items.filter(({ held }) => !isOwn(held));
    for (let at = 0; at < others.length; at += TOGETHER) {
      // Together: the vault waits for the disk once for all of them.
      const some = others.slice(at, at + TOGETHER);
      const ended = await Promise.allSettled(
        some.map(async ({ held, secrets }) => {
          const heldAt = credentials.entries.at(held)?.storedAt;
          const outcome = await restoreOne(held, secrets, takesOlder, parts, caller);
          counts[outcome]++;
          if (outcome !== 'taken' && outcome !== 'same') {
            differing.push(['differs[]', documentLine({ ...placeOf(held), storedAt: held.storedAt, heldAt, outcome })]);
          }
        }),
      );
      const failed = ended.find((one) => one.status === 'rejected');
      if (failed) throw failed.reason;
      await slices.next();
    }
  } finally {
    for (const { secrets } of items) disposeSecrets(secrets);
  }
  const { own, taken, same, replaced } = counts;
  return {
    status: 'ok',
    details: [['restored', String(taken + same + replaced)], ['own', String(own)], ...differing],
  };
}

type Opened = {
  readonly header: string;
  readonly passphrase: Secret;
  readonly backup: OpenBackup;
  timer: NodeJS.Timeout;
};
/** The backup that each agent is restoring: it comes in many requests, and its passphrase costs a second. */
const opened = new WeakMap<Restoring['credentials'], Opened>();

/** The backup of a header; the one that a request before this one opened with the same passphrase is used again. */
async function openedBackup({ credentials, keep }: Restoring, passphrase: Secret, header: string): Promise<OpenBackup> {
  const before = opened.get(credentials);
  if (before?.header === header && before.passphrase.equals(passphrase)) {
    before.timer.refresh();
    before.backup.again();
    return before.backup;
  }
  const backup = await openBackup(passphrase, header, keep);
  forget(credentials);
  const copy = copySecrets({ secret: passphrase }, keep).secret!;
  const timer = setTimeout(() => forget(credentials), KEPT_OPEN).unref();
  opened.set(credentials, { header, passphrase: copy, backup, timer });
  return backup;
}

function forget(credentials: Restoring['credentials']): void {
  const one = opened.get(credentials);
  if (!one) return;
  opened.delete(credentials);
  clearTimeout(one.timer);
  one.passphrase.dispose();
  one.backup.dispose();
}

/** A key that is here already stays the one that new marks are made with: what comes is the newest. */
async function restoreOwn(held: Held, secrets: Secrets, { credentials, keep, clock }: Restoring): Promise<void> {
  if (credentials.own.has(held) || !isBackedUp(held)) return;
  const { secret } = copySecrets({ secret: secrets.secret }, keep);
  await credentials.own.put(secret ? { ...held, storedAt: clock.now() } : held, secret);
}

/** A credential is marked anew: the key of marks here may be another. */
async function restoreOne(
  held: Held,
  secrets: Secrets,
  takesOlder: boolean,
  { credentials, tombstones, bin }: Restoring,
  caller: Caller,
): Promise<Outcome> {
  const { secret } = secrets;
  if (secret) {
    const dead = tombstones.of(await tombstones.marks.marksOf(secret, held, held.about, tombstones.keys()));
    if (dead) return 'revoked';
  }
  const noted = secret && (await tombstones.marks.note(secret, held, held.about, true));
  const restored = { ...held, about: mergeAbout(held.about, noted?.about ?? {}) };
  await credentials.lifecycle.settled();
  return credentials.queue.run(held, async () => {
    const there = credentials.entries.at(held);
    if (there && (await isSameValue(there, secrets, credentials, caller))) return 'same';
    if (there && !takesOlder && there.storedAt >= held.storedAt) return 'kept';
    await bin.replacing(there, () => credentials.changes.put(restored, secrets));
    return there ? 'replaced' : 'taken';
  });
}

async function isSameValue(
  there: Entry,
  { secret, refreshToken }: Secrets,
  credentials: Restoring['credentials'],
  caller: Caller,
): Promise<boolean> {
  const now = await release(credentials.values, there, caller, 'compare');
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
