import type { Target } from '../../protocol/credential.ts';
import { fromWire } from '../../protocol/text.ts';
import { targetOf } from '../cli/target.ts';
import { runProgram } from '../programs.ts';
import { type GitHelper, readHelperLines } from './git.ts';

/** The helpers that git asks for a target, in its order; undefined where git cannot be asked. */
export function gitChain(target: Target): readonly GitHelper[] | undefined {
  const { status, stdout, error } = runProgram(
    'git',
    ['config', '--null', '--show-origin', '--get-regexp', String.raw`^credential\.(.*\.)?helper$`],
    { encoding: 'latin1' },
  );
  if (error || (status !== 0 && status !== 1)) return undefined;
  return chainFor(target, stdout);
}

/**
 * What `git config --null --show-origin` says, for one target: lines for other places are not asked, and an empty line
 * clears all before it (gitcredentials(7), "CONFIGURATION OPTIONS").
 */
export function chainFor(target: Target, output: string): readonly GitHelper[] {
  let chain: GitHelper[] = [];
  for (const helper of readHelperLines(output)) {
    if (helper.url !== '' && !isAbout(helper.url, target)) continue;
    if (helper.program === '') chain = [];
    else chain.push(helper);
  }
  return chain;
}

/** Protocol and host must be equal, a path must begin the target's, and a user must be its user. */
function isAbout(url: string, target: Target): boolean {
  try {
    const place = targetOf(fromWire(url));
    if (place.protocol !== target.protocol || place.host !== target.host) return false;
    if (place.username !== undefined && place.username !== target.username) return false;
    const path = place.path === undefined ? '' : `${place.path}/`;
    return `${target.path ?? ''}/`.startsWith(path);
  } catch {
    return false;
  }
}

/** Whether this machine's git takes an Authorization header in place of a password (git 2.46, `capability[]=authtype`). */
export function gitTakesAuthtype(): boolean {
  const { stdout } = runProgram('git', ['version']);
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 46);
}
