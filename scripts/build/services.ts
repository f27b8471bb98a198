import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileManifest } from '../../client/services/compile.ts';
import { type Manifest, rivalOf } from '../../protocol/services/index.ts';

/** Where the built-in manifests lie, one YAML file each, below the repository's root. */
export const MANIFESTS = 'daemon/services/manifests';

/** Compiles the built-in manifests to the JSON list that client and agent read. Throws with every slip of all of them. */
export async function compileServices(root: string): Promise<string> {
  const folder = join(root, MANIFESTS);
  const manifests: Manifest[] = [];
  const faults: string[] = [];
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .sort()) {
    const compiled = await compileManifest(readFileSync(join(folder, name), 'utf8'), manifests);
    if (compiled.status === 'unfit') {
      faults.push(...compiled.slips.map(({ line, column, text }) => `${MANIFESTS}/${name}:${line}:${column} ${text}`));
      continue;
    }
    const { manifest } = compiled;
    const rival = rivalOf(manifest, manifests);
    if (`${manifest.id}.yaml` !== name) faults.push(`${MANIFESTS}/${name} must be named ${manifest.id}.yaml`);
    if (rival) faults.push(`${MANIFESTS}/${name} has a host that is ${rival.id}'s too`);
    manifests.push(manifest);
  }
  if (faults.length > 0) throw new Error(`cannot compile the services:\n${faults.join('\n')}`);
  return `${JSON.stringify(manifests)}\n`;
}
