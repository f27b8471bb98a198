import { runProgram } from '../programs.ts';
import { type Finding, fine, mend, note } from './finding.ts';

/** One `credential.helper` of git's configuration. */
export type GitHelper = {
  /** The URL that it is for; empty: every one. */
  readonly url: string;
  /** The file that sets it. */
  readonly origin: string;
  /** The helper's program, without its arguments: those may hold secrets. */
  readonly program: string;
  readonly ours: boolean;
};

/** Which helpers git asks, and who besides us sees what git stores. */
export function checkGit(): Finding[] {
  const { status, stdout, error } = runProgram(
    'git',
    ['config', '--null', '--show-origin', '--get-regexp', String.raw`^credential\.(.*\.)?helper$`],
    { encoding: 'latin1' },
  );
  if (error) return [note('git', `git was not asked: ${error.code}`)];
  // 1: nothing is configured.
  if (status !== 0 && status !== 1) return [note('git', 'git cannot read its configuration', 'run: git config --list')];
  return judgeHelpers(readHelpers(stdout));
}

/**
 * Reads `--null --show-origin` output: origin NUL key LF value NUL. An empty value clears what stood before it; one for
 * every URL clears those for a single URL too, because git gathers all that match in the order of its files.
 */
function readHelpers(output: string): GitHelper[] {
  const byUrl = new Map<string, GitHelper[]>();
  for (const helper of readHelperLines(output)) {
    if (helper.program === '' && helper.url === '') byUrl.clear();
    else if (helper.program === '') byUrl.delete(helper.url);
    else byUrl.set(helper.url, [...(byUrl.get(helper.url) ?? []), helper]);
  }
  return [...byUrl.values()].flat();
}

/** Every line of it in its order; one that clears has an empty program. */
export function readHelperLines(output: string): GitHelper[] {
  const fields = output.split('\0');
  const lines: GitHelper[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [key = '', ...value] = fields[at + 1]!.split('\n');
    const url = key.slice('credential.'.length, Math.max(key.length - '.helper'.length, 'credential.'.length));
    const program = programOf(value.join('\n'));
    lines.push({ url, origin: fields[at]!.replace(/^file:/, ''), program, ours: isOurs(program) });
  }
  return lines;
}

function judgeHelpers(helpers: readonly GitHelper[]): Finding[] {
  if (!helpers.some(({ ours }) => ours)) return [note('git', 'git does not ask keyhold', 'run: keyhold setup git')];
  const foreign = helpers.filter(({ ours }) => !ours);
  if (foreign.length === 0) return [fine('git', 'git asks keyhold and nobody else')];
  return foreign.map(({ program, origin, url }) => {
    const where = url === '' ? '' : ` for ${url}`;
    return mend(
      'git',
      `git also gives your tokens to ${program}${where} (${origin})`,
      `take its line out of ${origin}`,
    );
  });
}

function programOf(helper: string): string {
  if (helper.startsWith('!'))
    return /git-credential-keyhold|keyhold-helper/.test(helper)
      ? 'a shell command that runs keyhold'
      : 'a shell command';
  return helper.trim().split(/\s/)[0]!;
}

function isOurs(program: string): boolean {
  return /(^|\/)(git-credential-)?keyhold(-helper)?$/.test(program) || program === 'a shell command that runs keyhold';
}
