import { spawnSync } from 'node:child_process';
import { realpathSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { verifyChain } from '../../../daemon/history/audit/entry.ts';
import { openAuditLog } from '../../../daemon/history/audit/open-log.ts';
import { aHome, BUILT, type BuiltAgent, DIST, get, startAgent, store } from '../../fakes/built-agent.ts';

const items = (answer: string) => [...answer.matchAll(/^item\[\]=(.*)$/gm)].map(([, json]) => JSON.parse(json!));
const entriesOf = async (agent: BuiltAgent) =>
  items(await agent.ask('action=audit-list', 'capability[]=keyhold', 'after=0', 'limit=1000'));

/** Runs a program with only what it needs, to its end. */
function run(home: string, program: string, args: readonly string[], input = '') {
  const env = { PATH: process.env.PATH, HOME: home, KEYHOLD_HOME: home, KEYHOLD_NO_AUTOSTART: '1', TZ: 'UTC' };
  return spawnSync(program, args, { cwd: home, env, input, encoding: 'utf8', timeout: 20_000 });
}
const keyhold = (home: string, ...args: string[]) => run(home, join(DIST, 'bin/keyhold'), args);

test('names the program that started the helper, and the folder that it ran in', async () => {
  await using agent = await startAgent();
  await agent.ask(...store('git.example', 'pass-EXAMPLE'));
  const helper = join(DIST, 'bin/git-credential-keyhold');
  // Two commands, so that the shell does not put the helper in its own place.
  const script = `printf 'protocol=https\\nhost=git.example\\n\\n' | "${helper}" get; :`;
  expect(run(agent.home, '/bin/sh', ['-c', script]).stdout).toContain('pass-EXAMPLE');
  const first = (await entriesOf(agent)).find(({ action }) => action === 'first-use');
  expect(first).toMatchObject({ tool: 'git', cwd: agent.home, uid: process.getuid!(), outcome: 'ok' });
  // Only the addon tells the pid of who connects.
  expect(first.program).toBe(BUILT.addon ? realpathSync('/bin/sh') : '');
  expect(statSync(`${agent.home}/state/audit.db`).mode & 0o777).toBe(0o600);
});

test('killed in the middle, it has every change that was answered, and lost at most a second of counts', async () => {
  const home = aHome();
  let answeredBefore = 0;
  let stored = 0;
  {
    await using agent = await startAgent({ home });
    await agent.ask(...store('git.example', 'pass-EXAMPLE'));
    const begin = performance.now();
    const answers: number[] = [];
    while (performance.now() - begin < 3_000) {
      if ((await agent.ask(...get('git.example'))).includes('pass-EXAMPLE')) answers.push(performance.now());
      if (answers.length % 50 === 0) {
        const answer = await agent.ask(...store(`h${stored}.example`, 'pass-EXAMPLE'));
        if (answer.includes('status=ok')) stored++;
      }
    }
    const killedAt = performance.now();
    agent.kill('SIGKILL');
    await agent.ended;
    answeredBefore = answers.filter((at) => at < killedAt - 1_000).length;
    expect(answeredBefore).toBeGreaterThan(20);
  }
  await using agent = await startAgent({ home });
  const entries = await entriesOf(agent);
  expect(entries.filter(({ action }) => action === 'store')).toHaveLength(stored + 1);
  expect(entries.filter(({ action }) => action === 'first-use')).toHaveLength(1);
  const uses = items(await agent.ask('action=usage', 'capability[]=keyhold'));
  expect(uses).toHaveLength(1);
  expect(uses[0].count).toBeGreaterThanOrEqual(answeredBefore);
  expect(await agent.ask('action=audit-verify', 'capability[]=keyhold')).toContain('sound=true');
});

test('an export and the log verify each other, and a cut end is found', async () => {
  const home = aHome();
  const file = join(home, 'export');
  {
    await using agent = await startAgent({ home });
    for (const host of ['a', 'b', 'c']) await agent.ask(...store(`${host}.example`, 'pass-EXAMPLE'));
    const exported = keyhold(home, 'audit', 'export');
    expect(exported.status).toBe(0);
    writeFileSync(file, exported.stdout);
    const documents = exported.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const rows = documents.slice(0, -1).map(({ number, hash, ...entry }) => {
      return { number, hash: Buffer.from(hash, 'hex'), line: Buffer.from(JSON.stringify(entry)) };
    });
    const { head } = documents.at(-1);
    const against = { number: head.number, hash: Buffer.from(head.hash, 'hex') };
    expect(verifyChain(rows, { end: against })).toMatchObject({ sound: true, entries: 3 });
    expect(keyhold(home, 'audit', 'verify', '--against', file).stdout).toContain('and it holds what was exported');
    agent.kill('SIGTERM');
    await agent.ended;
  }
  const { DatabaseSync } = await import('node:sqlite');
  const sqlite = new DatabaseSync(`${home}/state/audit.db`);
  sqlite.exec('DELETE FROM entry WHERE number = 3');
  sqlite.close();
  await using agent = await startAgent({ home });
  expect(keyhold(home, 'audit', 'verify').status).toBe(0);
  const cut = keyhold(home, 'audit', 'verify', '--against', file);
  expect({ status: cut.status, stdout: cut.stdout }).toEqual({
    status: 1,
    stdout: 'The audit log is not as it was written. Entry 3: it was exported and is cut off.\n',
  });
  expect(agent.stderr()).toBe('');
});

test('with a damaged log the agent serves, status says so, and the file stays as it is', async () => {
  const home = aHome();
  {
    await using agent = await startAgent({ home });
    await agent.ask(...store('git.example', 'pass-EXAMPLE'));
    agent.kill('SIGTERM');
    await agent.ended;
  }
  const file = `${home}/state/audit.db`;
  writeFileSync(file, 'nothing that SQLite knows, and long enough to be looked at by it', { mode: 0o600 });
  await using agent = await startAgent({ home });
  expect(await agent.ask(...get('git.example'))).toContain('pass-EXAMPLE');
  expect(await agent.ask(...store('other.example', 'pass-EXAMPLE'))).toContain('status=ok');
  await sleep(200);
  const status = await agent.ask('action=status', 'capability[]=keyhold');
  expect(status).toContain('"code":"audit_damaged"');
  expect(keyhold(home, 'audit', 'list').status).toBe(10);
  expect(statSync(file).size).toBe(64);
  // Reading only, so that a suite that looks in here leaves nothing behind.
  expect(() => openAuditLog(file)).toThrow(expect.objectContaining({ code: 'audit_damaged' }));
});

test('restart and stop are in the log, and every command of a session is', async () => {
  const home = aHome();
  {
    await using agent = await startAgent({ home });
    await agent.ask(...store('git.example', 'pass-EXAMPLE'));
    keyhold(home, 'lock');
    await agent.ask(...get('git.example'));
    keyhold(home, 'unlock');
    keyhold(home, 'token', 'remove', '--for', 'https://git.example', '--yes');
    expect(await agent.ask('action=restart', 'capability[]=keyhold')).toContain('status=ok');
    await agent.ended;
    await expect.poll(() => keyhold(home, 'status', '--json').stdout).toContain('"degraded"');
    expect(keyhold(home, 'status', '--json').stdout).not.toContain('audit_');
    expect(keyhold(home, 'stop').status).toBe(0);
  }
  await using agent = await startAgent({ home });
  const shown = (await entriesOf(agent)).map(({ action, outcome }) => `${action} ${outcome}`);
  expect(shown).toEqual(['store ok', 'lock ok', 'get locked', 'unlock ok', 'erase ok', 'restart ok', 'stop ok']);
  const list = keyhold(home, 'audit', 'list').stdout;
  expect(list).toMatch(/stop +ok +wire/);
});
