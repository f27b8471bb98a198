import type { Target } from '../../../protocol/credential.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { Progress } from '../../slices.ts';
import type { Backend, Degradation, Held, Secrets, UnlockMeans } from '../backend.ts';
import { disposeSecrets } from '../secrets.ts';
import { ChangeQueue } from './change-queue.ts';
import type { Database } from './database.ts';
import { vaultDegradations } from './degradations.ts';
import type { FormerKey } from './former-key.ts';
import { encodeHeader, type Header } from './header.ts';
import { Hosts } from './hosts.ts';
import { type Records, unlockRecords } from './records.ts';
import { dataKeyOf, dropKeyFile, type KeyPlace, type KeyPlaces, wrapByKey, wrapByPassphrase } from './vault-key.ts';

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

/** A vault by its open database and the header that was read from it. */
export class FileVault implements Vault {
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
    return vaultDegradations({
      file: this.#places.file,
      isKeyBeside: this.#header.kind === 'key-file',
      trouble: this.#database.trouble,
      formerKeyLeft: this.#former.left,
      isReadOnly: this.#database.readOnly,
      damaged: this.#records?.damaged ?? [],
      isWipePending: this.#database.wipePending,
    });
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
