import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CargoRegistry, startCargoRegistry } from '../../fakes/tools/cargo-registry.ts';
import { findToolchain } from './clients.ts';
import { aWiredPerson, soon, type Wired } from './wired.ts';

/** Neither Debian nor npm has one that is new enough: 1.74 was the first with credential providers. */
const toolchain = findToolchain();
const LOCKED = 'keyhold: the credentials are locked; run: keyhold unlock';

describe.skipIf(toolchain === undefined)('real cargo, by what setup cargo wrote', () => {
  let registry: CargoRegistry;
  let person: Wired;

  beforeAll(async () => {
    registry = await startCargoRegistry();
    registry.accepted.add('cio-one-EXAMPLE');
    const PATH = `${toolchain}/bin:/usr/local/bin:/usr/bin:/bin`;
    person = await aWiredPerson({ PATH, CARGO_NET_RETRY: '0', CARGO_TERM_COLOR: 'never', CARGO_HTTP_TIMEOUT: '10' });
    mkdirSync(join(person.home, '.cargo'));
    writeFileSync(join(person.home, '.cargo/config.toml'), `[registries.lab]\nindex = "${registry.index}"`);
    crate('app', '[dependencies]\nlabdemo = { version = "0.1", registry = "lab" }\n');
  });
  afterAll(async () => {
    await person[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });
  const crate = (name: string, more = '') => {
    mkdirSync(join(person.desk, name, 'src'), { recursive: true });
    const manifest = `[package]\nname = "${name}"\nversion = "0.1.0"\nedition = "2021"\n`;
    const required = 'description = "a crate of a test"\nlicense = "MIT"\n';
    writeFileSync(join(person.desk, name, 'Cargo.toml'), `${manifest}${required}${more}`);
    writeFileSync(join(person.desk, name, 'src/lib.rs'), '');
  };
  const cargo = (arguments_: readonly string[], input = '', cwd = 'app', env: Record<string, string> = {}) =>
    person.run('cargo', arguments_, { cwd: join(person.desk, cwd), input, env, expect: 'any' });
  /** Fetches anew: what was fetched before is forgotten. */
  const fetch = (env: Record<string, string> = {}) => {
    rmSync(join(person.home, '.cargo/registry'), { recursive: true, force: true, maxRetries: 5 });
    rmSync(join(person.desk, 'app/Cargo.lock'), { force: true });
    return cargo(['fetch'], '', 'app', env);
  };

  it('logs in, fetches, publishes, yanks and logs out, and leaves no trace of the setup', async () => {
    await person.setup('cargo');
    const missing = await fetch();
    expect(missing.stderr).toContain('no token found');
    expect(missing.code).not.toBe(0);

    expect(await cargo(['login', '--registry', 'lab'], 'cio-one-EXAMPLE\n')).toMatchObject({ code: 0 });
    const { items } = JSON.parse((await person.keyhold(['token', 'list', '--json'])).stdout) as { items: unknown[] };
    expect(items).toMatchObject([{ protocol: 'sparse+http', path: 'index' }]);
    expect(await fetch()).toMatchObject({ code: 0 });

    crate('mine');
    const published = await cargo(['publish', '--registry', 'lab', '--allow-dirty', '--no-verify'], '', 'mine');
    expect(published).toMatchObject({ code: 0 });
    const yanked = await cargo(['yank', '--registry', 'lab', '--version', '0.1.0', 'mine']);
    expect(yanked).toMatchObject({ code: 0 });
    expect(registry.crates()).toEqual(['labdemo 0.1.0', 'mine 0.1.0 yanked']);
    expect(registry.heard.filter(({ status }) => status === 200).map(({ authorization }) => authorization)).toContain(
      'cio-one-EXAMPLE',
    );

    expect(await cargo(['logout', '--registry', 'lab'])).toMatchObject({ code: 0 });
    expect((await fetch()).stderr).toContain('no token found');

    // An index at the root of its host takes what is kept for the whole of it.
    await using root = await startCargoRegistry('');
    root.accepted.add('whole-EXAMPLE');
    await person.keyhold(['token', 'set', '--for', root.url], { input: 'whole-EXAMPLE' });
    expect(await fetch({ CARGO_REGISTRIES_LAB_INDEX: root.index })).toMatchObject({ code: 0 });
    // crates.io goes by an address at GitHub, and is kept for its own host. Logging out asks nobody.
    await person.keep({ protocol: 'https', host: 'index.crates.io', password: 'cio-three-EXAMPLE' });
    expect(await cargo(['logout'])).toMatchObject({ code: 0 });
    expect((await person.keyhold(['token', 'list'])).stdout).not.toContain('crates.io');
    const { before, after } = await person.undo('cargo');
    expect(after).toEqual(before);
  });

  it('says that keyhold is locked or the token past its expiry, and is never told that there is none', async () => {
    await person.setup('cargo', '--registry', 'lab');
    const [, host] = registry.url.split('//');
    const target = { protocol: 'sparse+http', host: host!, path: 'index' };
    await person.keep({ ...target, password: 'cio-one-EXAMPLE' });
    await person.whileLocked(async () => {
      const locked = await fetch();
      expect(locked.stderr).toContain(LOCKED);
      expect(locked.stderr).not.toContain('no token found');
      expect((await cargo(['login', '--registry', 'lab'], 'cio-two-EXAMPLE\n')).stderr).toContain(LOCKED);
    });
    expect(await fetch()).toMatchObject({ code: 0 });

    await person.keep({ ...target, password: 'cio-one-EXAMPLE', password_expiry_utc: soon() });
    const expired = await fetch();
    expect(expired.stderr).toContain('keyhold: the credential is past its expiry; store a new one');
    expect(expired.code).not.toBe(0);
    registry.accepted.add('cio-two-EXAMPLE');
    expect(await cargo(['login', '--registry', 'lab'], 'cio-two-EXAMPLE\n')).toMatchObject({ code: 0 });
    expect(await fetch()).toMatchObject({ code: 0 });

    await person.keyhold(['stop']);
    const alone = await fetch({ KEYHOLD_NO_AUTOSTART: '1' });
    expect(alone.stderr).toContain('keyhold: no agent answers and none could be started; run: keyhold start');
    const { before, after } = await person.undo('cargo');
    expect(after).toEqual(before);
  });
});
