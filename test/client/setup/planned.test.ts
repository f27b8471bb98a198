import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Edit } from '../../../client/formats/edit.ts';
import type { Ground } from '../../../client/install/ground.ts';
import { setUp, undo } from '../../../client/setup/planned.ts';
import type { Plan } from '../../../client/setup/tool.ts';
import { temporaryFolder } from '../../temporary.ts';
import { groundIn, treeOf } from '../home.ts';

const member = (value: string, ...path: string[]): Edit => ({ kind: 'json', path, value });

describe('a planned setup', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let home: string;
  let ground: Ground;

  beforeEach(() => {
    folder = temporaryFolder('planned');
    home = folder.path;
    ground = groundIn(home);
  });
  afterEach(() => folder.remove());

  const first = () => join(home, '.tool/config.json');
  const second = () => join(home, '.other/deep/config.json');
  const link = () => join(home, '.tool/plugins/tool-helper');
  const plan = (...edits: Edit[]): Plan => ({
    files: [
      { file: first(), edits },
      { file: second(), edits: [member('keyhold', 'b')] },
    ],
    links: [{ path: link(), target: '/opt/keyhold/tool-helper' }],
    notices: ['mind this'],
  });
  const apply = (wanted = plan(member('keyhold', 'a')), dryRun = false) => setUp(ground, 'tool', wanted, { dryRun });
  const takeBack = (dryRun = false) => undo(ground, 'tool', { dryRun });
  const write = (text: string) => {
    mkdirSync(join(home, '.tool'), { recursive: true });
    writeFileSync(first(), text, { mode: 0o640 });
  };

  it('leaves nothing behind once it is taken back', async () => {
    write('{ "auths": {"h": {"auth": "plain-EXAMPLE"}} }');
    const before = treeOf(home);
    expect(await apply()).toMatchObject({ changed: true, notices: ['mind this'] });
    expect(JSON.parse(readFileSync(second(), 'utf8'))).toEqual({ b: 'keyhold' });
    expect(statSync(first()).mode & 0o777).toBe(0o640);
    expect(await takeBack()).toMatchObject({ files: [{ how: 'restored' }, { how: 'restored' }], links: [link()] });
    expect(treeOf(home)).toEqual(before);
  });

  it('keeps no copy of what was in a file', async () => {
    write('{ "auths": {"h": {"auth": "plain-EXAMPLE"}} }');
    await apply();
    const state = ground.places.state;
    const kept = treeOf(state).filter((entry) => !entry.includes('/ '));
    expect(kept).toHaveLength(1);
    expect(readFileSync(join(state, 'setup/tool.json'), 'utf8')).not.toContain('EXAMPLE');
  });

  it('changes nothing the second time, and nothing in a dry run', async () => {
    const untouched = treeOf(home);
    expect((await apply(undefined, true)).changed).toBe(true);
    expect(treeOf(home)).toEqual(untouched);
    await apply();
    const before = treeOf(home);
    expect((await apply()).changed).toBe(false);
    await takeBack(true);
    expect(treeOf(home)).toEqual(before);
  });

  it('adds up, renews what has moved, and is taken back as one', async () => {
    write('{\n  "x": 1\n}\n');
    const before = treeOf(home);
    await apply(plan(member('keyhold', 'h', 'one')));
    await apply(plan(member('/old/path', 'h', 'two')));
    await apply(plan(member('/new/path', 'h', 'two')));
    expect(JSON.parse(readFileSync(first(), 'utf8'))).toEqual({ h: { one: 'keyhold', two: '/new/path' }, x: 1 });
    await takeBack();
    expect(treeOf(home)).toEqual(before);
  });

  it('takes only its own lines out of a file that was changed since', async () => {
    write('{"x": 1}');
    await apply();
    writeFileSync(first(), JSON.stringify({ ...JSON.parse(readFileSync(first(), 'utf8')), y: 2 }, null, '\t'));
    await apply(plan(member('keyhold', 'a'), member('keyhold', 'c')));
    expect(JSON.parse(readFileSync(first(), 'utf8'))).toEqual({ a: 'keyhold', c: 'keyhold', x: 1, y: 2 });
    writeFileSync(first(), JSON.stringify({ ...JSON.parse(readFileSync(first(), 'utf8')), z: 3 }));
    expect((await takeBack()).files[0]).toMatchObject({ how: 'removed-lines' });
    expect(JSON.parse(readFileSync(first(), 'utf8'))).toEqual({ x: 1, y: 2, z: 3 });
  });

  it('leaves what somebody wrote by hand, and what others have put in its place', async () => {
    write('{"a": "keyhold"}');
    await apply();
    writeFileSync(second(), '{"b": "theirs"}');
    await takeBack();
    expect(readFileSync(first(), 'utf8')).toBe('{"a": "keyhold"}');
    expect(readFileSync(second(), 'utf8')).toBe('{"b": "theirs"}');
  });

  it('overwrites nothing that is not its own, and then changes nothing at all', async () => {
    write('{"a": "pass"}');
    const before = treeOf(home);
    await expect(apply()).rejects.toThrow(`${first()} was not written by keyhold, and it has "a" already`);
    expect(treeOf(home)).toEqual(before);
    writeFileSync(first(), '{}');
    mkdirSync(join(home, '.tool/plugins'));
    symlinkSync('/opt/other', link());
    const taken = treeOf(home);
    await expect(apply()).rejects.toThrow(`${link()} was not written by keyhold`);
    expect(treeOf(home)).toEqual(taken);
  });

  it('turns its own link when our program has moved', async () => {
    await apply();
    await setUp(
      ground,
      'tool',
      { ...plan(), links: [{ path: link(), target: '/opt/newer/tool-helper' }] },
      { dryRun: false },
    );
    await takeBack();
    expect(existsSync(join(home, '.tool'))).toBe(false);
  });

  it('follows a link to the file that is meant', async () => {
    mkdirSync(join(home, 'dotfiles'));
    mkdirSync(join(home, '.tool'));
    writeFileSync(join(home, 'dotfiles/config.json'), '{}');
    symlinkSync('../dotfiles/config.json', first());
    const before = treeOf(home);
    await apply();
    expect(readFileSync(join(home, 'dotfiles/config.json'), 'utf8')).toContain('keyhold');
    await takeBack();
    expect(treeOf(home)).toEqual(before);
  });
});
