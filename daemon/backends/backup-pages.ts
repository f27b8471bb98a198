import { randomBytes } from 'node:crypto';
import { KeyholdError } from '../../protocol/errors.ts';
import type { CredentialReply, Detail } from '../../protocol/handler.ts';
import { linesOfRecord } from '../../protocol/record-lines.ts';
import type { Secret } from '../../protocol/secret.ts';
import { release } from '../access/release.ts';
import type { Parts } from '../actions/parts.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { isBackedUp } from '../history/tombstones/own-records.ts';
import { filterInSlices, inSlices, Slices } from '../slices.ts';
import type { Caller } from '../socket/caller.ts';
import { type Held, heldOf, type Secrets } from './backend.ts';
import { type BackupSealer, openSealer } from './backup.ts';
import { NAMED_MAX, named } from './named.ts';
import { copySecrets, disposeSecrets } from './secrets.ts';

/** What a backup needs. */
export type BackingUp = Pick<Parts, 'credentials' | 'keep' | 'backupCost'>;

/** Characters of records in one page: what is sealed for it is in memory, and an answer of a request is about as long. */
const PAGE_MAX = 524_288;
/** Milliseconds for which a backup waits for its maker to ask for the next page. */
const WAITS_FOR = 60_000;

/** What is held or ours, and goes into a backup. */
type Source = { readonly held: Held; readonly entry?: Entry };

/**
 * One backup: a header, and records that are read and sealed page by page, in slices, so that gets are answered in between and
 * no more than a page is in memory. The header says how many records there are. What turns out to be damaged or gone is left out,
 * and the backup begins anew with another header: what came before belongs to no backup.
 */
class BackupRun {
  readonly handle = randomBytes(10).toString('hex');
  readonly #parts: BackingUp;
  readonly #sealer: BackupSealer;
  #sources: readonly Source[];
  #at = 0;
  #isBegun = false;
  #making: Promise<unknown> = Promise.resolve();
  /** Found damaged or gone: what a backup that begins anew leaves out. */
  readonly #leftOut = new Set<Source>();
  /** How many of them were found damaged. */
  #damaged = 0;

  private constructor(parts: BackingUp, sealer: BackupSealer, sources: readonly Source[]) {
    this.#parts = parts;
    this.#sealer = sealer;
    this.#sources = sources;
  }

  static async begin(parts: BackingUp, passphrase: Secret): Promise<BackupRun> {
    const { credentials, backupCost } = parts;
    await credentials.lifecycle.ready();
    // Our own first, so that what is restored is marked by the key that it was marked with. A dead token's value goes into no
    // backup: it could not be deleted there when its time has come.
    const own = credentials.own
      .all()
      .filter(isBackedUp)
      .map((held) => ({ held }));
    const sources: Source[] = [...own];
    await inSlices(credentials.entries.all(), (entry) => sources.push({ held: entry, entry }));
    return new BackupRun(parts, await openSealer(passphrase, sources.length, backupCost), sources);
  }

  /** How many records are still to come. */
  get left(): number {
    return this.#sources.length - this.#at;
  }

  /** The next page: `header` in front of the first record, also of one that begins anew. Pages are made one after the other. */
  page(caller: Caller): Promise<Detail[]> {
    const page = this.#making.then(() => this.#page(caller));
    this.#making = page.catch(() => {});
    return page;
  }

  async #page(caller: Caller): Promise<Detail[]> {
    const { credentials } = this.#parts;
    const details: Detail[] = this.#isBegun ? [] : [['header', this.#sealer.header]];
    this.#isBegun = true;
    const slices = new Slices();
    let length = 0;
    while (this.left > 0 && length < PAGE_MAX) {
      const source = this.#sources[this.#at]!;
      const read = await this.#read(source, caller);
      if (typeof read === 'string') return this.#againWithout(read, caller);
      try {
        for (const line of linesOfRecord(this.#sealer.seal({ held: plainHeld(source), secrets: read }))) {
          details.push(['record[]', line]);
          length += line.length;
        }
      } finally {
        disposeSecrets(read);
      }
      this.#at++;
      if (!slices.isOver) continue;
      credentials.lifecycle.report({ what: 'backup', done: this.#at, total: this.#sources.length });
      await slices.next();
    }
    // What was locked away meanwhile would be missing, and nothing would say so.
    credentials.lifecycle.refuseLocked('back up');
    return details;
  }

  /** Wipes its keys, once the page that is being made is done. */
  dispose(): void {
    this.#parts.credentials.lifecycle.report(undefined);
    void this.#making.finally(() => this.#sealer.dispose());
  }

  /** The secrets, the caller's to dispose of; or why there are none. */
  async #read({ held, entry }: Source, caller: Caller): Promise<Secrets | 'gone' | 'damaged'> {
    const { credentials, keep } = this.#parts;
    if (!entry) {
      if (!credentials.own.has(held)) return 'gone';
      return copySecrets({ secret: await credentials.own.secretOf(held) }, keep);
    }
    try {
      // Aside: what is read for a backup does not stay in memory.
      const secrets =
        credentials.entries.at(entry) === entry
          ? await release(credentials.values, entry, caller, 'backup')
          : undefined;
      if (!secrets) credentials.lifecycle.refuseLocked('back up');
      return secrets ?? 'gone';
    } catch (error) {
      if (!(error instanceof KeyholdError) || error.code !== 'vault_corrupt') throw error;
      return 'damaged';
    }
  }

  /**
   * Begins anew without what is damaged or gone. All that is still to come is read first, so that a backup begins anew once and not
   * once for each of them.
   */
  async #againWithout(why: 'gone' | 'damaged', caller: Caller): Promise<Detail[]> {
    const { credentials } = this.#parts;
    const before = this.#damaged;
    const damaged: Held[] = [];
    const slices = new Slices();
    for (let found: Secrets | 'gone' | 'damaged' = why; ; found = await this.#read(this.#sources[this.#at]!, caller)) {
      const source = this.#sources[this.#at]!;
      if (typeof found !== 'string') disposeSecrets(found);
      else {
        this.#leftOut.add(source);
        if (found === 'damaged' && ++this.#damaged <= NAMED_MAX) damaged.push(source.held);
      }
      this.#at++;
      if (this.left === 0) break;
      if (!slices.isOver) continue;
      credentials.lifecycle.report({ what: 'backup', done: this.#at, total: this.#sources.length });
      await slices.next();
    }
    this.#sources = await filterInSlices(this.#sources, (one) => !this.#leftOut.has(one));
    this.#sealer.again(this.#sources.length);
    this.#at = 0;
    const more = this.#damaged - before - damaged.length;
    const rest: Detail[] = more > 0 ? [['damaged_more', String(more)]] : [];
    return [['header', this.#sealer.header], ...named('damaged[]', damaged), ...rest];
  }
}

function plainHeld({ held, entry }: Source): Held {
  return entry ? heldOf(entry) : held;
}

/** The backup that each agent is making page by page: one at a time, and another that begins ends it. */
const running = new WeakMap<BackingUp['credentials'], { readonly run: BackupRun; readonly timer: NodeJS.Timeout }>();

/**
 * Begins a backup and answers its first page, with `backup`, the handle to ask for the others, and `left`, how many records are
 * still to come. Throws what the backend throws, and `locked`.
 */
export async function beginBackup(parts: BackingUp, passphrase: Secret, caller: Caller): Promise<CredentialReply> {
  const run = await BackupRun.begin(parts, passphrase);
  end(parts.credentials);
  running.set(parts.credentials, { run, timer: waiting(parts.credentials, run) });
  return answerPage(parts, run, caller);
}

/** The next page of a backup. Throws `bad_request` where it has ended: another one began, or none was asked for within a minute. */
export async function continueBackup(parts: BackingUp, handle: string, caller: Caller): Promise<CredentialReply> {
  const { run } = running.get(parts.credentials) ?? {};
  if (run?.handle !== handle)
    throw new KeyholdError('bad_request', 'cannot go on with the backup: it has ended; begin again');
  const reply = await answerPage(parts, run, caller);
  // The audit log has the backup from its beginning.
  return { ...reply, isUnrecorded: true } as CredentialReply;
}

/** A page is made while another backup may begin, which ends this one: its page is still whole, and there is no next one. */
async function answerPage({ credentials }: BackingUp, run: BackupRun, caller: Caller): Promise<CredentialReply> {
  clearTimeout(running.get(credentials)?.timer);
  try {
    const details = await run.page(caller);
    if (run.left === 0) end(credentials, run);
    else if (running.get(credentials)?.run === run) running.set(credentials, { run, timer: waiting(credentials, run) });
    return { status: 'ok', details: [['backup', run.handle], ['left', String(run.left)], ...details] };
  } catch (error) {
    end(credentials, run);
    throw error;
  }
}

function waiting(credentials: BackingUp['credentials'], run: BackupRun): NodeJS.Timeout {
  return setTimeout(() => end(credentials, run), WAITS_FOR).unref();
}

/** Ends the backup that is under way; with `run` only if it is that one. */
function end(credentials: BackingUp['credentials'], run?: BackupRun): void {
  const one = running.get(credentials);
  if (!one || (run && one.run !== run)) return;
  running.delete(credentials);
  clearTimeout(one.timer);
  one.run.dispose();
}

/** Everything at once, for a client that asks for no pages. */
export async function backUp(parts: BackingUp, passphrase: Secret, caller: Caller): Promise<CredentialReply> {
  const run = await BackupRun.begin(parts, passphrase);
  try {
    const damaged: Detail[] = [];
    let records: Detail[] = [];
    let header: Detail | undefined;
    let more = 0;
    while (run.left > 0 || header === undefined) {
      for (const detail of await run.page(caller)) {
        const [key, value] = detail;
        if (key === 'record[]') records.push(detail);
        else if (key === 'damaged[]') damaged.push(detail);
        else if (key === 'damaged_more') more += Number(value);
        else {
          // It began anew: what came before belongs to no backup.
          header = detail;
          records = [];
        }
      }
    }
    const rest: Detail[] = more > 0 ? [['damaged_more', String(more)]] : [];
    return { status: 'ok', details: [header, ...damaged, ...rest, ...records] };
  } finally {
    run.dispose();
  }
}
