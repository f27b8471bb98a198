import { createHash } from 'node:crypto';
import { closeSync, existsSync, lstatSync, openSync, readdirSync, readSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Package } from './root.ts';

/** One file of an installed version. */
export type Part = {
  readonly from: string;
  /** Where it goes below the version's folder. */
  readonly to: string;
  readonly executable: boolean;
  /** Made anew by whoever runs it, so it says nothing about the version. */
  readonly derived: boolean;
};

/** Hex digits of the content hash in a version's name. */
const SHORT = 12;

/** What is taken from the package's own folder. `package.json` is how the installed copy knows its version. */
const OWN = ['package.json', 'LICENSE', 'dist/bin', 'dist/lib', 'systemd'];

/** Compiled code that Node keeps beside the bundles. */
const DERIVED = 'dist/lib/code-cache/';

/** Where the launchers look for Node first: beside the programs. */
const NODE = 'dist/node';

/**
 * Everything that must outlive the clone or npx folder, in a fixed order: what was built, and the Node that runs it.
 * Throws `not_found` when nothing was built.
 */
export function parcelOf({ root }: Package, node: string = process.execPath): Part[] {
  if (!existsSync(join(root, 'dist', 'bin', 'keyhold-agent'))) {
    throw new KeyholdError('not_found', `cannot install: ${root} holds no dist/bin; run: npm run build`);
  }
  const parts: Part[] = [];
  for (const name of OWN) addTree(parts, join(root, name), name);
  parts.push({ from: realpathSync(node), to: NODE, executable: true, derived: false });
  return parts.sort((one, other) => (one.to < other.to ? -1 : 1));
}

/** Names the version by what it holds: the same parts give the same name, whatever their dates. */
export function hashOf(parts: readonly Part[]): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1 << 20);
  for (const { from, to, executable } of parts.filter(({ derived }) => !derived)) {
    const file = openSync(from, 'r');
    try {
      hash.update(`${to}\0${executable ? 'x' : '-'}\0`);
      const content = createHash('sha256');
      for (let length = readSync(file, buffer); length > 0; length = readSync(file, buffer)) {
        content.update(buffer.subarray(0, length));
      }
      hash.update(content.digest());
    } finally {
      closeSync(file);
    }
  }
  return hash.digest('hex').slice(0, SHORT);
}

function addTree(parts: Part[], from: string, to: string): void {
  const stat = lstatSync(from, { throwIfNoEntry: false });
  if (!stat) return;
  if (stat.isSymbolicLink()) addTree(parts, realpathSync(from), to);
  else if (stat.isDirectory())
    for (const name of readdirSync(from).sort()) addTree(parts, join(from, name), join(to, name));
  else if (stat.isFile()) {
    parts.push({ from, to, executable: (stat.mode & 0o100) !== 0, derived: to.startsWith(DERIVED) });
  }
}
