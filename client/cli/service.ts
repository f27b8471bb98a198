import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, type Command, Option } from 'commander';
import { type Catalogue, MANIFEST_MAX, type Manifest, rivalOf, type Urls } from '../../protocol/services/index.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { keepManifest } from '../services/add.ts';
import { ownFolder, readCatalogue } from '../services/catalogue.ts';
import { compileManifest, type Slip } from '../services/compile.ts';
import { hasDisplay, openPage } from '../services/open.ts';
import { causesOf, factsOf, hostsText, hostText, warningsOf } from '../services/page.ts';
import { CommandFailure } from './failure.ts';
import { remark, show } from './page.ts';
import { addNoun, addVerb, type VerbOptions } from './verb.ts';

const pages = ['create', 'dashboard', 'docs', 'status', 'support'] as const satisfies readonly (keyof Urls)[];
type PageName = (typeof pages)[number];

/** `keyhold service`: what is known about each service. Nothing here asks the agent or the network. */
export function addService(program: Command): void {
  const service = addNoun(program, 'service', 'what is known about each service');
  addVerb(service, 'list', 'the services that are known').action(list);
  addVerb(service, 'show', 'what is known about one').addArgument(id()).action(showOne);
  addVerb(service, 'open', 'its page, in the browser if there is a display')
    .addArgument(id())
    .addOption(new Option('--page <page>', 'which page').choices(pages))
    .action(open);
  addVerb(service, 'check', 'look for mistakes in a manifest')
    .argument('<file>', 'a manifest as YAML or JSON, or the id of a service')
    .action(check);
  addVerb(service, 'add', 'make a service known by its manifest')
    .argument('<file>', 'the manifest, as YAML or JSON')
    .option('--replace', 'in place of a service of the same id')
    .action(add);
}

function id(): Argument {
  return new Argument('<id>', 'which one, as keyhold service list shows it');
}

function list({ json }: VerbOptions): void {
  const catalogue = readCatalogue();
  const { manifests, own, faults } = catalogue;
  const services = manifests.map(({ id, title, hosts, kinds, selfHosted = false }) => ({
    id,
    title,
    hosts: hosts.map(hostText),
    selfHosted,
    kinds: kinds.map(({ name }) => name),
    own: own.has(id),
  }));
  show(json, { services, faults }, (page) => {
    page.table(
      ['SERVICE', 'TITLE', 'WHERE'],
      manifests.map((manifest) => [
        own.has(manifest.id) ? `${manifest.id} (yours)` : manifest.id,
        manifest.title,
        hostsText(manifest),
      ]),
      true,
    );
  });
  if (!json) tellFaults(catalogue);
}

/** A manifest that cannot be used is told of wherever services are shown: else it would be missed and not known why. */
function tellFaults({ faults }: Catalogue): void {
  for (const { file, why } of faults) remark(`keyhold: cannot use ${file}: ${why}`);
}

function showOne(id: string, { json }: VerbOptions): void {
  const catalogue = readCatalogue();
  const manifest = find(catalogue, id);
  const own = catalogue.own.has(id);
  show(json, { own, manifest }, (page) => {
    page.facts([['service', own ? `${id} (yours)` : id], ...factsOf(manifest)]);
    const parts = { 'Worth knowing:': warningsOf(manifest), 'What its answers mean:': causesOf(manifest) };
    for (const [heading, lines] of Object.entries(parts)) {
      if (lines.length > 0) page.line().line(heading, 'bold');
      for (const line of lines) page.line(`- ${line}`, undefined, '  ');
    }
  });
}

function find({ manifests, faults }: Catalogue, id: string): Manifest {
  const manifest = manifests.find((one) => one.id === id);
  if (manifest) return manifest;
  const broken = faults.find(({ file }) => file.endsWith(`/${id}.json`));
  if (broken) throw new CommandFailure(exitCodeOf('bad-request'), `cannot use ${broken.file}: ${broken.why}`);
  const ids = manifests.map((one) => one.id).join(', ');
  throw new CommandFailure(exitCodeOf('not-found'), `cannot find the service "${id}"; there are ${ids}`);
}

async function open(id: string, { json, input, page }: VerbOptions & { readonly page?: PageName }): Promise<void> {
  const { urls = {}, title } = find(readCatalogue(), id);
  const name = page ?? pages.find((one) => urls[one] !== undefined);
  const url = name === undefined ? undefined : urls[name];
  if (url === undefined) {
    const known = pages.filter((one) => urls[one] !== undefined).join(', ');
    const which = page === undefined ? 'a page' : `the page "${page}"`;
    const hint = known === '' ? '' : `; known are: ${known}`;
    throw new CommandFailure(exitCodeOf('not-found'), `cannot open ${which} of ${title}: none is known${hint}`);
  }
  const opened = input && hasDisplay() && (await openPage(url));
  show(json, { service: id, page: name, url, opened }, (drawn) => drawn.verbatim(url));
}

type Checked = { readonly name: string; readonly manifest: Manifest };

async function check(file: string, { json }: VerbOptions): Promise<void> {
  const catalogue = readCatalogue();
  const known = catalogue.manifests.find(({ id }) => id === file);
  const { name, manifest } =
    known && !isFile(file) ? { name: file, manifest: known } : await compile(file, catalogue, json);
  show(json, { file: name, service: manifest.id, slips: [] }, (page) =>
    page.line(`${name}: the manifest of ${manifest.title} is well.`, 'green'),
  );
}

/** Compiles a file, or shows all that is wrong with it and ends with 2. */
async function compile(file: string, { manifests }: Catalogue, json: boolean | undefined): Promise<Checked> {
  const compiled = await compileManifest(readManifestFile(file), manifests);
  if (compiled.status === 'ok') return { name: file, manifest: compiled.manifest };
  const { slips } = compiled;
  show(json, { file, slips }, (page) => {
    for (const slip of slips) page.line(slipText(file, slip), undefined, '    ');
    page.line(slips.length === 1 ? 'One mistake.' : `${slips.length} mistakes.`, 'red');
  });
  throw new CommandFailure(exitCodeOf('bad-request'), '');
}

function slipText(file: string, { line, column, text }: Slip): string {
  return `${file}:${line}:${column} ${text}`;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function readManifestFile(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats)
    throw new CommandFailure(exitCodeOf('not-found'), `cannot read ${file}: there is no such file or service`);
  if (!stats.isFile()) throw new CommandFailure(exitCodeOf('bad-request'), `cannot read ${file}: it is no plain file`);
  if (stats.size > MANIFEST_MAX) {
    throw new CommandFailure(exitCodeOf('bad-request'), `cannot read ${file}: it is longer than ${MANIFEST_MAX} bytes`);
  }
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new CommandFailure(1, `cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`, { cause: error });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CommandFailure(exitCodeOf('bad-request'), `cannot read ${file}: it is not UTF-8`, { cause: error });
  }
}

async function add(
  file: string,
  { json, replace = false }: VerbOptions & { readonly replace?: boolean },
): Promise<void> {
  const catalogue = readCatalogue();
  const { manifest } = await compile(file, catalogue, json);
  const { id } = manifest;
  const there = catalogue.manifests.some((one) => one.id === id);
  if (there && !replace) {
    const whose = catalogue.own.has(id) ? 'you have one already' : 'it is built in';
    throw refused(file, `the id "${id}" is taken (${whose}); choose another, or give --replace`);
  }
  const rival = rivalOf(manifest, catalogue.manifests);
  if (rival) {
    throw refused(file, `one of its hosts is ${rival.id}'s already, and neither would be found; name a path of it`);
  }
  const kept = join(ownFolder(), `${id}.json`);
  try {
    keepManifest(kept, manifest);
  } catch (error) {
    throw new CommandFailure(1, `cannot write ${kept}: ${(error as NodeJS.ErrnoException).code}`, { cause: error });
  }
  const hosts = manifest.hosts.map(hostText);
  const variables = manifest.env?.variables.map(({ name }) => name) ?? [];
  show(json, { service: id, file: kept, replaced: there, hosts, variables }, (page) => {
    page.line(`${there ? 'Replaced' : 'Added'} ${id} (${manifest.title}).`, 'green');
    page.facts([
      ['its tokens may go to', hostsText(manifest)],
      ['it may set', variables.length === 0 ? 'no variables' : variables.join(', ')],
      ['to take it back, remove', kept],
    ]);
  });
}

function refused(file: string, rule: string): CommandFailure {
  return new CommandFailure(exitCodeOf('bad-request'), `cannot add ${file}: ${rule}`);
}
