import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeServer } from '../../fakes/tools/http.ts';
import { startNpmRegistry } from '../../fakes/tools/npm-registry.ts';
import { pnpmVersions } from './clients.ts';
import { aWiredPerson, shortly, type Wired } from './wired.ts';

describe('real pnpm, by what setup pnpm wrote', () => {
  let registry: FakeServer;
  let person: Wired;

  const install = async ([program = '', ...first]: readonly string[]) => {
    const cwd = join(person.desk, 'app');
    rmSync(cwd, { recursive: true, force: true });
    mkdirSync(cwd);
    writeFileSync(join(cwd, 'package.json'), '{"name":"app","version":"1.0.0","dependencies":{"labdemo":"1.0.0"}}');
    writeFileSync(join(cwd, '.npmrc'), `registry=${registry.url}/\nfetch-retries=0\n`);
    // What pnpm keeps for itself lies on the desk, and anew for each time.
    const own = join(person.desk, 'own');
    rmSync(own, { recursive: true, force: true });
    const ran = await person.run(
      program,
      [...first, 'install', '--no-frozen-lockfile', '--store-dir', join(own, 'store'), '--ignore-scripts'],
      {
        cwd,
        expect: 'any',
        env: { XDG_CACHE_HOME: own, XDG_DATA_HOME: join(own, 'data'), CI: 'true' },
      },
    );
    return { ...ran, installed: existsSync(join(cwd, 'node_modules/labdemo/index.js')) };
  };

  beforeEach(async () => {
    [registry, person] = await Promise.all([startNpmRegistry(), aWiredPerson()]);
    registry.accepted.add('Bearer npm-one-EXAMPLE');
  });
  afterEach(async () => {
    await person[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  it('installs from a private registry with each of its kinds, and not where keyhold cannot say', {
    timeout: 180_000,
  }, async () => {
    writeFileSync(join(person.home, '.npmrc'), '; mine\nloglevel=warn');
    await person.setup('pnpm', '--for', `${registry.url}/`);
    for (const [name, pnpm] of Object.entries(pnpmVersions)) {
      expect((await install(pnpm)).installed, name).toBe(false);
    }
    expect(registry.heard.every(({ authorization }) => authorization === undefined)).toBe(true);
    await person.keyhold(['token', 'set', '--for', registry.url, '--username', 'ada'], { input: 'npm-one-EXAMPLE' });
    for (const [name, pnpm] of Object.entries(pnpmVersions)) {
      const ran = await install(pnpm);
      expect(`${ran.code} ${ran.installed} ${ran.code === 0 ? '' : `${ran.stdout}${ran.stderr}`}`, name).toBe(
        '0 true ',
      );
    }
    await person.keyhold(['lock']);
    for (const [name, pnpm] of Object.entries(pnpmVersions)) {
      expect((await install(pnpm)).code, name).not.toBe(0);
    }
    await person.keyhold(['unlock']);
    const expiry = shortly();
    const kept = { protocol: 'http', host: registry.host, username: 'ada', password: 'npm-one-EXAMPLE' };
    await person.keep({ ...kept, password_expiry_utc: expiry });
    await expect.poll(async () => (await install(pnpmVersions['pnpm 12']!)).code).not.toBe(0);
    expect((await install(pnpmVersions['pnpm 10']!)).stdout).toContain('ERR_PNPM_TOKEN_HELPER_ERROR_STATUS');
    const { before, after } = await person.undo('pnpm');
    expect(after).toEqual(before);
  });
});
