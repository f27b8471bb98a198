import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileAddon } from '../../scripts/build/native.ts';

/** The addon, freshly built in a folder of its own that other users may read too. */
export async function buildAddon(): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'keyhold-addon-'));
  await chmod(folder, 0o755);
  const path = join(folder, 'keyhold.node');
  if (!compileAddon(join(import.meta.dirname, '../..'), path)) throw new Error('cannot build the addon');
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }) };
}
