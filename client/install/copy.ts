import { randomBytes } from 'node:crypto';
import { chmodSync, constants, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder } from './files.ts';
import { hashOf, type Part } from './parcel.ts';

/** Drafts carry the pid of who makes them, so that those of the dead can be told. */
const DRAFT = '.draft-';

/**
 * Puts the parts into `versions/ID`, whole or not at all. False if that version lies there already, intact. A copy that
 * shares its blocks with the original is made where the file system can (reflink).
 */
export function copyVersion(versions: string, id: string, hash: string, parts: readonly Part[]): boolean {
  const place = join(versions, id);
  if (isIntact(place, hash, parts)) return false;
  makeFolder(versions);
  removeDeadDrafts(versions);
  const draft = join(versions, `${DRAFT}${process.pid}-${randomBytes(4).toString('hex')}`);
  try {
    for (const { from, to, executable } of parts) {
      const target = join(draft, to);
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
      copyFileSync(from, target, constants.COPYFILE_FICLONE);
      chmodSync(target, executable ? 0o700 : 0o600);
    }
    const broken = `${draft}-broken`;
    if (existsSync(place)) renameSync(place, broken);
    renameSync(draft, place);
    rmSync(broken, { recursive: true, force: true });
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return true;
}

/** Removes every version but `keep`. Answers the names of those removed. */
export function removeOtherVersions(versions: string, keep: string): string[] {
  if (!existsSync(versions)) return [];
  const others = readdirSync(versions).filter((name) => name !== keep && !name.startsWith(DRAFT));
  for (const name of others) rmSync(join(versions, name), { recursive: true, force: true });
  return others;
}

function isIntact(place: string, hash: string, parts: readonly Part[]): boolean {
  const there = parts.filter(({ derived }) => !derived).map((part) => ({ ...part, from: join(place, part.to) }));
  return there.every(({ from }) => existsSync(from)) && hashOf(there) === hash;
}

function removeDeadDrafts(versions: string): void {
  for (const name of readdirSync(versions)) {
    const pid = name.startsWith(DRAFT) ? Number.parseInt(name.slice(DRAFT.length), 10) : undefined;
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(join(versions, name), { recursive: true, force: true });
  }
}
