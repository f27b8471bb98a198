/** The variables by which git tells a helper which repository it works on (git(1)). Both may be relative to `cwd`. */
export const REPOSITORY_VARIABLES = ['GIT_DIR', 'GIT_WORK_TREE'] as const;

/**
 * The folder of the repository that a helper works for, by names alone, as wire values: no file is read. The work tree; else what
 * `.git` lies in; else the repository itself (a bare one, a submodule's or a work tree's own folder); else the working
 * directory. A clone names its destination here. Undefined where nothing names an absolute folder.
 */
export function repositoryFolder(
  cwd: string | undefined,
  gitDir: string | undefined,
  workTree: string | undefined,
): string | undefined {
  if (workTree) return resolved(cwd, workTree);
  const git = gitDir ? resolved(cwd, gitDir) : undefined;
  if (git === undefined) return cwd === undefined ? undefined : resolved(undefined, cwd);
  return git.endsWith('/.git') ? git.slice(0, -'/.git'.length) || '/' : git;
}

/** An absolute path in its plainest form; undefined for a relative one without an absolute folder to begin from. */
function resolved(from: string | undefined, path: string): string | undefined {
  const whole = path.startsWith('/') ? path : `${from ?? ''}/${path}`;
  if (!path.startsWith('/') && !from?.startsWith('/')) return undefined;
  const parts: string[] = [];
  for (const part of whole.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
