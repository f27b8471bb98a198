import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sources } from '../../client/import/index.ts';
import { knownTools, setupTools } from '../../client/setup/index.ts';
import { type BackendName, backendNames } from '../../daemon/backends/backend.ts';
import { adapters } from '../../protocol/tools/index.ts';
import { linkNames } from '../../scripts/build/thin-table.ts';
import { files } from '../client/import/files.ts';
import { schemas } from '../client/schemas.ts';
import { examples } from '../client/setup/examples.ts';
import { builtIn } from '../protocol/services/manifests.ts';

/** Every list that stands outside a registry, held against it: what is registered is in the list, and nothing else is. */

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const filesIn = (folder: string, end: string) =>
  readdirSync(join(root, folder))
    .filter((file) => file.endsWith(end))
    .map((file) => file.slice(0, -end.length));

describe('an adapter', () => {
  it.each(adapters.map((adapter) => [adapter.name, adapter] as const))(
    '%s is in docs/tools.md',
    (name, { programs }) => {
      const known = [...programs.map((program) => program.replace('@*', '@HOST')), `keyhold-helper ${name}`];
      const page = read('docs/tools.md');
      expect(known.filter((words) => page.includes(`\`${words}`))).not.toEqual([]);
    },
  );

  it.each(adapters.map((adapter) => [adapter.name, adapter] as const))('%s has transcripts', (name, { programs }) => {
    const texts = filesIn('test/transcripts', '.txt').map((file) => read(`test/transcripts/${file}.txt`));
    const starts = [...programs.map((program) => program.replace('*', '')), `keyhold-helper ${name}`];
    expect(texts.filter((text) => starts.some((start) => text.includes(`\n$ ${start}`)))).not.toEqual([]);
  });

  it("'s programs are those of package.json, beside the two of our own", () => {
    const { bin } = JSON.parse(read('package.json')) as { bin: Record<string, string> };
    const own = ['keyhold', 'keyhold-agent', 'keyhold-helper'];
    expect(Object.keys(bin).sort()).toEqual([...new Set([...own, ...linkNames(adapters)])].sort());
    for (const [name, path] of Object.entries(bin)) expect(path).toBe(`dist/bin/${name}`);
  });
});

describe('a tool of setup', () => {
  const names = knownTools.map(({ name }) => name).sort();

  it('is in docs/schemas/setup.json', () => {
    expect(
      Object.keys(schemas.get('setup.json')!.$defs!)
        .filter((name) => names.includes(name))
        .sort(),
    ).toEqual(names);
  });

  it('is in docs/tools.md or docs/installing.md', () => {
    const page = read('docs/tools.md') + read('docs/installing.md');
    expect(names.filter((name) => !page.includes(`setup ${name}`))).toEqual([]);
  });

  it('has an example, which its contract runs', () => {
    expect(Object.keys(examples).sort()).toEqual(setupTools.map(({ name }) => name).sort());
  });
});

describe('a source of import', () => {
  const names = sources.map(({ name }) => name).sort();

  it('has a file in every test of import', () => {
    expect([...new Set(files.map(({ name }) => name))].filter((name) => names.includes(name)).sort()).toEqual(names);
  });

  it('is in docs/import.md', () => {
    const page = read('docs/import.md');
    expect(names.filter((name) => !page.includes(name))).toEqual([]);
  });
});

describe('a service', () => {
  it('is each manifest, and nothing else', () => {
    expect(builtIn.map(({ id }) => id).sort()).toEqual(filesIn('daemon/services/manifests', '.yaml').sort());
  });

  it('is in docs/services.md', () => {
    const page = read('docs/services.md');
    expect(builtIn.filter(({ title }) => !page.includes(title)).map(({ id }) => id)).toEqual([]);
  });
});

/** Where each backend is run through its contract (test/contracts/backend.ts): the real keyring needs a session of its own. */
const contracts: Readonly<Record<BackendName, string>> = {
  keyring: 'test/live/keyring/contract.test.ts',
  vault: 'test/daemon/backends/vault/vault.test.ts',
  memory: 'test/daemon/backends/memory.test.ts',
};

describe('a backend', () => {
  it.each(backendNames)('%s passes the contract of all backends', (name) => {
    expect(read(contracts[name])).toMatch(new RegExp(`testBackend\\(\\s*['\`][^'\`]*${name}`));
  });
});
