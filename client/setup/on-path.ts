import { accessSync, constants, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Ground } from '../install/ground.ts';

/** The first of the programs that a shell would find, by its path; undefined if none is there. */
export function onPath(
  { environment }: Pick<Ground, 'environment'>,
  ...programs: readonly string[]
): string | undefined {
  const folders = (environment['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
  for (const program of programs) {
    const path = folders.map((folder) => join(folder, program)).find(isProgram);
    if (path !== undefined) return path;
  }
  return undefined;
}

/** What to say where a tool looks for `helper` on PATH, and it is not there. */
export function notOnPath({ environment }: Pick<Ground, 'environment'>, tool: string, helper: string): string[] {
  const folder = dirname(helper);
  if ((environment['PATH'] ?? '').split(':').includes(folder)) return [];
  return [`${tool} looks for its helpers on PATH, and ${folder} is not there: add it in your shell's profile`];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
