import { existsSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aHomeToWire, BIN, type Wiring } from './wiring.ts';

describe('setup of', () => {
  let home: string;
  let wiring: Wiring;
  let wire: Wiring['wire'];
  let write: Wiring['write'];
  let read: Wiring['read'];
  let tree: Wiring['tree'];

  beforeEach(() => {
    wiring = aHomeToWire();
    ({ home, wire, write, read, tree } = wiring);
  });
  afterEach(() => wiring.remove());

  it('cargo names its provider by an alias, because its path may hold a blank', async () => {
    write('.cargo/config.toml', '[registries.lab]\nindex = "sparse+https://h/"\n');
    write('.cargo/credentials.toml', '[registries.lab]\ntoken = "plain-EXAMPLE"\n');
    const { notices } = await wire('cargo', { registry: 'lab' });
    expect(read('.cargo/config.toml')).toContain(`[credential-alias]\nkeyhold = ["${BIN}/cargo-credential-keyhold"]\n`);
    expect(read('.cargo/config.toml')).toContain('[registries.lab]\ncredential-provider = "keyhold"\nindex =');
    expect(notices.join()).toContain('credentials.toml still holds a token in plain text');
    expect(notices.join()).not.toContain('EXAMPLE');
    await wire('cargo');
    expect(read('.cargo/config.toml')).toContain('[registry]\nglobal-credential-providers = ["keyhold"]\n');
    await expect(wire('cargo', { registry: 'a]\nb' })).rejects.toThrow('--registry');
  });

  it('cargo leaves a provider of somebody else alone', async () => {
    write('.cargo/config.toml', '[registry]\nglobal-credential-providers = ["cargo:token"]\n');
    await expect(wire('cargo')).rejects.toThrow('was not written by keyhold');
    expect(read('.cargo/config.toml')).toBe('[registry]\nglobal-credential-providers = ["cargo:token"]\n');
  });

  it('pip, and uv, has a keyring in a folder of its own, and says how to reach it', async () => {
    for (const name of ['pip', 'uv']) {
      const { links, notices } = await wire(name);
      expect(links).toEqual([
        { path: join(home, `.local/share/keyhold/path/${name}/keyring`), target: `${BIN}/keyhold-helper` },
      ]);
      expect(readlinkSync(links[0]!.path)).toBe(`${BIN}/keyhold-helper`);
      expect(notices.join('\n')).toContain(`PATH=${dirname(links[0]!.path)}:$PATH`);
    }
    expect(existsSync(join(home, '.local/bin/keyring'))).toBe(false);
    await wiring.unwire('pip');
    expect(tree().filter((entry) => entry.includes('/keyring -> '))).toHaveLength(1);
  });

  it('twine gives Python a backend, and tells of a variable that goes before it', async () => {
    const { notices } = await wire('twine', {}, { PYTHON_KEYRING_BACKEND: 'keyring.backends.null.Keyring' });
    expect(notices.join()).toContain('PYTHON_KEYRING_BACKEND is set');
    expect(read('.local/share/keyhold/python/keyhold_keyring.py')).toContain(`HELPER = "${BIN}/keyhold-helper"`);
    expect(read('.config/python_keyring/keyringrc.cfg')).toBe(
      `[backend]\nkeyring-path=${home}/.local/share/keyhold/python\ndefault-keyring=keyhold_keyring.Keyhold\n`,
    );
  });

  it('go quotes a path with a blank, keeps netrc behind it, and refuses where go reads no settings', async () => {
    await wire('go');
    expect(read('.config/go/env')).toBe(`GOAUTH="${BIN}/goauth-keyhold";netrc\n`);
    await expect(wire('go', {}, { GOENV: 'off' })).rejects.toThrow('GOENV=off');
  });

  it('bazel for one host and for another', async () => {
    await wire('bazel', { for: '*.cache.example' });
    await wire('bazel', { for: 'other.example' });
    expect(read('.bazelrc')).toBe(
      ['*.cache.example', 'other.example']
        .map((scope) => `common --credential_helper="${scope}=${BIN}/bazel-credential-keyhold"\n`)
        .join(''),
    );
    await expect(wire('bazel', { for: 'a b' })).rejects.toThrow('--for');
  });

  it('askpass writes nothing, and shows the lines', async () => {
    const { changed, notices } = await wire('askpass');
    expect(changed).toBe(false);
    expect(notices.join('\n')).toContain(`export GIT_ASKPASS='${BIN}/keyhold-askpass'`);
  });
});
