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

  const items = (answer: string) =>
    valuesOf(answer, 'item[]').map((line) => JSON.parse(Buffer.from(line, 'utf8').toString()));

  it('lists every use until now, also what is not written yet', async () => {
    await ask(...store('a.test', 'pass-EXAMPLE'));
    // The first is written at once; those behind it wait for a second.
    for (let uses = 1; uses <= 5; uses++) {
      await ask(...get('a.test'));
      expect(items(await manage('list'))).toMatchObject([{ uses, lastUsed: expect.any(Number) }]);
    }
  });

  it('lists thousands in columns, in some turns, and leaves out what was not asked for', async () => {
    await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        const lines = Array.from({ length: 50 }, (_, more) => store(`h${at}-${more}.test`, 'pass-EXAMPLE').join('\n'));
        expect((await ask(lines.join('\n\n'))).match(/EXAMPLE/)).toBeNull();
      }),
    );
    const answer = await manage('list', 'compact=1', 'name[]=host', 'name[]=label', 'name[]=uses');
    expect(valuesOf(answer, 'columns')).toEqual(['["host","label","uses"]']);
    const parts = valuesOf(answer, 'rows[]').map((line) => JSON.parse(line) as [number, string[], null, number]);
    expect(parts.length).toBeLessThan(20);
    expect(new Set(parts.flatMap(([, hosts]) => hosts)).size).toBe(2_500);
    for (const [count, hosts, labels, uses] of parts) {
      expect(hosts).toHaveLength(count);
      expect(labels).toBeNull();
      expect(uses).toBe(0);
    }
  });

  it('lists what is known of a token, and changes it', async () => {
    const about = ['capability[]=keyhold', 'label=laptop', 'origin=the admin', 'scopes=read write', 'created_at=5'];
    await ask(...store('a.test', 'pass-EXAMPLE'), ...about);
    const [item] = items(await manage('list'));
    expect(item).toMatchObject({
      label: 'laptop',
      origin: 'the admin',
      scopes: ['read', 'write'],
      createdAt: 5,
      fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(await manage('annotate', `id=${item.id}`)).toMatch(/^status=bad-request\n/);
    expect(await manage('annotate', `id=${item.id}`, 'label=desktop', 'scopes=', 'account=ada')).toBe('status=ok\n');
    const [changed] = items(await manage('list'));
    expect(changed).toMatchObject({ id: item.id, label: 'desktop', account: 'ada', origin: 'the admin' });
    expect(changed.scopes).toBeUndefined();
    expect(await ask(...get('a.test'))).toContain('pass-EXAMPLE');
    const [entry] = items(await manage('audit-list', 'event=annotate'));
    expect(entry).toMatchObject({ action: 'annotate', credential: item.id, outcome: 'ok' });
  });

  it('gives a credential to a front and takes it away again, with the audit log', async () => {
    await ask(...store('a.test', 'pass-EXAMPLE'));
    const [{ id, fronts }] = items(await manage('list'));
    expect(fronts).toEqual([]);
    const share = (...more: string[]) => manage('share', `id=${id}`, ...more);
    for (const more of [[], ['front='], ['front=git'], ['front=']]) {
      expect(await share(...more)).toMatch(/^status=bad-request\n/);
    }
    expect(await manage('share', 'id=none', 'front=docker')).toMatch(/^status=not-found\n/);
    for (let times = 0; times < 2; times++) {
      expect(items(await share('front=docker'))).toMatchObject([{ id, fronts: ['docker'] }]);
    }
    expect(items(await share('front=docker', 'undo=1'))).toMatchObject([{ id, fronts: [] }]);
    expect(await ask(...get('a.test'))).toContain('pass-EXAMPLE');
    expect(items(await manage('audit-list', 'event=share'))).toHaveLength(3);
  });

  it('buries what is revoked, lists it as deleted, and says so in the audit log', async () => {
    await ask(...store('a.test', 'pass-EXAMPLE'), 'capability[]=keyhold', 'label=laptop');
    const [{ id }] = items(await manage('list'));
    expect(await manage('bury', `id=${id}`, 'reason=lost in a train', 'actor=ada')).toBe('status=ok\n');
    expect(items(await manage('list'))).toEqual([]);
    const deleted = await manage('list', 'deleted=1');
    expect(items(deleted)).toMatchObject([{ id, label: 'laptop', reason: 'lost in a train', actor: 'ada' }]);
    expect(deleted).not.toContain('EXAMPLE');
    expect(await manage('status')).toContain('held=0\n');
    expect(items(await manage('audit-list', 'event=bury'))).toMatchObject([
      { credential: id, reason: 'lost in a train' },
    ]);
    expect(await ask(...store('b.test', 'pass-EXAMPLE'), 'capability[]=keyhold')).toMatch(/^status=revoked\n/);
    const forced = await ask(...store('b.test', 'pass-EXAMPLE'), 'capability[]=keyhold', 'force=1');
    expect(forced).toMatch(/^status=ok\n/);
    const [entry] = items(await manage('audit-list', 'event=store'));
    expect(entry).toMatchObject({ action: 'store', reason: 'forced' });
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
    expect(await manage('restore', 'passphrase=phrase-EXAMPLE', ...records)).toBe('status=ok\nrestored=3\nown=1\n');
    for (const name of ['a', 'b', 'c']) expect(await ask(...get(`${name}.test`))).toContain(`${name}-EXAMPLE`);
  });

  it('backs up what is known and the tombstones, for another machine that has marks of its own', async () => {
    await ask(...store('a.test', 'alive-EXAMPLE'), 'capability[]=keyhold', 'label=laptop');
    await ask(...store('b.test', 'dead-EXAMPLE'));
    await agent.revoke('b.test', 'lost');
    const sealed = await manage('backup', 'passphrase=phrase-EXAMPLE');
    const records = [`header=${valuesOf(sealed, 'header')[0]}`].concat(
      valuesOf(sealed, 'record[]').map((record) => `record[]=${record}`),
    );
    await agent.dispose();
    agent = await openComposed();
    await ask(...store('c.test', 'alive-EXAMPLE'));
    const restore = () => manage('restore', 'passphrase=phrase-EXAMPLE', ...records);
    expect(await restore()).toBe('status=ok\nrestored=1\nown=2\n');
    expect(await restore()).toBe('status=ok\nrestored=1\nown=2\n');
    const [one, other] = items(await manage('list'));
    expect([one.host, other.host, other.label]).toEqual(['c.test', 'a.test', 'laptop']);
    expect(other.fingerprint).toBe(one.fingerprint);
    expect(items(await manage('list', 'deleted=1'))).toMatchObject([{ host: 'b.test', reason: 'lost' }]);
    expect(await ask(...get('b.test'), 'capability[]=keyhold')).toMatch(/^status=revoked\n/);
    expect(await ask(...store('d.test', 'dead-EXAMPLE'), 'capability[]=keyhold')).toMatch(/^status=revoked\n/);
  });
});
