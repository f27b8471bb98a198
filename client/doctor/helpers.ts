import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { openFile } from '../formats/file.ts';
import type { Leaf } from '../formats/leaf.ts';
import { type Format, readLeaves } from '../formats/read.ts';
import { leavesIn } from '../import/source.ts';
import { type Finding, mend, note } from './finding.ts';
import type { Environment } from './sightings.ts';

/** Folders above the working directory in which a tool looks for a configuration file. */
const FOLDERS_MAX = 64;

/** Whom docker, cargo, terraform, npm and pnpm ask for tokens, and what each takes before it asks. */
export async function checkHelpers(environment: Environment = process.env, cwd = process.cwd()): Promise<Finding[]> {
  const home = environment['HOME'] ?? homedir();
  const cargoHome = environment['CARGO_HOME'] || join(home, '.cargo');
  const docker = join(environment['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json');
  const terraform = environment['TF_CLI_CONFIG_FILE'] || join(home, '.terraformrc');
  const findings = [
    ...judgeDocker(await leavesOf(docker, 'json'), docker),
    ...judgeVariables(environment),
    ...judgeCargo(await leavesOf(join(cargoHome, 'config.toml'), 'toml'), join(cargoHome, 'config.toml')),
    ...judgeTerraform(textOf(terraform), terraform),
    ...judgeNpm(await leavesOf(join(home, '.npmrc'), 'npmrc'), join(home, '.npmrc')),
  ];
  for (const file of above(cwd, '.cargo/config.toml')) {
    if (dirname(file) !== cargoHome) findings.push(...judgeProject(await leavesOf(file, 'toml'), file));
  }
  return findings;
}

const isOurs = (program: string) => /(?:^|[/-])keyhold(?:-[a-z]+)?(?:$|[\s@])/.test(program);

/** `credHelpers` for a registry stand above `credsStore` for all; what is in `auths` is read only without either. */
function judgeDocker(leaves: readonly Leaf[], file: string): Finding[] {
  const store = leaves.find(({ path }) => path.length === 1 && path[0] === 'credsStore')?.value;
  const helpers = leaves.filter(({ path }) => path.length === 2 && path[0] === 'credHelpers');
  const asked = [
    ...(store === undefined ? [] : [{ where: 'every registry', program: store }]),
    ...helpers.map(({ path, value }) => ({ where: path[1]!, program: value })),
  ];
  const hosts = leaves.filter(({ path }) => path[0] === 'auths' && /^(?:auth|identitytoken)$/.test(path[2] ?? ''));
  return [
    ...asked
      .filter(({ program }) => program !== '' && !isOurs(program))
      .map(({ where, program }) =>
        note('docker', `docker asks ${program} for ${where}, not keyhold (${file})`, 'run: keyhold setup docker'),
      ),
    ...[...new Set(hosts.map(({ path }) => path[1]!))].map((host) => judgeInline(host, asked, file)),
  ];
}

function judgeInline(host: string, asked: readonly { where: string; program: string }[], file: string): Finding {
  const inForce = asked.find(({ where }) => where === host) ?? asked.find(({ where }) => where === 'every registry');
  const remedy = 'run: keyhold import --only docker --remove';
  return inForce
    ? note('docker', `a token for ${host} still stands in ${file}, where ${inForce.program} is asked instead`, remedy)
    : mend('docker', `docker takes the token for ${host} from ${file}, in plaintext, and asks nobody`, remedy);
}

const steering: readonly { readonly pattern: RegExp; readonly who: string }[] = [
  { pattern: /^DOCKER_AUTH_CONFIG$/, who: 'docker takes its tokens before it asks a helper' },
  { pattern: /^CARGO_REGISTRIES_.+_TOKEN$/, who: 'cargo takes it before it asks a provider' },
  { pattern: /^TF_TOKEN_.+$/, who: 'terraform takes it before it asks a helper' },
  { pattern: /^npm_config_\/\/.*:_(?:authToken|auth|password)$/i, who: 'npm takes it before what .npmrc says' },
];

function judgeVariables(environment: Environment): Finding[] {
  return Object.keys(environment).flatMap((name) => {
    const found = environment[name] ? steering.find(({ pattern }) => pattern.test(name)) : undefined;
    return found ? [mend('helpers', `the variable ${name} holds a token: ${found.who}`, `run: unset ${name}`)] : [];
  });
}

/** Of `global-credential-providers` the last is asked first. */
function judgeCargo(leaves: readonly Leaf[], file: string): Finding[] {
  const providers = leaves.filter(({ path }) => path[0] === 'registry' && path[1] === 'global-credential-providers');
  const first = providers.at(-1)?.value;
  if (first === undefined || isOurs(first)) return [];
  const ours = providers.some(({ value }) => isOurs(value));
  const what = ours ? 'before keyhold' : 'and not keyhold';
  return [note('cargo', `cargo asks ${wordOf(first)} ${what} (${file})`, 'run: keyhold setup cargo')];
}

/** A folder that is somebody else's work may choose which program is given the token. */
function judgeProject(leaves: readonly Leaf[], file: string): Finding[] {
  const chosen = leaves.filter(
    ({ path }) => path.includes('credential-provider') || path[1] === 'global-credential-providers',
  );
  return chosen.length === 0
    ? []
    : [mend('cargo', `${file} chooses which program cargo asks for tokens here`, `look at it; take that line out`)];
}

function judgeTerraform(text: string, file: string): Finding[] {
  const findings = [...text.matchAll(/^[ \t]*credentials[ \t]+"([^"\n]+)"/gm)].map(([, host]) =>
    mend(
      'terraform',
      `terraform takes the token for ${host} from ${file}, in plaintext, and asks nobody`,
      `take its block out of ${file}`,
    ),
  );
  const [, helper] = /^[ \t]*credentials_helper[ \t]+"([^"\n]+)"/m.exec(text) ?? [];
  if (helper === undefined || isOurs(helper)) return findings;
  return [
    ...findings,
    note('terraform', `terraform asks ${helper}, not keyhold (${file})`, 'run: keyhold setup terraform'),
  ];
}

function judgeNpm(leaves: readonly Leaf[], file: string): Finding[] {
  return leaves
    .filter(({ path, value }) => /:tokenHelper$/.test(path[0] ?? '') && !isOurs(value))
    .map(({ path, value }) =>
      note('npm', `pnpm asks ${wordOf(value)} for ${path[0]!.replace(/\/?:tokenHelper$/, '')}, not keyhold (${file})`),
    );
}

/** A program without its arguments: those may hold secrets. */
function wordOf(command: string): string {
  return command.trim().split(/\s/)[0]!;
}

async function leavesOf(file: string, format: Format): Promise<readonly Leaf[]> {
  const opened = openFile(file);
  return opened.status === 'ok' ? leavesIn(await readLeaves(format, opened.bytes)) : [];
}

function textOf(file: string): string {
  const opened = openFile(file);
  return opened.status === 'ok' ? opened.bytes.toString() : '';
}

/** The file of that name here and in the folders above. */
export function above(cwd: string, name: string): string[] {
  const files: string[] = [];
  for (let folder = cwd; files.length < FOLDERS_MAX; folder = dirname(folder)) {
    files.push(join(folder, name));
    if (folder === dirname(folder)) break;
  }
  return files;
}
