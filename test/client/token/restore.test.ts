import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exchange, store } from '../../fakes/built-agent.ts';
import { openComposed } from '../../fakes/composed-agent.ts';
import { keyholdHere } from '../in-process.ts';
import { emptyHome } from '../keyhold.ts';

let agent: Awaited<ReturnType<typeof openComposed>>;
let home: string;
beforeEach(async () => {
  agent = await openComposed(undefined, { backend: 'vault' });
  home = emptyHome();
});
afterEach(async () => {
  await agent.dispose();
  rmSync(home, { recursive: true, force: true });
});

const token = (...words: string[]) =>
  keyholdHere(['token', ...words], { home, environment: { KEYHOLD_SOCKET: agent.socket } });
const ask = (...lines: string[]) => exchange(agent.socket, lines);
const erase = (host: string, ...more: string[]) => ask('action=erase', 'protocol=https', `host=${host}`, ...more);
const get = (host: string) => ask('action=get', 'protocol=https', `host=${host}`);
const erasedItems = async () => JSON.parse((await token('list', '--erased', '--json')).stdout).items;

describe('token list --erased and token restore', () => {
  test('show what a tool erased, and bring it back', async () => {
    await ask(...store('git.example', 'first-EXAMPLE'));
    await erase('git.example');
    expect(await get('git.example')).not.toContain('EXAMPLE');
    const { stdout } = await token('list', '--erased');
    expect(stdout).toMatch(/https:\/\/git\.example +ada +[0-9a-f]{8} +20\d\d-.* +7 d/);
    expect(stdout).toContain('keyhold token restore ID');
    expect(stdout).not.toContain('EXAMPLE');
    expect((await token('restore', 'ada')).stdout).toBe('Restored the token ada for https://git.example.\n');
    expect(await get('git.example')).toContain('password=first-EXAMPLE');
    expect(await erasedItems()).toEqual([]);
    expect((await token('list', '--erased')).stdout).toBe('Nothing that was erased can be brought back.\n');
  });

  test('another one in its place stays, unless it is said; the command that is named works', async () => {
    await ask(...store('git.example', 'first-EXAMPLE'));
    await erase('git.example');
    await ask(...store('git.example', 'second-EXAMPLE'));
    const refused = await token('restore', '--for', 'https://git.example');
    expect(refused.code).toBe(6);
    expect(await get('git.example')).toContain('second-EXAMPLE');
    const [, named] = /: keyhold (token restore \S+ --yes)$/m.exec(refused.stderr) ?? [];
    expect((await token(...named!.split(' ').slice(1))).code).toBe(0);
    expect(await get('git.example')).toContain('first-EXAMPLE');
    // The one that it replaced is not lost either.
    await token('restore', '--for', 'https://git.example', '--yes');
    expect(await get('git.example')).toContain('second-EXAMPLE');
  });

  test('say what is not there', async () => {
    const missing = await token('restore', 'nothing');
    expect({ code: missing.code, stderr: missing.stderr }).toEqual({
      code: 4,
      stderr: expect.stringContaining('cannot find the token "nothing"; see: keyhold token list --erased'),
    });
    expect((await token('list', '--erased', '--deleted')).code).toBe(2);
  });

  test('token remove takes it out of the restore bin, too', async () => {
    await ask(...store('git.example', 'first-EXAMPLE'));
    await erase('git.example');
    await ask(...store('git.example', 'second-EXAMPLE'));
    await token('remove', '--for', 'https://git.example', '--yes');
    expect(await erasedItems()).toEqual([]);
  });

  test('token remove takes one out that only lies there', async () => {
    await ask(...store('git.example', 'first-EXAMPLE'));
    await erase('git.example');
    const [{ id }] = await erasedItems();
    expect((await token('remove', id, '--yes')).stdout).toContain('Removed the token ada for https://git.example.');
    expect(await erasedItems()).toEqual([]);
  });

  test('the audit log says of what was removed for which host and username', async () => {
    await ask(...store('git.example', 'first-EXAMPLE'));
    await erase('git.example');
    const { stdout } = await keyholdHere(['audit', 'list', '--json'], {
      home,
      environment: { KEYHOLD_SOCKET: agent.socket },
    });
    const erased = JSON.parse(stdout).items.filter((item: { action: string }) => item.action === 'erase');
    expect(erased).toMatchObject([{ target: 'https://git.example', username: 'ada', outcome: 'ok' }]);
  });

  test('a backup holds nothing of it', async () => {
    await ask(...store('kept.example', 'kept-EXAMPLE'));
    await ask(...store('git.example', 'first-EXAMPLE'));
    await erase('git.example');
    const backup = await ask('action=backup', 'capability[]=keyhold', 'passphrase=phrase-EXAMPLE');
    const lines = backup.split('\n').filter((line) => /^(header|record\[\])=/.test(line));
    // The key of marks, and the one that is held.
    expect(lines.filter((line) => line.startsWith('record'))).toHaveLength(2);
    await erase('kept.example');
    await ask('action=restore', 'capability[]=keyhold', 'passphrase=phrase-EXAMPLE', ...lines);
    expect(await get('kept.example')).toContain('kept-EXAMPLE');
    expect(await get('git.example')).not.toContain('EXAMPLE');
  });
});
