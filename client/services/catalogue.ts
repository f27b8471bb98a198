import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { flawOf } from '../../platform/own.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import { type Catalogue, gatherManifests, type ManifestFile } from '../../protocol/services/index.ts';
import { locate } from '../locate.ts';

/** Where the build puts the built-in manifests: beside the bundle, or in dist/ for the unbuilt sources. */
const places = [join(import.meta.dirname, 'services.json'), join(import.meta.dirname, '../../dist/lib/services.json')];

/** Where the person's own manifests lie, one `ID.json` each. */
export function ownFolder(): string {
  return join(locate().config, 'services');
}

/**
 * Every service that there is. A file of the person's own that cannot be used is told of in `faults` and takes nothing
 * else along. Throws `not_found` where keyhold was not built.
 */
export function readCatalogue(folder = ownFolder()): Catalogue {
  const own = readOwn(folder);
  const catalogue = gatherManifests(readBuiltIn(), own.files);
  return { ...catalogue, faults: [...own.faults, ...catalogue.faults] };
}

function readBuiltIn(): string {
  for (const place of places) {
    try {
      return readFileSync(place, 'utf8');
    } catch {
      // The next one.
    }
  }
  throw new KeyholdError('not_found', 'cannot find the services: keyhold was not built; run: npm run build');
}

function readOwn(folder: string): { files: ManifestFile[]; faults: Catalogue['faults'] } {
  const files: ManifestFile[] = [];
  const faults: { file: string; why: string }[] = [];
  for (const name of namesIn(folder)) {
    const file = join(folder, name);
    try {
      const why = whyNotTrusted(file);
      if (why === undefined) files.push({ file, text: readFileSync(file, 'utf8') });
      else faults.push({ file, why });
    } catch (error) {
      faults.push({ file, why: `it cannot be read (${(error as NodeJS.ErrnoException).code})` });
    }
  }
  return { files, faults };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .sort();
  } catch {
    return [];
  }
}

/** A manifest says where tokens are sent, so that nobody but its owner may be able to write it. */
function whyNotTrusted(file: string): string | undefined {
  const stats = lstatSync(file);
  const flaw = flawOf(stats, 'file');
  if (flaw === 'link' || flaw === 'kind') return 'it is no plain file';
  if (flaw === 'owner') return `it belongs to uid ${stats.uid}`;
  return flaw && `others may read or write it; run: chmod 600 ${file}`;
}
