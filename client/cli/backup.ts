import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { isContinued } from '../../protocol/record-lines.ts';
import type { Secret } from '../../protocol/secret.ts';
import { printable } from '../../protocol/text.ts';
import { dial } from '../dial.ts';
import { ask, detail, documents, withAgent } from './agent.ts';
import { BackupFile, type Output, writeWhole } from './backup-file.ts';
import { askYesNo, canAsk, confirm } from './confirm.ts';
import { CommandFailure } from './failure.ts';
import { remark, show } from './page.ts';
import { ProgressBar } from './progress.ts';
import { addSecretOptions, readSecret, type SecretOptions } from './secret-input.ts';
import { localTime } from './status.ts';
import { addDestructiveVerb, addVerb, type DestructiveOptions } from './verb.ts';

/** Milliseconds for everything that is held: a key from a passphrase, and thousands of records. */
const LONG = 600_000;
/** A request takes 1,024 lines and 1 MiB; these leave room for its other lines. */
const BATCH_LINES = 900;
const BATCH_BYTES = 900_000;

/**
 * `keyhold backup FILE` and `keyhold restore FILE`. The file is text: a header line, then one sealed record a line, each
 * as the agent gave it.
 */
export function addBackup(program: Command): void {
  addSecretOptions(
    addDestructiveVerb(program, 'backup <file>', 'everything held, sealed by a passphrase'),
    'the passphrase',
  ).action(backup);
  addSecretOptions(addVerb(program, 'restore <file>', 'take a backup back in'), 'the passphrase')
    .option('--older', 'put values of the backup also in the place of newer ones, without asking')
    .action(restore);
}

async function backup(file: string, options: SecretOptions & DestructiveOptions): Promise<void> {
  const overwrite = existsSync(file);
  if (overwrite) await confirm(printable(`Overwrite ${file}?`), options);
  const passphrase = await readSecret(options, 'the passphrase', true);
  let made: Made;
  try {
    made = await writeWhole(file, overwrite, (out) => fetchBackup(passphrase, out));
  } finally {
    passphrase.dispose();
  }
  const { records, damaged, more } = made;
  for (const one of damaged) remark(`Left out, its record is damaged: ${placeIn(one)}. Store it anew.`);
  if (more > 0) remark(`Left out, their records are damaged: ${more} more.`);
  const leftOut = damaged.length > 0 && { damaged, ...(more > 0 && { damagedMore: more }) };
  show(options.json, { file, records, ...leftOut }, (page) =>
    page
      .line(
        `Wrote ${records} sealed ${records === 1 ? 'record' : 'records'}, opened by that passphrase and by nothing else.`,
      )
      .verbatim(file),
  );
}

/** How people name a credential of an answer. */
function placeIn({ protocol, host, path, username }: Record<string, unknown>): string {
  const who = typeof username === 'string' ? `${username}@` : '';
  return printable(`${protocol}://${who}${host}${typeof path === 'string' ? `/${path}` : ''}`);
}

type Made = {
  readonly records: number;
  readonly damaged: readonly Record<string, unknown>[];
  /** Damaged ones that the agent did not name. */
  readonly more: number;
};

/** Asks for a backup page by page and writes its lines. A header begins the file, also anew: then what came before is dropped. */
async function fetchBackup(passphrase: Secret, out: Output): Promise<Made> {
  const damaged: Record<string, unknown>[] = [];
  let [records, more] = [0, 0];
  let isBegun = false;
  using agent = await dial({ deadline: LONG, autostart: true });
  using bar = new ProgressBar('backup');
  let attributes: Record<string, string | Secret> = { passphrase, paged: '1' };
  for (;;) {
    const { details } = await ask(agent, 'backup', { attributes });
    const header = detail(details, 'header');
    if (header !== undefined) {
      out.begin(`${header}\n`);
      records = 0;
      isBegun = true;
    }
    if (!isBegun) throw new CommandFailure(1, 'cannot back up: the agent gave no header');
    const lines = (details ?? []).filter(([key]) => key === 'record[]').map(([, line]) => line);
    out.write(lines.map((line) => `${line}\n`).join(''));
    records += lines.filter((line) => !isContinued(line)).length;
    damaged.push(...documents(details, 'damaged[]'));
    more += Number(detail(details, 'damaged_more') ?? 0);
    const [handle, left] = [detail(details, 'backup'), Number(detail(details, 'left') ?? 0)];
    // An agent of version 0.1 answers everything at once.
    if (handle === undefined || left === 0) return { records, damaged, more };
    bar.show(records, records + left);
    attributes = { backup: handle };
  }
}

type RestoreOptions = SecretOptions & { readonly older?: boolean };

/** A credential of the backup for whose place another value is held. */
type Difference = {
  readonly protocol: string;
  readonly host: string;
  readonly path?: string;
  readonly username?: string;
  readonly label?: string;
  readonly storedAt: number;
  readonly heldAt?: number;
  /** `kept`: the newer one that is held stays. */
  readonly outcome: 'kept' | 'replaced' | 'revoked';
};

async function restore(file: string, options: RestoreOptions): Promise<void> {
  using source = new BackupFile(file);
  const { records } = source;
  const passphrase = await readSecret(options, 'the passphrase');
  let done: Restored;
  try {
    done = await restoreAll(passphrase, source, options.older === true);
    const kept = done.differs.filter(({ outcome }) => outcome === 'kept');
    if (kept.length > 0 && (await mayReplaceNewer(kept, options))) {
      const again = await restoreAll(passphrase, source, true);
      const before = done.differs.filter(({ outcome }) => outcome === 'replaced');
      done = { ...again, differs: [...before, ...again.differs] };
    }
  } finally {
    passphrase.dispose();
  }
  const { own, differs } = done;
  const restored = records - own - differs.filter(({ outcome }) => outcome !== 'replaced').length;
  show(options.json, { file, restored, differs }, (page) => {
    page.line(`Restored ${restored} of ${records - own} ${records - own === 1 ? 'record' : 'records'}.`);
    for (const [outcome, text] of Object.entries(told)) {
      const some = differs.filter((one) => one.outcome === outcome);
      if (some.length > 0) page.line(`${text} ${named(some)}`);
    }
    if (differs.some(({ outcome }) => outcome === 'replaced'))
      page.line('What was replaced can be brought back: keyhold token list --erased', 'dim');
  });
}

/** What is said before the names of those that ended so. */
const told: Readonly<Record<Difference['outcome'], string>> = {
  replaced: 'Replaced here:',
  kept: 'Kept the newer one that is here:',
  revoked: 'Left out, because it was revoked:',
};

/** Tokens that a sentence names; the others are a number. */
const NAMED_MAX = 10;

function named(some: readonly Difference[]): string {
  const names = some.slice(0, NAMED_MAX).map(({ protocol, host, path, username, label }) => {
    const who = label ?? username;
    return printable(
      `${who === undefined ? '' : `${who} for `}${protocol}://${host}${path === undefined ? '' : `/${path}`}`,
    );
  });
  return `${names.join(', ')}${some.length > NAMED_MAX ? ` and ${some.length - NAMED_MAX} more` : ''}.`;
}

/** Whether the older values of the backup shall take the place of newer ones. Where the user cannot be asked, they do not. */
async function mayReplaceNewer(kept: readonly Difference[], { input }: RestoreOptions): Promise<boolean> {
  if (!canAsk(input)) return false;
  for (const one of kept.slice(0, NAMED_MAX)) {
    const { storedAt, heldAt } = one;
    const since = (at: number | undefined) => (at === undefined ? 'an unknown date' : localTime(at));
    remark(
      `${named([one]).slice(0, -1)}: the one here is of ${since(heldAt)}, that of the backup of ${since(storedAt)}`,
    );
  }
  if (kept.length > NAMED_MAX) remark(`and ${kept.length - NAMED_MAX} more`);
  const what =
    kept.length === 1 ? 'the newer token here by the older one' : `${kept.length} newer tokens here by the older ones`;
  return askYesNo(`Replace ${what} of the backup?`);
}

type Restored = { readonly restored: number; readonly own: number; readonly differs: readonly Difference[] };

async function restoreAll(passphrase: Secret, source: BackupFile, takesOlder: boolean): Promise<Restored> {
  let restored = 0;
  let own = 0;
  const differs: Difference[] = [];
  const older = takesOlder ? '1' : undefined;
  try {
    using bar = new ProgressBar('restore', source.length);
    let sent = 0;
    for (const record of batches(source.lines())) {
      const attributes = { passphrase, header: source.header, record, older };
      const { details } = await withAgent((agent) => ask(agent, 'restore', { attributes }), LONG);
      restored += Number(detail(details, 'restored') ?? record.length);
      own += Number(detail(details, 'own') ?? 0);
      differs.push(...(documents(details, 'differs[]') as unknown as Difference[]));
      sent += record.length;
      bar.show(sent);
    }
  } catch (error) {
    if (restored === 0 || !(error instanceof CommandFailure)) throw error;
    throw new CommandFailure(error.exitCode, `${error.message}; ${restored} were restored, and it may be run again`);
  }
  return { restored, own, differs };
}

/** Lines for one request each. A record is never cut: its lines go together. */
function* batches(lines: Iterable<string>): Generator<string[]> {
  let batch: string[] = [];
  let bytes = 0;
  let record: string[] = [];
  let isSent = false;
  for (const line of lines) {
    record.push(line);
    if (isContinued(line)) continue;
    const size = record.reduce((sum, { length }) => sum + length + 'record[]=\n'.length, 0);
    if (batch.length > 0 && (batch.length + record.length > BATCH_LINES || bytes + size > BATCH_BYTES)) {
      yield batch;
      isSent = true;
      batch = [];
      bytes = 0;
    }
    batch.push(...record);
    bytes += size;
    record = [];
  }
  // Also an empty backup is sent once: the agent checks its passphrase.
  if (batch.length > 0 || !isSent) yield batch;
}
