import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { basic } from '../../fakes/tools/http.ts';
import { aWheel, type PythonIndex, startPythonIndex } from '../../fakes/tools/python-index.ts';
import { need } from '../../need.ts';
import { aVirtualPip, hasPip, hasPythonModule } from './clients.ts';
import { aWiredPerson, type Wired } from './wired.ts';

const LOCKED = 'keyhold: the credentials are locked; run: keyhold unlock';
const pip = hasPip();
const twine = need('twine', 'apt-get install twine');
const suite =
  hasPythonModule('keyring.testing.backend', 'apt-get install python3-keyring python3-pytest') &&
  hasPythonModule('pytest', 'apt-get install python3-pytest');

let index: PythonIndex;
let person: Wired;

const begin = async () => {
  index = await startPythonIndex();
  index.accepted.add(basic('ada', 'pip-EXAMPLE'));
  person = await aWiredPerson({ PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_CACHE_DIR: '1', PIP_RETRIES: '0' });
};
const kept = () => ({ protocol: 'http', host: index.host, username: 'ada', password: 'pip-EXAMPLE' });
afterEach(async () => {
  await person[Symbol.asyncDispose]();
  await index[Symbol.asyncDispose]();
});

describe.skipIf(!pip)('real pip, by what setup pip wrote', () => {
  beforeEach(begin);

  /** Installs from the index, with keyhold's folder first on PATH, as setup pip said. */
  const install = async (url = index.index.replace('//', '//ada@')) => {
    const target = join(person.desk, 'target');
    rmSync(target, { recursive: true, force: true, maxRetries: 5 });
    const folder = join(person.home, '.local/share/keyhold/path/pip');
    const ran = await person.run(
      join(person.desk, 'venv/bin/python'),
      ['-m', 'pip', 'install', '-q', '--no-deps', '--target', target, '--index-url', url, 'labdemo'],
      { env: { PATH: `${folder}:${person.env['PATH']}` }, expect: 'any' },
    );
    return { ...ran, installed: existsSync(join(target, 'labdemo.py')) };
  };

  it('installs from a private index, and says why where it cannot', { timeout: 120_000 }, async () => {
    await aVirtualPip(person);
    await person.setup('pip');
    expect(await install()).toMatchObject({ installed: false });
    await person.keep(kept());
    expect(await install()).toMatchObject({ installed: true, code: 0 });
    expect(index.heard.at(-1)).toMatchObject({ authorization: basic('ada', 'pip-EXAMPLE'), status: 200 });

    await person.whileLocked(async () => {
      expect((await asked(['get', index.index, 'ada'])).stderr).toContain(LOCKED);
      expect(await install()).toMatchObject({ installed: false });
    });

    // What pip would store itself, after a prompt, and what it would take back.
    expect(await asked(['set', index.index, 'bob'], 'bob-EXAMPLE\n')).toMatchObject({ code: 0 });
    expect(await asked(['get', index.index, 'bob'])).toMatchObject({ stdout: 'bob-EXAMPLE\n', code: 0 });
    expect(await asked(['del', index.index, 'bob'])).toMatchObject({ code: 0 });
    expect(await asked(['get', index.index, 'bob'])).toMatchObject({ stdout: '', stderr: '', code: 1 });

    await person.keepPast(kept());
    expect((await asked(['get', index.index, 'ada'])).stderr).toContain('past its expiry');
    expect(await install()).toMatchObject({ installed: false });
    const { before, after } = await person.undo('pip');
    expect(after).toEqual(before);
  });

  const asked = (words: string[], input = '') =>
    person.run(join(person.home, '.local/share/keyhold/path/pip/keyring'), words, { input, expect: 'any' });
});

describe.skipIf(!twine)('real twine, by what setup twine wrote', () => {
  beforeEach(begin);

  const upload = () => {
    mkdirSync(join(person.desk, 'dist'), { recursive: true });
    const file = join(person.desk, 'dist/labdemo-0.1.0-py3-none-any.whl');
    writeFileSync(file, aWheel());
    const words = ['upload', '--non-interactive', '--disable-progress-bar', '--repository-url', index.uploads, file];
    return person.run('twine', words, { expect: 'any' });
  };

  it('uploads, and is never told that a locked keyhold holds nothing', { timeout: 120_000 }, async () => {
    await person.setup('twine');
    expect(await upload()).not.toMatchObject({ code: 0 });
    await person.keep(kept());
    expect(await upload()).toMatchObject({ code: 0 });
    expect(index.heard.at(-1)).toMatchObject({ path: '/legacy/', authorization: basic('ada', 'pip-EXAMPLE') });

    const locked = await person.whileLocked(upload);
    expect(outputOf(locked)).toContain('the credentials are locked');
    expect(locked.code).not.toBe(0);

    // The library itself, as poetry and others use it: set, get, delete, and a miss.
    const library = [
      'import keyring',
      'keyring.set_password("https://h.invalid/", "bob", "bob-EXAMPLE")',
      'assert keyring.get_credential("https://h.invalid/", None).password == "bob-EXAMPLE"',
      'keyring.delete_password("https://h.invalid/", "bob")',
      'assert keyring.get_password("https://h.invalid/", "bob") is None',
    ];
    await person.run('/usr/bin/python3', ['-c', library.join('\n')]);

    await person.keepPast(kept());
    expect(outputOf(await upload())).toContain('past its expiry');
    const { before, after } = await person.undo('twine');
    expect(after).toEqual(before);
  });
});

describe.skipIf(!suite)("Debian's keyring library, by what setup twine wrote", () => {
  beforeEach(begin);

  const pytest = (file: string, names = '') =>
    person.run(
      '/usr/bin/python3',
      ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', join(import.meta.dirname, 'python', file), '-k', names],
      { env: { PYTHONDONTWRITEBYTECODE: '1' }, expect: 'any' },
    );

  it("passes keyring's own tests of a backend, but for control characters", { timeout: 180_000 }, async () => {
    await person.setup('twine');
    const ran = await pytest('test_conformance.py');
    expect(ran, ran.stdout).toMatchObject({ code: 0 });
    // None was skipped, and keyring's own are among them.
    expect(ran.stdout).toMatch(/^\d+ passed in /m);
    const own = await pytest('test_conformance.py', 'test_difficult_chars or test_credential or test_unicode_chars');
    expect(own.stdout).toMatch(/^3 passed/m);
    expect(await person.held()).toEqual([]);
  });

  it('leaves to the backend that was there before what is there', { timeout: 120_000 }, async () => {
    await person.setup('twine');
    const ran = await pytest('test_chain.py');
    expect(ran, ran.stdout).toMatchObject({ code: 0 });
  });
});

function outputOf({ stdout, stderr }: { stdout: string; stderr: string }): string {
  return `${stdout}${stderr}`.replace(/\s+/g, ' ');
}
