import { lstatSync, realpathSync, statSync } from 'node:fs';
import { isOwnFolder } from './own.ts';

/** The link that `install` writes to the agent's program: what a client starts when no agent answers. */
export function autostartLink(state: string): string {
  return `${state}/autostart`;
}

/**
 * The program that STATE/autostart names, without links. Undefined where there is none, and where another user than we or
 * root could have put the link there or could change the program.
 */
export function autostartProgram(state: string): string | undefined {
  const link = autostartLink(state);
  try {
    const uid = process.getuid!();
    const stands = lstatSync(link);
    if (!isOwnFolder(state) || !stands.isSymbolicLink() || stands.uid !== uid) return undefined;
    const program = realpathSync(link);
    const stats = statSync(program);
    const isTrusted = stats.isFile() && (stats.uid === uid || stats.uid === 0) && (stats.mode & 0o022) === 0;
    return isTrusted ? program : undefined;
  } catch {
    return undefined;
  }
}
