import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exchange, get, store } from '../fakes/built-agent.ts';
import { openComposed } from '../fakes/composed-agent.ts';

let agent: Awaited<ReturnType<typeof openComposed>>;
beforeEach(async () => {
  agent = await openComposed();
});
afterEach(() => agent.dispose());

function ask(...lines: string[]): Promise<string> {
  return exchange(agent.socket, lines);
}
function manage(action: string, ...more: string[]): Promise<string> {
  return ask(`action=${action}`, 'capability[]=keyhold', ...more);
}
function valuesOf(answer: string, key: string): string[] {
  return answer.split('\n').flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
}

describe('management', () => {
  it('answers only who says that they know this agent', async () => {
    await ask(...store('a.test', 'pass-EXAMPLE'));
    for (const action of ['stop', 'exit', 'lock', 'list', 'status', 'restart', 'backup']) {
      expect(await ask(`action=${action}`)).toBe('');
    }
    expect(await ask(...get('a.test'))).toContain('pass-EXAMPLE');
    expect(await manage('constructor')).toMatch(/^status=unsupported\n/);
  });

  it('tells how it is, without looking at the backend', async () => {
    await ask(...store('a.test', 'pass-EXAMPLE'));
    const answer = await manage('status');
    for (const fact of ['state=open', 'backend=memory', 'durable=false', 'held=1', 'unlocked=1', 'identity=folder']) {
      expect(answer).toContain(`${fact}\n`);
    }
    const degraded = valuesOf(answer, 'degraded[]').map((line) => JSON.parse(line).code);
    expect(degraded).toEqual(['no-addon']);
  });

  it('lists what is held, and no value', async () => {
    await ask(...store('a.test', 'pass-EXAMPLE', '\u00e9ve'));
    await ask(...store('b.test', 'other-EXAMPLE'), 'timeout=60');
    const answer = await manage('list');
    const items = valuesOf(answer, 'item[]').map((line) => JSON.parse(Buffer.from(line, 'utf8').toString()));
    expect(items).toMatchObject([
      { host: 'a.test', unlocked: true, memoryOnly: false },
      { host: 'b.test', unlocked: true, memoryOnly: true },
    ]);
    expect(answer).not.toContain('EXAMPLE');
  });

  it('locks and unlocks', async () => {
    expect(await manage('lock')).toBe('status=ok\n');
    for (const action of ['list', 'backup', 'backend-use', 'backend-migrate']) {
      expect(await manage(action, 'passphrase=phrase-EXAMPLE', 'name=vault')).toMatch(/^status=locked\n/);
    }
    expect(await manage('status')).toContain('state=locked\n');
    expect(await manage('unlock')).toBe('status=ok\n');
    expect(await manage('status')).toContain('state=open\n');
  });

  it('changes the backend while nothing rests, and else only by carrying it', async () => {
    expect(await manage('backend-use', 'name=cloud')).toMatch(/^status=bad-request\n/);
    expect(await manage('backend-use', 'name=memory')).toBe('status=ok\n');
    await ask(...store('a.test', 'pass-EXAMPLE'));
    expect(await manage('backend-use', 'name=vault')).toMatch(/^status=bad-request\n.*keyhold backend migrate vault/);
    expect(await manage('backend-migrate', 'name=vault')).toBe('status=ok\ncarried=1\n');
    expect(await manage('backend-migrate', 'name=vault')).toBe('status=ok\ncarried=0\n');
    expect(await ask(...get('a.test'))).toContain('pass-EXAMPLE');
    expect(await manage('status')).toContain('backend=vault\n');
  });

  it('goes to no backend that could not serve, though there is nothing to carry', async () => {
    for (const action of ['backend-use', 'backend-migrate']) {
      expect(await manage(action, 'name=keyring')).toMatch(/^status=unavailable\nmessage=cannot use keyring: the OS/);
    }
    expect(await manage('status')).toContain('backend=memory\n');
  });

  it('has a passphrase for the vault only', async () => {
    expect(await manage('backend-passphrase', 'new_passphrase=phrase-EXAMPLE')).toMatch(/^status=unsupported\n/);
  });

  it('backs up and restores everything held, by the passphrase only', async () => {
    for (const name of ['a', 'b', 'c']) await ask(...store(`${name}.test`, `${name}-EXAMPLE`));
    expect(await manage('backup')).toMatch(/^status=bad-request\n/);
    const sealed = await manage('backup', 'passphrase=phrase-EXAMPLE');
    expect(sealed).not.toMatch(/[abc]-EXAMPLE|\.test/);
    const records = [
      `header=${valuesOf(sealed, 'header')[0]}`,
      ...valuesOf(sealed, 'record[]').map((r) => `record[]=${r}`),
    ];
    for (const name of ['a', 'b', 'c']) await ask('action=erase', 'protocol=https', `host=${name}.test`);
    expect(await manage('restore', 'passphrase=wrong-EXAMPLE', ...records)).toMatch(/^status=denied\n/);
    expect(await manage('status')).toContain('held=0\n');
    expect(await manage('restore', 'passphrase=phrase-EXAMPLE', ...records)).toBe('status=ok\nrestored=3\n');
    for (const name of ['a', 'b', 'c']) expect(await ask(...get(`${name}.test`))).toContain(`${name}-EXAMPLE`);
  });
});
