import { accessSync, constants, lstatSync, readlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Environment, Ground } from '../install/ground.ts';
import { type Ran, run } from './run.ts';

/** One `credential.helper` line, or `credential.URL.helper`. */
export type PlainLine = {
  /** The URL that the line is for; undefined if it is for all. */
  readonly url: string | undefined;
  /** Empty: forgets every helper that came before. */
  readonly value: string;
};

/** The same, and where it stands. */
export type HelperLine = PlainLine & {
  /** `system`, `global`, `local`, `worktree` or `command`. */
  readonly scope: string;
  /** `file:/path`, `command line:`, … */
  readonly origin: string;
};

/** Symbolic links that are followed before a chain of them counts as a circle. */
const LINKS_MAX = 16;

/**
 * The file that `git config --global` writes (git-config(1), FILES): GIT_CONFIG_GLOBAL, else ~/.gitconfig, unless only
 * $XDG_CONFIG_HOME/git/config is there.
 */
export function globalFile({ environment, home }: Pick<Ground, 'environment' | 'home'>): string {
  const named = environment['GIT_CONFIG_GLOBAL'];
  if (named !== undefined) {
    if (named.startsWith('/') && named !== '/dev/null') return named;
    throw new KeyholdError(
      'bad_config',
      `cannot set up git: GIT_CONFIG_GLOBAL is "${named}", which is no file to keep it in`,
    );
  }
  const own = join(home, '.gitconfig');
  const xdg = join(environment['XDG_CONFIG_HOME'] || join(home, '.config'), 'git', 'config');
  return !isReadable(own) && isReadable(xdg) ? xdg : own;
}

/** The file behind a path: where its symbolic links lead, also if nothing is there yet. */
export function behindLinks(path: string): string {
  let target = path;
  for (let links = 0; lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink(); links++) {
    if (links === LINKS_MAX) throw new KeyholdError('bad_config', `cannot follow ${path}: its links go in a circle`);
    target = resolve(dirname(target), readlinkSync(target));
  }
  return target;
}

/** Every helper line that git would see in this folder, in the order in which git reads them. */
export function helperLines(environment: Environment, cwd?: string): HelperLine[] {
  const arguments_ = ['config', '--show-scope', '--show-origin', '-z', '--get-regexp', PATTERN];
  const { code, stdout, stderr } = git(arguments_, environment, cwd);
  if (code === 1) return [];
  if (code !== 0) throw gitFault('read the git configuration', stderr);
  const fields = stdout.split('\0').slice(0, -1);
  return Array.from({ length: fields.length / 3 }, (_, at) => {
    const [scope = '', origin = '', entry = ''] = fields.slice(3 * at);
    return { scope, origin, ...lineOf(entry) };
  });
}

/** The helper lines of one file alone. */
export function helperLinesIn(file: string, environment: Environment): PlainLine[] {
  const { code, stdout, stderr } = git(['config', '--file', file, '-z', '--get-regexp', PATTERN], environment);
  if (code === 1) return [];
  if (code !== 0) throw gitFault(`read ${file}`, stderr);
  return stdout.split('\0').slice(0, -1).map(lineOf);
}

/** Changes a file through git itself, which locks it and keeps its comments, links and mode. */
export function changeConfig(file: string, arguments_: readonly string[], environment: Environment): void {
  const { code, stderr } = git(['config', '--file', file, ...arguments_], environment);
  if (code !== 0) throw gitFault(`change ${file}`, stderr);
}

const PATTERN = '^credential\\.(.*\\.)?helper$';

function lineOf(entry: string): PlainLine {
  const at = entry.indexOf('\n');
  const key = at < 0 ? entry : entry.slice(0, at);
  const url = key.length > 'credential.helper'.length ? key.slice('credential.'.length, -'.helper'.length) : undefined;
  return { url, value: at < 0 ? '' : entry.slice(at + 1) };
}

/** GIT_CONFIG would turn every `git config` to one file of its choice, and git itself does not heed it. */
function git(arguments_: readonly string[], environment: Environment, cwd?: string): Ran {
  return run('git', arguments_, { ...environment, GIT_CONFIG: undefined }, cwd);
}

function gitFault(what: string, stderr: string): KeyholdError {
  const [why = ''] = stderr.split('\n');
  return new KeyholdError('bad_config', `cannot ${what}: git says "${why.replace(/^(fatal|error): /, '')}"`);
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
