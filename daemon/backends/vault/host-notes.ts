import type { Slices } from '../../slices.ts';
import type { Database } from './database.ts';
import type { Hosts } from './hosts.ts';

/** Names of records that are fetched at once. */
const NAMES_PAGE = 512;
/** Before all names. */
const FIRST = new Uint8Array(0);
/** The names of records that `hosts` does not have; what it has besides is removed. Undefined where it cannot be used. */
export async function missingIn(hosts: Hosts, database: Database, slices: Slices): Promise<Uint8Array[] | undefined> {
  if (await areEqual(hosts, database, slices)) return [];
  const noted = new Map<string, Uint8Array>();
  for (let last: Uint8Array = FIRST; ; ) {
    const founds = hosts.foundsAfter(last, NAMES_PAGE);
    if (founds === undefined) return undefined;
    if (founds.length === 0) break;
    for (const found of founds) noted.set(nameOf(found), found);
    last = founds.at(-1)!;
    if (slices.isOver) await slices.next();
  }
  const missing: Uint8Array[] = [];
  for (let last: Uint8Array = FIRST; ; ) {
    const founds = database.foundsAfter(last, NAMES_PAGE);
    if (founds.length === 0) break;
    for (const found of founds) if (!noted.delete(nameOf(found))) missing.push(found);
    last = founds.at(-1)!;
    if (slices.isOver) await slices.next();
  }
  for (const found of noted.values()) {
    hosts.remove(found);
    if (slices.isOver) await slices.next();
  }
  return missing;
}

/** Whether both have the same names: as it is nearly always, and found out in some 50 ms for 100,000. */
async function areEqual(hosts: Hosts, database: Database, slices: Slices): Promise<boolean> {
  for (let last: Uint8Array = FIRST; ; ) {
    const mine = database.namesAfter(last, NAMES_PAGE);
    if (mine.names !== hosts.namesAfter(last, NAMES_PAGE)?.names) return false;
    if (mine.last === null) return true;
    last = mine.last;
    if (slices.isOver) await slices.next();
  }
}

/** A record's name as a text that a set may hold. */
export function nameOf(found: Uint8Array): string {
  return Buffer.from(found.buffer, found.byteOffset, found.byteLength).toString('latin1');
}
