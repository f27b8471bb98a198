import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeLeftovers } from '../../../platform/durable.ts';
import type { Target } from '../../../protocol/credential.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import type { Clock } from '../../clock.ts';
import type { Progress } from '../../slices.ts';
import type { Backend, Degradation, Held, Secrets, UnlockMeans } from '../backend.ts';
import { disposeSecrets } from '../secrets.ts';
import { ChangeQueue } from './change-queue.ts';
import { randomKey } from './cipher.ts';
import { createDatabase, type Database, openDatabase } from './database.ts';
import { FormerKey } from './former-key.ts';
import { decodeHeader, encodeHeader, type Header } from './header.ts';
import { Hosts } from './hosts.ts';
import type { Argon2Params } from './passphrase.ts';
import { type Records, unlockRecords } from './records.ts';
import { storageFault } from './storage-fault.ts';
import {
  dataKeyOf,
  dropKeyFile,
  type KeyPlace,
  type KeyPlaces,
  type KeySource,
  wrapByKey,
  wrapByPassphrase,
} from './vault-key.ts';

export type VaultOptions = {
  /** Where `vault.db` and, without a passphrase, `vault.key` lie. Created 0700 where it is missing. */
  readonly folder: string;
  readonly keep: SecretKeeper;
  /** What a passphrase set from now on shall cost; a second and 256 MiB unless told. */
  readonly kdf?: Argon2Params | undefined;
  /** Where the key can rest instead of in a key file. */
  readonly keySource?: KeySource | undefined;
  /** Where the key of a new vault rests. @default the key source where there is one, else the key file */
  readonly keyPlace?: KeyPlace | undefined;
  /** Whether credentials are known to rest here, so that a missing file was lost and is no new one. */
  readonly isExpected?: boolean | undefined;
  /** With it a change of the key that needed no passphrase can be undone for a day; without it the former key goes at once. */
  readonly clock?: Clock | undefined;
};

/** The backend in an encrypted file of our own, whose key may come from a passphrase. */
export interface Vault extends Backend {
  /**
   * Sets, changes or removes (`next` undefined) the passphrase: the data key is sealed anew, the records stay. Without
   * one the key rests in `place`, which also moves it there where there was none; as a new vault's without it. Both are borrowed until the promise settles; whether it is locked stays as it was. Killed at any point, either the old
   * way in or the new one works. Throws `interaction_required` (`current` is needed), `wrong_passphrase`,
   * `secret_unfit` (`next` is empty).
   */
  setPassphrase(current: Secret | undefined, next: Secret | undefined, place?: KeyPlace): Promise<void>;
  /**
   * Undoes the last change of the key, within a day: the vault opens without a passphrase again. With `drop` the former key
   * goes now instead, and the change stays. False where there is nothing to undo. It stays locked if it was.
   */
  undoPassphrase(drop: boolean): Promise<boolean>;
}

/**
 * Opens the vault in a folder, creating it where there is none. With a passphrase it opens locked, and also where the
 * key's source is locked; else it opens ready. Throws `vault_truncated`, `vault_corrupt`, `vault_newer`,
 * `vault_in_use`, `vault_key_missing`, `vault_wrong_key`, `unsafe_place`, and `vault_missing` where one was here before; what cannot
 * be opened is left as it is.
 */
export async function openVault(options: VaultOptions): Promise<Vault> {
  const { folder, keep, kdf, keySource, keyPlace = keySource ? 'key-source' : 'key-file' } = options;
  const file = join(folder, 'vault.db');
  const places: KeyPlaces = { file, keyFile: join(folder, 'vault.key'), keySource, kdf, keep };
  const hosts = `${folder}/vault.hosts`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const existing = openDatabase(file);
  if (!existing && (options.isExpected || existsSync(hosts))) throw missing(folder);
  const database = existing ?? (await createVault(places, keyPlace));
  try {
    removeLeftovers(file);
    removeLeftovers(places.keyFile);
    const header = decodeHeader(database.header() ?? new Uint8Array(0), file);
    const former = new FormerKey(join(folder, 'vault.undo'), options.clock);
    former.note();
    const vault = new FileVault(database, header, places, keyPlace, former);
    // With the key in use gone and the former one still there, it opens locked, and the change can be undone.
    const mayMiss = former.of(header, file) !== undefined;
    if (!vault.needsPassphrase) await unlockUnlessLocked(vault, mayMiss);
    return vault;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** An empty vault in the place of a lost one would look as if everything had been erased. */
function missing(folder: string): KeyholdError {
  return new KeyholdError(
    'vault_missing',
    `cannot open ${folder}/vault.db: it is not there, and credentials rested in it; put it back or, to begin with an empty one, run: rm -f ${folder}/backend ${folder}/vault.hosts && keyhold restart`,
  );
}

async function createVault(places: KeyPlaces, place: KeyPlace): Promise<Database> {
  const dataKey = randomKey(places.keep);
  try {
    return createDatabase(places.file, encodeHeader(await wrapByKey(dataKey, places, place)));
  } catch (error) {
    throw storageFault(error, 'create', places.file).fault;
  } finally {
    dataKey.dispose();
  }
}

async function unlockUnlessLocked(vault: Vault, mayMiss: boolean): Promise<void> {
  try {
    await vault.unlock({ mayPrompt: false });
  } catch (error) {
    if (!(error instanceof KeyholdError)) throw error;
    const isMissing = error.code === 'vault_key_missing' || error.code === 'vault_wrong_key';
    if (error.code !== 'backend_locked' && !(mayMiss && isMissing)) throw error;
  }
}

class FileVault implements Vault {
  readonly name = 'vault';
  readonly durable = true;

  readonly #database: Database;
  readonly #hosts: Hosts;
  readonly #places: KeyPlaces;
  readonly #keyPlace: KeyPlace;
  readonly #former: FormerKey;
  #header: Header;
  /** Present while unlocked. */
  #records: Records | undefined;
  readonly #queue = new ChangeQueue({
    one: (change) => {
      const records = this.#unlocked();
      if ('remove' in change) records.remove(change.remove);
      else if ('annotate' in change) records.annotate(change.annotate);
      else records.put(change.put, change.secrets);
    },
    all: (changes) => this.#unlocked().apply(changes),
  });
  /** Counts locks, so that an unlock under way when one happens comes to nothing. */
  #locks = 0;
  #disposed = false;
  /** Work on the key, one after the other. */
  #keyWork: Promise<unknown> = Promise.resolve();

  constructor(database: Database, header: Header, places: KeyPlaces, keyPlace: KeyPlace, former: FormerKey) {
    this.#keyPlace = keyPlace;
    this.#former = former;
    this.#database = database;
    this.#hosts = new Hosts(`${places.file.slice(0, -'.db'.length)}.hosts`);
    this.#header = header;
    this.#places = places;
  }

  get needsPassphrase(): boolean {
    return this.#header.kind === 'passphrase';
  }

  degradations(): readonly Degradation[] {
    const found: Degradation[] = [];
    if (this.#header.kind === 'key-file') {
      found.push({
        code: 'key-beside-vault',
        what: 'the key lies beside the vault',
        remedy: 'run: keyhold backend passphrase, or use the keyring',
      });
    }
    const { trouble } = this.#database;
    if (trouble !== undefined) {
      found.push({
        code: 'vault-file-gone',
        what: `${this.#places.file} cannot be written to: ${trouble} while the agent had it open`,
        remedy: 'put the file back, then run: keyhold restart',
      });
    }
    const { left } = this.#former;
    if (left !== undefined) {
      found.push({
        code: 'key-change',
        what: `the vault's key was changed, and the former one opens it for ${Math.ceil(left / 3_600)} h more`,
        remedy: 'to undo the change: keyhold backend undo; to make it final now: keyhold backend undo --drop',
      });
    }
    if (this.#database.readOnly) {
      found.push({
        code: 'vault-read-only',
        what: 'the disk failed, and the vault takes no changes',
        remedy: 'mend the disk, then run: keyhold restart',
      });
    }
    const damaged = this.#records?.damaged ?? [];
    if (damaged.length > 0) {
      found.push({
        code: 'damaged-records',
        what: `${damaged.length} of the records in ${this.#places.file} ${damaged.length === 1 ? 'is' : 'are'} damaged: number ${shortened(damaged)}; all others are served`,
        remedy: 'store these tokens anew, or restore a backup: keyhold restore FILE',
      });
    }
    if (this.#database.wipePending) {
      found.push({
        code: 'wipe-pending',
        what: 'sealed bytes of what was erased are still on the disk',
        remedy: 'make room on the disk; the next change wipes them',
      });
    }
    return found;
  }

  async list(progress?: Progress): Promise<readonly Held[]> {
    const described = await this.#settled().all(progress);
    return described.map(({ held }) => held);
  }

  async heldFor(target: Target): Promise<readonly Held[] | undefined> {
    return this.#settled().of(target);
  }

  async get(held: Held): Promise<Secrets | undefined> {
    return this.#settled().get(held);
  }

  async put(held: Held, secrets: Secrets): Promise<void> {
    this.#unlocked();
    await this.#queue.add({ put: held, secrets });
  }

  async putAll(items: Iterable<{ held: Held; secrets: Secrets }>, progress?: Progress): Promise<void> {
    await this.#settled().putAll(items, progress);
  }

  async annotate(held: Held): Promise<void> {
    this.#unlocked();
    await this.#queue.add({ annotate: held });
  }

  async remove(held: Held): Promise<void> {
    this.#unlocked();
    await this.#queue.add({ remove: held });
  }

  async move(from: Held, to: Held): Promise<boolean> {
    const records = this.#settled();
    const secrets = records.get(from);
    if (!secrets) return false;
    try {
      records.apply([{ remove: from }, { put: to, secrets }]);
    } finally {
      disposeSecrets(secrets);
    }
    return true;
  }

  async unlock({ passphrase, mayPrompt }: UnlockMeans): Promise<void> {
    const locks = this.#locks;
    await this.#oneAtATime(async () => {
      if (this.#records) return;
      if (mayPrompt && this.#header.kind === 'key-source') await this.#places.keySource?.unlock?.();
      const dataKey = await dataKeyOf(this.#header, passphrase, this.#places);
      if (this.#locks !== locks) {
        dataKey.dispose();
        throw new KeyholdError('backend_locked', 'cannot unlock the vault: it was locked again meanwhile');
      }
      this.#records = unlockRecords(this.#database, this.#places.file, dataKey, this.#places.keep, this.#hosts);
      // Only now is it proven that a key file, left by a kill inside setPassphrase, is not what opens it. One that
      // cannot be removed opens nothing either, so that is no reason to stay locked.
      try {
        this.#dropFormerKey();
      } catch {}
    });
  }

  async setPassphrase(current: Secret | undefined, next: Secret | undefined, place = this.#keyPlace): Promise<void> {
    if (next?.length === 0) throw new KeyholdError('secret_unfit', 'cannot set the passphrase: it is empty');
    await this.#oneAtATime(async () => {
      const dataKey = await dataKeyOf(this.#header, current, this.#places);
      try {
        if (next) this.#replaceHeader(await wrapByPassphrase(dataKey, next, this.#places));
        else if (this.#header.kind !== place) this.#replaceHeader(await wrapByKey(dataKey, this.#places, place));
      } finally {
        dataKey.dispose();
      }
    });
  }

  lock(): void {
    this.#queue.flush();
    this.#locks++;
    this.#records?.close();
    this.#records = undefined;
  }

  async dispose(): Promise<void> {
    this.lock();
    this.#disposed = true;
    await this.#keyWork.catch(() => {});
    this.#hosts.close();
    this.#database.close();
  }

  /** The records, once every change that came before has been made. */
  #settled(): Records {
    const records = this.#unlocked();
    this.#queue.flush();
    return records;
  }

  #unlocked(): Records {
    this.#refuseDisposed();
    if (this.#records) return this.#records;
    throw new KeyholdError('backend_locked', 'cannot use the vault: it is locked; run: keyhold unlock');
  }

  async undoPassphrase(drop: boolean): Promise<boolean> {
    let isUndone = false;
    await this.#oneAtATime(async () => {
      const before = this.#former.of(this.#header, this.#places.file);
      if (!before) return;
      if (drop) {
        this.#former.drop();
        dropKeyFile(this.#header, this.#places);
      } else {
        // Proven to open before anything is replaced.
        (await dataKeyOf(before, undefined, this.#places)).dispose();
        this.#database.setHeader(encodeHeader(before));
        this.#header = before;
        this.#former.drop();
      }
      isUndone = true;
    });
    return isUndone;
  }

  #replaceHeader(header: Header): void {
    this.#refuseDisposed();
    this.#former.keep(this.#header, header);
    this.#database.setHeader(encodeHeader(header));
    this.#header = header;
    if (header.kind === 'key-file') this.#former.drop();
    this.#dropFormerKey();
  }

  /** Removes a key that opens nothing any more, and the former one when its day is over. */
  #dropFormerKey(): void {
    if (this.#former.isOver) this.#former.drop();
    if (this.#former.left === undefined) dropKeyFile(this.#header, this.#places);
  }

  #oneAtATime(work: () => Promise<void>): Promise<void> {
    const result = this.#keyWork.then(() => {
      this.#refuseDisposed();
      return work();
    });
    this.#keyWork = result.catch(() => {});
    return result;
  }

  #refuseDisposed(): void {
    if (this.#disposed) throw new KeyholdError('closed', 'cannot use the vault: it was closed');
  }
}

/** The first numbers of a list, which may be long. */
function shortened(numbers: readonly number[]): string {
  const first = numbers.slice(0, 10).join(', ');
  return numbers.length > 10 ? `${first} and ${numbers.length - 10} more` : first;
}
