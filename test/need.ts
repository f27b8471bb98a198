import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/**
 * Whether `program` is on PATH, for `describe.skipIf(!need('git', 'apt-get install git'))`. When it is missing, says so
 * and how to get it; under CI=true a missing program is an error, so that nothing is skipped in silence.
 */
export function need(program: string, howToGet: string): boolean {
  for (const folder of (process.env.PATH ?? '').split(':')) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      // Not in this folder.
    }
  }
  const text = `skipped: ${program} is missing; to get it: ${howToGet}`;
  if (process.env.CI === 'true') throw new Error(text);
  console.warn(text);
  return false;
}
