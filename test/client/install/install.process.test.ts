import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Ground } from '../../../client/install/ground.ts';
import { install } from '../../../client/install/install.ts';
import { hashOf, parcelOf } from '../../../client/install/parcel.ts';
import { uninstall } from '../../../client/install/uninstall.ts';
import { temporaryFolder } from '../../temporary.ts';
import { aPackage, groundIn, treeOf } from '../home.ts';

describe('install', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let home: string;
  let ground: Ground;
  const agent = '/nonexistent/keyhold-agent';

  beforeEach(() => {
    folder = temporaryFolder('install');
    home = join(folder.path, 'home');
    mkdirSync(home);
    ground = groundIn(home);
  });
  afterEach(() => folder.remove());

  const clone = (version?: string, names?: string[]) => aPackage(join(folder.path, `clone-${version}`), version, names);
  const say = (name: string) => spawnSync(join(ground.bin, name), { encoding: 'utf8' }).stdout.trim();

  it('links names that work when the clone is gone', async () => {
    const own = clone('1.2.3');
    const { manifest } = await install(ground, own);
    rmSync(own.root, { recursive: true });
    expect(manifest.names).toEqual(['keyhold', 'keyhold-agent']);
    expect(say('keyhold')).toBe('keyhold 1.2.3');
    expect(realpathSync(join(ground.places.state, 'autostart'))).toBe(
      join(ground.data, 'versions', manifest.id, 'dist/bin/keyhold-agent'),
    );
    expect(spawnSync(join(ground.data, 'current/dist/node'), ['--version'], { encoding: 'utf8' }).stdout.trim()).toBe(
      process.version,
    );
  });

  it('is closed to everybody else from the first moment', async () => {
    await install(ground, clone());
    const modes = treeOf(ground.data).map((line) => line.split(' ')[1]!);
    expect(new Set(modes)).toEqual(new Set(['700', '600', '->']));
  });

  it('changes nothing the second time', async () => {
    await install(ground, clone());
    const before = treeOf(home);
    expect(await install(ground, clone())).toMatchObject({ changed: false, removedVersions: [] });
    expect(treeOf(home)).toEqual(before);
  });

  it('turns to the new version and removes the old one, and names that it has no more', async () => {
    const { manifest: old } = await install(
      ground,
      clone('1.0.0', ['keyhold', 'keyhold-agent', 'docker-credential-keyhold']),
    );
    const { manifest, removedVersions } = await install(ground, clone('2.0.0'));
    expect(removedVersions).toEqual([old.id]);
    expect(readdirSync(join(ground.data, 'versions'))).toEqual([manifest.id]);
    expect(say('keyhold')).toBe('keyhold 2.0.0');
    expect(readdirSync(ground.bin)).toEqual(['keyhold', 'keyhold-agent']);
  });

  it('mends a version of which files are gone', async () => {
    const { manifest } = await install(ground, clone());
    rmSync(join(ground.data, 'versions', manifest.id, 'dist/lib/agent.cjs'));
    expect((await install(ground, clone())).changed).toBe(true);
    expect(existsSync(join(ground.data, 'versions', manifest.id, 'dist/lib/agent.cjs'))).toBe(true);
  });

  it('leaves no draft of an install that was killed', async () => {
    await install(ground, clone('1.0.0'));
    mkdirSync(join(ground.data, 'versions/.draft-4194999-abcd/dist'), { recursive: true });
    const { manifest } = await install(ground, clone('1.0.1'));
    expect(readdirSync(join(ground.data, 'versions'))).toEqual([manifest.id]);
  });

  it.each([
    ['a file', (path: string) => writeFileSync(path, 'mine')],
    ['a link to elsewhere', (path: string) => symlinkSync('/usr/bin/true', path)],
    ['a dangling link', (path: string) => symlinkSync('/nonexistent', path)],
  ])('refuses to overwrite %s and changes nothing', async (_, make) => {
    mkdirSync(ground.bin, { recursive: true });
    make(join(ground.bin, 'keyhold-agent'));
    const before = treeOf(home);
    await expect(install(ground, clone())).rejects.toThrow(/keyhold-agent was not written by keyhold/);
    expect(treeOf(home)).toEqual(before);
  });

  it('says whether its names are on PATH', async () => {
    expect((await install(ground, clone())).isOnPath).toBe(false);
    const onPath = groundIn(home, { PATH: `/usr/bin:${ground.bin}` });
    expect((await install(onPath, clone())).isOnPath).toBe(true);
  });

  it('heeds XDG_DATA_HOME', async () => {
    const elsewhere = groundIn(home, { XDG_DATA_HOME: join(home, 'data') });
    const { manifest } = await install(elsewhere, clone());
    expect(existsSync(join(home, 'data/keyhold/versions', manifest.id))).toBe(true);
    expect(say('keyhold')).toBe('keyhold 1.2.3');
  });

  it('names a version by what it holds, not by when it was built or run', () => {
    const own = clone();
    const before = hashOf(parcelOf(own));
    mkdirSync(join(own.root, 'dist/lib/code-cache'));
    writeFileSync(join(own.root, 'dist/lib/code-cache/x'), 'compiled');
    expect(hashOf(parcelOf(own))).toBe(before);
    writeFileSync(join(own.root, 'dist/lib/agent.cjs'), 'other');
    expect(hashOf(parcelOf(own))).not.toBe(before);
  });

  it('refuses a folder in which nothing was built', async () => {
    const own = clone();
    rmSync(join(own.root, 'dist'), { recursive: true });
    await expect(install(ground, own)).rejects.toThrow(/npm run build/);
  });

  describe('taken back', () => {
    it('leaves the home folder as it was, with --purge', async () => {
      mkdirSync(join(home, '.local'), { mode: 0o755 });
      writeFileSync(join(home, '.profile'), 'PATH=...\n');
      const before = treeOf(home);
      await install(ground, clone());
      mkdirSync(ground.places.config, { recursive: true });
      writeFileSync(join(ground.places.config, 'config.json'), '{}');
      await uninstall(ground, { purge: true, agent });
      expect(treeOf(home)).toEqual(before);
    });

    it('keeps configuration and state without --purge', async () => {
      await install(ground, clone());
      mkdirSync(ground.places.config, { recursive: true });
      writeFileSync(join(ground.places.config, 'config.json'), '{}');
      writeFileSync(join(ground.places.state, 'vault.db'), 'sealed');
      await uninstall(ground, { purge: false, agent });
      expect(existsSync(ground.data)).toBe(false);
      expect(existsSync(ground.bin)).toBe(false);
      expect(readdirSync(ground.places.state)).toEqual(['vault.db']);
      expect(readFileSync(join(ground.places.config, 'config.json'), 'utf8')).toBe('{}');
    });

    it('leaves alone what took the place of a name', async () => {
      await install(ground, clone());
      rmSync(join(ground.bin, 'keyhold'));
      writeFileSync(join(ground.bin, 'keyhold'), 'mine');
      const { left } = await uninstall(ground, { purge: true, agent });
      expect(left).toEqual([join(ground.bin, 'keyhold')]);
      expect(lstatSync(join(ground.bin, 'keyhold')).isFile()).toBe(true);
      expect(readdirSync(ground.bin)).toEqual(['keyhold']);
    });

    it('may be done twice', async () => {
      await install(ground, clone());
      await uninstall(ground, { purge: true, agent });
      expect((await uninstall(ground, { purge: true, agent })).done).toEqual([]);
    });
  });
});
