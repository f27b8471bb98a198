import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { flawOf } from '../../platform/own.ts';
import { gatherManifests, type Manifest, type ManifestFile } from '../../protocol/services/index.ts';

/** Where the build puts the built-in manifests: beside the bundle, or in dist/ for the unbuilt sources. */
const places = [join(import.meta.dirname, 'services.json'), join(import.meta.dirname, '../../dist/lib/services.json')];

/**
 * The services as the agent knows them: the built-in ones and the person's own in `folder`, one `ID.json` each. They are read when
 * they are first asked for, and again when the folder has changed. What cannot be read is left out: `keyhold service
 * list` tells the person, and a token is kept all the same.
 */
export function openServices(folder: string): () => readonly Manifest[] {
  let known: readonly Manifest[] = [];
  let read: string | undefined;
  return () => {
    const state = stateOf(folder);
    if (state !== read) {
      known = gatherManifests(builtIn(), ownIn(folder)).manifests;
      read = state;
    }
    return known;
  };
}

/** Changes whenever a file of the folder is written, added or removed: each is replaced and never written over. */
function stateOf(folder: string): string {
  const stats = statSync(folder, { throwIfNoEntry: false });
  return String(stats?.mtimeMs ?? 'none');
}

function builtIn(): string {
  for (const place of places) {
    try {
      return readFileSync(place, 'utf8');
    } catch {
      // The next one.
    }
  }
  return '[]';
}

function ownIn(folder: string): ManifestFile[] {
  const files: ManifestFile[] = [];
  try {
    for (const name of readdirSync(folder).sort()) {
      const file = join(folder, name);
      // A manifest says where tokens are sent: nobody but its owner may be able to write it.
      const isTrusted = flawOf(lstatSync(file), 'file') === undefined;
      if (name.endsWith('.json') && isTrusted) files.push({ file, text: readFileSync(file, 'utf8') });
    }
  } catch {
    // There is none, or it went away meanwhile.
  }
  return files;
}
