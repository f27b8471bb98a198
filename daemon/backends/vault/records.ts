import { identityOf, type Target } from '../../../protocol/credential.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import { fromWire } from '../../../protocol/text.ts';
import { type Progress, Slices } from '../../slices.ts';
import type { Held, Secrets } from '../backend.ts';
import { heldIn, recordOf } from '../record.ts';
import { decodeSecrets, encodeSecrets } from '../secrets.ts';
import { derive, mac, seal, unseal, unsealSecret } from './cipher.ts';
import type { Database, Row } from './database.ts';
import { SCHEMA } from './header.ts';
import { missingIn, nameOf } from './host-notes.ts';
import type { HostRow, Hosts } from './hosts.ts';

/** Bytes of an HMAC-SHA256 that a record is found by: 2^64 records before two would meet. */
const FOUND_LENGTH = 16;
/** Records that are fetched at once: a fraction of a millisecond. */
const PAGE = 32;
/** Records that one transaction keeps: with its fsync it takes some milliseconds. */
const TRANSACTION = 64;
/** From so many records on it matters which belong to a host: fewer are listed within some 50 ms. */
const HOSTS_FROM = 1_000;
/** From so many records on their hosts are noted as they come: what a few hundred lack is noted at the next opening. */
const HOSTS_KEPT_FROM = 500;
/** The part of all records that may lack their host and be noted before the others are listed. */
const FILLED_FIRST = 0.1;

/** One of several changes that are made together. The secrets are borrowed; `note` is sealed beside held. */
export type RecordChange =
  | { readonly put: Held; readonly secrets: Secrets; readonly note?: string | undefined }
  | { readonly annotate: Held; readonly note?: string | undefined }
  | { readonly remove: Target };

/**
 * A file of individually sealed records, one for each target. It shows neither host nor account, only how many records
 * there are and how long. Every call is made when it returns, durably; all throw `KeyholdError`s: `backend_full` and
 * `backend_failed` (nothing was changed), `vault_corrupt` (this record or the file is damaged).
 */
export interface Records {
  /**
   * Everything but the secrets, which stay sealed; read in slices. A record that is damaged costs that record alone: it is left
   * out, and `damaged` names it.
   */
  all(progress?: Progress): Promise<readonly Described[]>;
  /** The numbers of the records that the last `all` could not open. */
  readonly damaged: readonly number[];
  /**
   * What is kept for a protocol and host, also while `all` is still reading: it waits until the file says which records these
   * are. Undefined where it does not say that; then only `all` answers it.
   */
  of(target: Pick<Target, 'protocol' | 'host'>): Promise<readonly Held[] | undefined>;
  /** The secrets of a target, the caller's to dispose of; undefined if there is no such record. */
  get(target: Target): Secrets | undefined;
  /** Keeps a record, in place of the one for the same target. The secrets are borrowed; `note` is sealed beside held. */
  put(held: Held, secrets: Secrets, note?: string): void;
  /** Keeps many, in as few transactions as leave the loop free in between. Each is durable once the promise settles. */
  putAll(items: Iterable<{ readonly held: Held; readonly secrets: Secrets }>, progress?: Progress): Promise<void>;
  /** Replaces what is known of a record, and leaves its secrets; without such a record it does nothing. */
  annotate(held: Held, note?: string): void;
  /** Removes a record and wipes its bytes off the file. Removing what is not there is no error. */
  remove(target: Target): void;
  /** Makes changes in their order: all of them are durable when it returns, or none is. */
  apply(changes: readonly RecordChange[]): void;
  /** Wipes the keys and releases the file. */
  close(): void;
}

/** What is known of a record besides its secrets. */
export type Described = { readonly held: Held; readonly note: string };

/**
 * The records of an open database, under its data key, which is taken over and wiped. Closing them leaves it open, and `hosts`
 * too, which says which records belong to a host.
 */
export function unlockRecords(
  database: Database,
  file: string,
  dataKey: Secret,
  keep: SecretKeeper,
  hosts?: Hosts | undefined,
): Records {
  // One key for each use, so that no two algorithms share one.
  const findKey = derive(dataKey, 'keyhold vault 1: find', keep);
  const heldKey = derive(dataKey, 'keyhold vault 1: held', keep);
  const secretsKey = derive(dataKey, 'keyhold vault 1: secrets', keep);
  const hostKey = derive(dataKey, 'keyhold vault 1: host', keep);
  dataKey.dispose();
  const find = (target: Target) => mac(findKey, identityOf(target)).subarray(0, FOUND_LENGTH);
  const describe = (found: Uint8Array, held: Held, note: string) => {
    const description = Buffer.from(JSON.stringify({ held: recordOf(held), note }));
    try {
      return seal(heldKey, description, boundTo('held', found));
    } finally {
      description.fill(0);
    }
  };

  const sealSecrets = (found: Uint8Array, secrets: Secrets) => {
    const plain = encodeSecrets(secrets);
    try {
      return seal(secretsKey, plain, boundTo('secrets', found));
    } finally {
      plain.fill(0);
    }
  };
  const hostOf = ({ protocol, host }: Pick<Target, 'protocol' | 'host'>) =>
    mac(hostKey, `${protocol}\0${host}`).subarray(0, FOUND_LENGTH);
  const hostRow = (held: Held, found: Uint8Array) => ({ host: hostOf(held), found });
  /** Undefined for a record that is damaged. */
  const open = ({ found, held: sealed }: Row): Described | undefined => {
    const plain = unseal(heldKey, sealed, boundTo('held', found));
    if (!plain) return undefined;
    try {
      const { held, ...more } = JSON.parse(plain.toString()) as Described;
      return { ...more, held: heldIn(held) };
    } finally {
      plain.fill(0);
    }
  };
  const sealed = (held: Held, secrets: Secrets, note: string) => {
    const found = find(held);
    return { put: found, held: describe(found, held, note), secrets: sealSecrets(found, secrets) };
  };

  let damaged: readonly number[] = [];
  /** About how many records there are; counted when it is first needed. */
  let size: number | undefined;
  /** Notes the hosts of records that are about to come, where it is worth it. */
  const noteHosts = (rows: readonly HostRow[]) => {
    if (!hosts || rows.length === 0) return;
    size = (size ?? database.count()) + rows.length;
    if (size >= HOSTS_KEPT_FROM) hosts.put(rows);
  };
  const forgetHost = (found: Uint8Array) => {
    if ((size ?? 0) >= HOSTS_KEPT_FROM) hosts?.remove(found);
  };
  /** Settles when `hosts` is known to be complete (true) or it is known that it is not. */
  let complete = Promise.withResolvers<boolean>();

  /** Notes the hosts of what `hosts` lacks. True when it is complete; false where so much is missing that listing is as fast. */
  async function completeHosts(notes: Hosts, count: number, slices: Slices): Promise<boolean> {
    const missing = await missingIn(notes, database, slices);
    if (missing === undefined || missing.length > count * FILLED_FIRST) return false;
    const rows: HostRow[] = [];
    for (const found of missing) {
      const row = database.row(found);
      const described = row && open(row);
      if (described) rows.push(hostRow(described.held, found));
      if (slices.isOver) await slices.next();
    }
    if (rows.length > 0) notes.put(rows);
    return true;
  }

  return {
    get damaged() {
      return damaged;
    },

    async all(progress = () => {}) {
      const slices = new Slices();
      const count = database.count();
      size = count;
      const notes = count >= HOSTS_FROM ? hosts : undefined;
      const isComplete = notes !== undefined && (await completeHosts(notes, count, slices));
      if (isComplete || !notes) complete.resolve(isComplete);
      const list: Described[] = [];
      const broken: number[] = [];
      try {
        for (let number = 0; ; ) {
          const rows = database.rowsAfter(number, PAGE);
          if (rows.length === 0) break;
          const fresh: HostRow[] = [];
          for (const row of rows) {
            const described = open(row);
            if (described) list.push(described);
            else broken.push(row.number);
            if (described && notes && !isComplete) fresh.push(hostRow(described.held, row.found));
            if (slices.isOver) await slices.next();
          }
          if (fresh.length > 0) notes?.put(fresh);
          number = rows.at(-1)!.number;
          progress(list.length + broken.length, count);
        }
        damaged = broken;
        complete.resolve(true);
        return list;
      } catch (error) {
        complete.resolve(false);
        complete = Promise.withResolvers();
        throw error;
      }
    },

    async of(target) {
      if (!hosts || !(await complete.promise)) return undefined;
      const held: Held[] = [];
      for (const found of hosts.foundOf(hostOf(target)) ?? []) {
        const row = database.row(found);
        const described = row && open(row);
        if (described) held.push(described.held);
      }
      return held;
    },

    get(target) {
      const found = find(target);
      const sealed = database.secrets(found);
      if (!sealed) return undefined;
      const plain = unsealSecret(secretsKey, sealed, boundTo('secrets', found));
      if (!plain) throw damagedRecord(target, file);
      try {
        return decodeSecrets(plain, keep);
      } finally {
        plain.fill(0);
      }
    },

    put(held, secrets, note = '') {
      const row = sealed(held, secrets, note);
      // First, so that a kill in between leaves a host too many, never one too few.
      noteHosts([hostRow(held, row.put)]);
      database.apply([row]);
    },

    async putAll(items, progress = () => {}) {
      const slices = new Slices();
      const all = [...items];
      for (let at = 0; at < all.length; at += TRANSACTION) {
        const some = all.slice(at, at + TRANSACTION);
        const rows: ReturnType<typeof sealed>[] = [];
        for (const { held, secrets } of some) {
          rows.push(sealed(held, secrets, ''));
          if (slices.isOver) await slices.next();
        }
        noteHosts(some.map(({ held }, index) => hostRow(held, rows[index]!.put)));
        database.apply(rows);
        progress(at + some.length, all.length);
        await slices.next();
      }
    },

    annotate(held, note = '') {
      const found = find(held);
      database.annotate(found, describe(found, held, note));
    },

    remove(target) {
      const found = find(target);
      database.remove(found);
      forgetHost(found);
    },

    apply(changes) {
      const removed: Uint8Array[] = [];
      const hostRows: HostRow[] = [];
      const rows = changes.map((change) => {
        if ('remove' in change) {
          removed.push(find(change.remove));
          return { remove: removed.at(-1)! };
        }
        if ('annotate' in change) {
          const found = find(change.annotate);
          return { annotate: found, held: describe(found, change.annotate, change.note ?? '') };
        }
        const row = sealed(change.put, change.secrets, change.note ?? '');
        hostRows.push(hostRow(change.put, row.put));
        return row;
      });
      noteHosts(hostRows);
      database.apply(rows);
      // What was put again behind its removal keeps its host.
      const kept = new Set(hostRows.map(({ found }) => nameOf(found)));
      for (const found of removed) if (!kept.has(nameOf(found))) forgetHost(found);
    },

    close() {
      for (const key of [findKey, heldKey, secretsKey, hostKey]) key.dispose();
    },
  };
}

/** One record that cannot be opened, named as people name it; all others are as they were. */
function damagedRecord({ protocol, host }: Target, file: string): KeyholdError {
  return new KeyholdError(
    'vault_corrupt',
    `cannot read a credential for ${protocol}://${fromWire(host)}: its record in ${file} is damaged, and no other; store it anew`,
  );
}

/** What a seal belongs to: one column of one row of one schema. Moved elsewhere, it does not open. */
function boundTo(column: 'held' | 'secrets', found: Uint8Array): string {
  return `record ${SCHEMA} ${column} ${Buffer.from(found.buffer, found.byteOffset, found.byteLength).toString('hex')}`;
}
