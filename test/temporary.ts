import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A fresh folder (0700) for one test, and how to take it away. */
export function temporaryFolder(name: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `keyhold-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
