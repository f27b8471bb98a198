import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Whether `program` is there, which neither Debian nor npm provides: a missing one is said plainly, with CI=true, too. */
export function isThere(program: string, where: string): boolean {
  if (onPath(program)) return true;
  console.warn(`skipped: ${program} is missing; get it from: ${where}`);
  return false;
}

/**
 * Whether `program` is there, for `describe.skipIf(!need(…))`. A missing one is said plainly with how to get it, and
 * is a failure where CI=true, because there everything that a package provides is installed.
 */
export function need(program: string, howToGet: string): boolean {
  if (onPath(program)) return true;
  const message = `${program} is missing; get it by: ${howToGet}`;
  if (process.env.CI === 'true') throw new Error(message);
  console.warn(`skipped: ${message}`);
  return false;
}

function onPath(program: string): boolean {
  return `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
