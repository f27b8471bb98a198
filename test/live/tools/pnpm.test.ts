import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeServer } from '../../fakes/tools/http.ts';
import { startNpmRegistry } from '../../fakes/tools/npm-registry.ts';
import { pnpmVersions } from './clients.ts';
import { aWiredPerson, type Wired } from './wired.ts';

/** What each says when its helper fails: none passes on the helper's own words, and 12 goes on without a token. */
const failed: Readonly<Record<string, RegExp>> = {
  'pnpm 9': /ERR_PNPM_TOKEN_HELPER_ERROR_STATUS/,
  'pnpm 10': /ERR_PNPM_TOKEN_HELPER_ERROR_STATUS/,
  'pnpm 12': /Unauthorized - 401\s+help: No authorization header was set/,
};

describe('real pnpm, by what setup pnpm wrote', () => {
  let registry: FakeServer;
  let person: Wired;

  /** Installs from a registry, anew for each time: what pnpm keeps for itself lies on the desk. */
  const install = async (name: string, url = `${registry.url}/`, env: Readonly<Record<string, string>> = {}) => {
    const [program = '', ...first] = pnpmVersions[name]!;
    const desk = join(person.desk, name.replace(' ', '-'));
    rmSync(desk, { recursive: true, force: true, maxRetries: 5 });
    const cwd = join(desk, 'app');
    mkdirSync(cwd, { recursive: true });
    writeFileSync(join(cwd, 'package.json'), '{"name":"app","version":"1.0.0","dependencies":{"labdemo":"1.0.0"}}');
    writeFileSync(join(cwd, '.npmrc'), `registry=${url}\nfetch-retries=0\n`);
    const words = ['install', '--no-frozen-lockfile', '--store-dir', join(desk, 'store'), '--ignore-scripts'];
    const { code, stdout, stderr } = await person.run(program, [...first, ...words], {
      cwd,
      expect: 'any',
      env: { ...env, XDG_CACHE_HOME: join(desk, 'cache'), XDG_DATA_HOME: join(desk, 'data'), CI: 'true' },
    });
    return { code, text: `${stdout}${stderr}`, isInstalled: existsSync(join(cwd, 'node_modules/labdemo/index.js')) };
  };
  /** By each of its kinds at once: the three share nothing. */
  const byEach = async (check: (name: string) => Promise<void>) => {
    await Promise.all(Object.keys(pnpmVersions).map(check));
  };

  beforeAll(async () => {
    [registry, person] = await Promise.all([startNpmRegistry(), aWiredPerson()]);
    registry.accepted.add('Bearer npm-one-EXAMPLE');
    writeFileSync(join(person.home, '.npmrc'), '; mine\nloglevel=warn');
    await person.setup('pnpm', '--for', `${registry.url}/`);
  });
  afterAll(async () => {
    await person[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  it('installs from a private registry with each of its kinds, and not where keyhold cannot say', async () => {
    const kept = { protocol: 'http', host: registry.host, username: 'ada', password: 'npm-one-EXAMPLE' };
    await person.keepPast({ ...kept, path: 'old' });
    await byEach(async (name) => {
      const missing = await install(name);
      expect(missing.code, name).not.toBe(0);
      expect(missing.isInstalled, name).toBe(false);
    });
    expect(registry.heard.every(({ authorization }) => authorization === undefined)).toBe(true);

    await person.keep(kept);
    await byEach(async (name) => {
      const { code, text, isInstalled } = await install(name);
      expect(`${code} ${isInstalled} ${code === 0 ? '' : text}`, name).toBe('0 true ');
    });
    // Another account's token was stored last, and NPM_CONFIG_USERCONFIG names the file.
    await person.keep({ ...kept, username: 'bob', password: 'npm-two-EXAMPLE' });
    const userConfig = { NPM_CONFIG_USERCONFIG: join(person.desk, 'npmrc') };
    await person.keyhold(['setup', 'pnpm', '--for', `${registry.url}/`, '--account', 'ada'], { env: userConfig });
    await byEach(async (name) => {
      const { code, text, isInstalled } = await install(name, `${registry.url}/`, userConfig);
      expect(`${code} ${isInstalled} ${code === 0 ? '' : text}`, name).toBe('0 true ');
    });
    await person.forget({ protocol: 'http', host: registry.host, username: 'bob' });
    await person.whileLocked(() =>
      byEach(async (name) => {
        const locked = await install(name);
        expect(locked.code, name).not.toBe(0);
        expect(locked.text, name).toMatch(failed[name]!);
      }),
    );
    await person.setup('pnpm', '--for', `${registry.url}/old/`);
    await byEach(async (name) => {
      expect((await install(name, `${registry.url}/old/`)).text, name).toMatch(failed[name]!);
    });
    const { before, after } = await person.undo('pnpm');
    expect(after).toEqual(before);
  });
});
