import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { getSystemErrorMessage } from 'node:util';

/** What a failing system call was about to do, in words; others are named as they are. */
const VERBS: Readonly<Record<string, string>> = {
  open: 'open',
  read: 'read',
  write: 'write',
  scandir: 'list',
  opendir: 'list',
  mkdir: 'make the folder',
  rmdir: 'remove the folder',
  unlink: 'remove',
  rename: 'replace',
  symlink: 'make the link',
  readlink: 'read the link',
  lstat: 'look at',
  stat: 'look at',
  chmod: 'change the mode of',
  copyfile: 'copy',
  spawn: 'run',
};

/**
 * One line about an error of the file system or of a program that could not be run: what failed and where, the system's
 * own words, and a remedy that works as printed. Undefined for any other error, and for one that names no path.
 */
export function describeSystemError(error: unknown): string | undefined {
  const { code, errno, syscall, path, dest } = error as NodeJS.ErrnoException & { dest?: string };
  if (!(error instanceof Error) || code === undefined || errno === undefined || syscall === undefined) return undefined;
  const subject = dest ?? path;
  if (typeof subject !== 'string') return undefined;
  const verb = syscall.startsWith('spawn') ? 'run' : (VERBS[syscall] ?? syscall);
  return `cannot ${verb} ${subject}: ${getSystemErrorMessage(errno)} (${code}); ${remedyFor(code, subject)}`;
}

function remedyFor(code: string, path: string): string {
  switch (code) {
    case 'EROFS':
      return 'mount it for writing, or set KEYHOLD_HOME to a folder that can be written';
    case 'EACCES':
    case 'EPERM':
      return remedyForAccess(path);
    case 'ENOSPC':
    case 'EDQUOT':
      return 'make room there and try again';
    case 'EMFILE':
    case 'ENFILE':
      return 'raise the limit of open files: ulimit -n 1024';
    case 'ENOTDIR':
    case 'EEXIST':
    case 'EISDIR':
    case 'ELOOP':
      return 'move away what is there and try again';
    case 'ENOENT':
      return 'make it, or choose another path';
    default:
      return 'see: keyhold doctor';
  }
}

/** Names the nearest thing on the way that another user owns, or that its owner has closed. */
function remedyForAccess(path: string): string {
  const uid = process.getuid!();
  for (let at = path; ; at = dirname(at)) {
    const stats = look(at);
    if (stats && stats.uid !== uid && stats.uid !== 65_534) {
      const isSystems = stats.uid === 0 && at.split('/').length <= 2;
      return isSystems ? 'choose a path in a folder of yours' : `run: sudo chown ${uid} ${quoted(at)}`;
    }
    if (stats && (stats.mode & 0o200) === 0) return `run: chmod u+rwX ${quoted(at)}`;
    if (at === dirname(at)) return 'run: keyhold doctor';
  }
}

function look(path: string) {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

/** A path as a word of a shell. */
function quoted(path: string): string {
  return /^[\w./@+:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
