import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Whether `program` is on PATH, for `describe.skipIf(!need(…))`. Prints what is missing and how to get it; under
 * CI=true, where everything that can be had must be there, it throws instead.
 */
export function need(program: string, howToGet: string): boolean {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      // In the next folder, perhaps.
    }
  }
  const text = `${program} is missing; get it by: ${howToGet}`;
  if (process.env['CI'] === 'true') throw new Error(text);
  console.warn(`skipped: ${text}`);
  return false;
}
