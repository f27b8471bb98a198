import { readFileSync } from 'node:fs';
import { type Finding, fine, mend, note } from './finding.ts';

/** Where the build says what it could compile, as seen from a bundle and from the source. */
const PLACES = ['./build.json', '../../dist/lib/build.json'];

/** Whether the native parts were built, and what it costs where they were not. */
export function checkBuild(read = readBuild): Finding[] {
  const built = read();
  if (!built) return [note('build', 'not built: this runs from source', 'run: npm run build')];
  const findings: Finding[] = [];
  if (built.client === 'typescript' || built.client === undefined) {
    const cost =
      'no C compiler was there, so the thin client is the TypeScript one: some 50 ms a call in place of 1 ms';
    findings.push(mend('thin-client', cost, 'run: apt-get install gcc, then npm run build, then keyhold install'));
  } else findings.push(fine('thin-client', `native (${String(built.client)})`));
  if (built.addon === true) findings.push(fine('addon', 'built'));
  else {
    const cost = 'not built: callers are told apart by the folder alone, and memory is not locked';
    findings.push(mend('addon', cost, 'run: apt-get install gcc, then npm run build, then keyhold install'));
  }
  return findings;
}

function readBuild(): Record<string, unknown> | undefined {
  for (const place of PLACES) {
    try {
      return JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as Record<string, unknown>;
    } catch {
      // Not run from there.
    }
  }
  return undefined;
}
