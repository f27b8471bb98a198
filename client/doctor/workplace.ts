import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkFormat, type Manifest, secretVariables } from '../../protocol/services/index.ts';
import { openFile } from '../formats/file.ts';
import { readLeaves } from '../formats/read.ts';
import { leavesIn } from '../import/source.ts';
import { runProgram } from '../programs.ts';
import { type Finding, mend, note } from './finding.ts';

/** Files named `.env…` that are looked at in one folder. */
const FILES_MAX = 16;

/** What of the working directory holds tokens: addresses of remotes, `.env` files, a project's `.npmrc`. */
export async function checkWorkplace(manifests: readonly Manifest[], cwd = process.cwd()): Promise<Finding[]> {
  const findings = judgeUrls(run(['config', '--null', '--show-origin', '--get-regexp', URLS], cwd).stdout);
  const npmrc = await assigned(join(cwd, '.npmrc'));
  if (
    npmrc.some(([name, value]) => /:_(?:authToken|auth|password)$/.test(name) && value !== '' && !value.includes('${'))
  ) {
    findings.push(
      ...judgeFile(
        '.npmrc',
        'a token',
        cwd,
        'name a variable in its place, and run: keyhold exec --service npm -- npm …',
      ),
    );
  }
  for (const [name, value] of npmrc) {
    if (holdsToken(value)) findings.push(mend('urls', `${name} of .npmrc has a token in its URL`, OUT_OF_URL));
  }
  for (const file of dotenvFiles(cwd)) {
    const services = tokensIn(await assigned(join(cwd, file)), manifests);
    for (const { service, name } of services.slice(0, FILES_MAX)) {
      const instead = `take it out: keyhold exec --service ${service} -- COMMAND`;
      findings.push(...judgeFile(file, `a token for ${service} (${name})`, cwd, instead));
    }
  }
  return findings;
}

const URLS = String.raw`^(remote\..*\.(push)?url|url\..*\.(insteadof|pushinsteadof)|submodule\..*\.url|http\..*\.extraheader)$`;
const OUT_OF_URL = 'take it out of the URL, keep it by: keyhold token set --for URL, and revoke it where others saw it';

/**
 * Whether a URL carries a password, or a token in its query. Both end up in logs, in histories and in the list of
 * processes.
 */
export function holdsToken(url: string): boolean {
  return (
    /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#@]*:[^/?#@]+@/.test(url) ||
    /[?&](?:access_token|private_token|job_token|token|api_?key|auth|password)=[^&\s$]/i.test(url)
  );
}

/** Reads `--null --show-origin`: origin NUL key LF value NUL. Of `url.BASE.insteadOf` the key holds the URL. */
function judgeUrls(output: string): Finding[] {
  const fields = output.split('\0');
  const findings: Finding[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [key = '', ...value] = fields[at + 1]!.split('\n');
    const file = fields[at]!.replace(/^file:/, '');
    const [section = '', name = ''] = [key.split('.')[0], key.split('.').at(-1)];
    const isHeader = section === 'http' && /authorization|token/i.test(value.join('\n'));
    const url = section === 'url' ? key.slice('url.'.length, -name.length - 1) : value.join('\n');
    if (isHeader)
      findings.push(
        mend(
          'urls',
          `git sends a header with a token that stands in ${file}`,
          `run: git config --file ${file} --unset-all http.URL.extraheader`,
        ),
      );
    else if (holdsToken(url)) {
      const which =
        section === 'url' ? 'an address' : `the address of ${key.slice(section.length + 1, -name.length - 1)}`;
      findings.push(
        mend('urls', `${which} in ${file} has a token in its URL, which wins over every helper`, OUT_OF_URL),
      );
    }
  }
  return findings;
}

/** Who else gets a file with a token: everybody who has the repository, or may read the file. */
function judgeFile(file: string, holds: string, cwd: string, instead: string): Finding[] {
  const opened = openFile(join(cwd, file));
  const findings: Finding[] = [];
  const what = `${file} here holds ${holds}`;
  if (opened.status === 'ok' && (opened.stats.mode & 0o077) !== 0) {
    findings.push(mend('workplace', `${what}, and others may open it`, `run: chmod 600 ${file}`));
  }
  const isRepository = run(['rev-parse', '--is-inside-work-tree'], cwd).stdout.trim() === 'true';
  if (isRepository && run(['ls-files', '--error-unmatch', '--', file], cwd).code === 0) {
    findings.push(
      mend(
        'workplace',
        `${what}, and git has it: whoever has the repository has the token`,
        `revoke the token; run: git rm --cached ${file}; name it in .gitignore; ${instead}`,
      ),
    );
  } else if (isRepository && run(['check-ignore', '--quiet', '--', file], cwd).code !== 0) {
    findings.push(
      mend(
        'workplace',
        `${what}, and no .gitignore names it: the next git add takes it along`,
        `run: echo ${file} >> .gitignore; better, ${instead}`,
      ),
    );
  }
  return findings.length > 0 ? findings : [note('workplace', what, instead)];
}

function dotenvFiles(cwd: string): string[] {
  try {
    const isOne = (name: string) => /^\.env(?:\..+)?$/.test(name) && !/\.(?:example|sample|template|dist)$/.test(name);
    return readdirSync(cwd).filter(isOne).slice(0, FILES_MAX);
  } catch {
    return [];
  }
}

/** Which assignments are tokens: by a variable's name, or by a value that begins as the tokens of one service do. */
function tokensIn(assignments: readonly (readonly [string, string])[], manifests: readonly Manifest[]) {
  const found: { readonly service: string; readonly name: string }[] = [];
  for (const [name, value] of assignments) {
    if (value === '' || value.startsWith('$')) continue;
    const bytes = Buffer.from(value, 'latin1');
    const manifest =
      manifests.find((one) => secretVariables(one).includes(name)) ??
      manifests.find((one) => hasPrefix(one, value) && checkFormat(one, bytes).status === 'ok');
    if (manifest) found.push({ service: manifest.id, name });
  }
  return found;
}

function hasPrefix({ kinds }: Manifest, value: string): boolean {
  return kinds.some(({ format }) => format?.prefixes?.some((prefix) => prefix.length > 3 && value.startsWith(prefix)));
}

/** `NAME=value` lines, also behind `export`, without quotes. What is no such file gives nothing. */
async function assigned(file: string): Promise<[string, string][]> {
  const opened = openFile(file);
  if (opened.status !== 'ok') return [];
  return leavesIn(await readLeaves('lines', opened.bytes)).flatMap(({ value: line }): [string, string][] => {
    const [, name, value = ''] = /^\s*(?:export\s+)?([^\s=#;][^\s=]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value.replace(/^(["'])(.*)\1$/, '$2')]];
  });
}

function run(args: readonly string[], cwd: string): { readonly code: number | null; readonly stdout: string } {
  const { status, stdout } = runProgram('git', args, { cwd, encoding: 'latin1' });
  return { code: status, stdout };
}
