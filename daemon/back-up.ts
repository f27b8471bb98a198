import { documentLine } from '../protocol/document-line.ts';
import { KeyholdError } from '../protocol/errors.ts';
import type { CredentialReply, Detail } from '../protocol/handler.ts';
import { linesOfRecord } from '../protocol/record-lines.ts';
import type { Secret } from '../protocol/secret.ts';
import { fromWire } from '../protocol/text.ts';
import { release } from './access/release.ts';
import type { Parts } from './actions/parts.ts';
import { type Held, heldOf, type Secrets } from './backends/backend.ts';
import { sealBackup } from './backends/backup.ts';
import { copySecrets, disposeSecrets } from './backends/secrets.ts';
import { Slices } from './slices.ts';
import type { Caller } from './socket/caller.ts';
import { isBackedUp } from './tombstones/own-records.ts';

/**
 * Everything held, sealed by a passphrase: a header and records. It works in slices, and gets are answered in between. A
 * credential whose record is damaged is left out and answered as `damaged[]`. Throws what the backend throws, and `locked`.
 */
export async function backUp(
  { custody, keep, backupCost }: Pick<Parts, 'custody' | 'keep' | 'backupCost'>,
  passphrase: Secret,
  caller: Caller,
): Promise<CredentialReply> {
  await custody.ready();
  const slices = new Slices();
  const items: { held: Held; secrets: Secrets }[] = [];
  const damaged: Detail[] = [];
  try {
    // First, so that what is restored is marked by the key that it was marked with. A dead token's value goes into no backup:
    // it could not be deleted there when its time has come.
    for (const held of custody.own.all()) {
      if (!isBackedUp(held)) continue;
      const secret = await custody.own.secretOf(held);
      items.push({ held, secrets: copySecrets({ secret }, keep) });
      if (slices.isOver) await slices.next();
    }
    const entries = [...custody.held()];
    for (const [index, entry] of entries.entries()) {
      try {
        // Aside: what is read for a backup does not stay in memory.
        const secrets = await release(custody, entry, caller, 'backup');
        if (secrets) items.push({ held: heldOf(entry), secrets });
      } catch (error) {
        if (!(error instanceof KeyholdError) || error.code !== 'vault_corrupt') throw error;
        damaged.push(['damaged[]', documentLine(placeOf(entry))]);
      }
      if (!slices.isOver) continue;
      custody.report({ what: 'backup', done: index, total: entries.length });
      await slices.next();
    }
    // What was locked away meanwhile would be missing, and nobody would know.
    custody.refuseLocked('back up');
    const { header, records } = await sealBackup(passphrase, items, backupCost);
    const lines: Detail[] = [];
    for (const record of records) {
      for (const line of linesOfRecord(record)) lines.push(['record[]', line]);
      if (slices.isOver) await slices.next();
    }
    return { status: 'ok', details: [['header', header], ...damaged, ...lines] };
  } finally {
    custody.report(undefined);
    for (const { secrets } of items) disposeSecrets(secrets);
  }
}

/** What people know a credential by. */
export function placeOf({ id, protocol, host, path, username, about }: Held): Record<string, unknown> {
  const text = (value: string | undefined) => (value === undefined ? undefined : fromWire(value));
  return { id, protocol, host, path: text(path), username: text(username), label: about?.label };
}
