import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { compose } from '../../../../daemon/compose.ts';
import { Audit } from '../../../../daemon/history/audit/audit.ts';
import { Witness } from '../../../../daemon/history/audit/witness.ts';
import { aCaller, agentItself } from '../../../../daemon/socket/caller.ts';
import { listen } from '../../../../daemon/socket/listen.ts';
import { computePlaces } from '../../../../platform/places.ts';
import { readConfig } from '../../../../protocol/config.ts';
import { KeyholdError } from '../../../../protocol/errors.ts';
import type { CredentialRequest, Handler } from '../../../../protocol/handler.ts';
import { exchange } from '../../../fakes/built-agent.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { aRequest, Core } from '../../../fakes/core.ts';
import { temporaryFolder } from '../../../temporary.ts';

const DAY = 86_400;

/** An agent behind a witness, whose callers are pid 20 (a helper) started by pid 10 (git). */
function aWitness(handlerOf: (core: Core) => Handler = coreHandler) {
  const { path, remove } = temporaryFolder('witness');
  onTestFinished(remove);
  const core = new Core();
  const { clock } = core;
  const audit = new Audit({ file: join(path, 'audit.db'), clock, keep: 90 * DAY, emit() {}, isHeld: () => undefined });
  onTestFinished(() => audit.dispose());
  let looks = 0;
  const processes = {
    parentOf: () => 10,
    programOf: (pid: number) => {
      looks++;
      return { 10: '/usr/bin/git', 20: '/opt/keyhold-helper' }[pid];
    },
  };
  const witness = new Witness({ answer: handlerOf(core), audit, clock });
  const ask = (request: CredentialRequest, origin = { tool: 'git', cwd: '/src' }) =>
    witness.handlerFor(aCaller(1_000, 20, processes))(Object.assign(request, origin));
  const entries = async () => (await audit.list({}, { after: 0, limit: 1_000 })).found.map(({ entry }) => entry);
  return { core, audit, witness, ask, entries, looks: () => looks };
}

function coreHandler({ agent, credentials }: Core): Handler {
  return async (request) => {
    if (request.action === 'get') return agent.get(request, agentItself);
    if (request.action === 'store') return agent.store(request, agentItself);
    if (request.action === 'erase') return agent.erase(request, agentItself);
    if (request.action === 'lock') await credentials.lifecycle.lock();
    return { status: 'ok' };
  };
}

const aStore = (password = 'pass-EXAMPLE') => aRequest('store', { username: 'ada', password });

describe('the witness', () => {
  test('records what was stored and erased, by id, tool, program and folder, and host and username of what was erased alone', async () => {
    const { core, ask, entries } = aWitness();
    await ask(aStore());
    const { id } = [...core.credentials.entries.all()][0]!;
    await ask(aRequest('erase'));
    const by = {
      outcome: 'ok',
      credential: id,
      tool: 'git',
      uid: 1_000,
      pid: 20,
      program: '/usr/bin/git',
      cwd: '/src',
    };
    const at = core.clock.now();
    expect(await entries()).toEqual([
      { at, action: 'store', ...by },
      // What is not held any more the log alone can tell.
      { at, action: 'erase', ...by, target: 'https://example.com', username: 'ada' },
    ]);
  });

  test('records nothing of what changed nothing: a store of the same, an erase and a get of what is not held', async () => {
    const { ask, entries } = aWitness();
    await ask(aStore());
    await ask(aStore());
    await ask(aRequest('erase', { host: 'other.example' }));
    await ask(aRequest('get', { host: 'other.example' }));
    expect((await entries()).map(({ action }) => action)).toEqual(['store']);
  });

  test('counts what was served, and looks up who asked once a minute', async () => {
    const { audit, ask, entries, looks, core } = aWitness();
    await ask(aStore());
    const before = looks();
    for (let get = 0; get < 100; get++) await ask(aRequest('get'));
    expect(looks()).toBe(before + 1);
    core.clock.advance(60);
    await ask(aRequest('get'), { tool: 'cargo', cwd: '/src' });
    expect((await entries()).map(({ action, tool }) => [action, tool])).toEqual([
      ['store', 'git'],
      ['first-use', 'git'],
      ['first-use', 'cargo'],
    ]);
    const { id } = [...core.credentials.entries.all()][0]!;
    expect(audit.useOf(id)).toMatchObject({ count: 101 });
  });

  test('records a refusal with its host and without username and path, and the next ones by their number', async () => {
    const { core, ask, entries } = aWitness();
    await ask(aStore());
    await ask(aRequest('lock', { host: 'none' }));
    for (let get = 0; get < 5; get++) await ask(aRequest('get', { path: 'secret/project', username: 'ada' }));
    core.clock.advance(61);
    await ask(aStore());
    const refused = (await entries()).filter(({ outcome }) => outcome !== 'ok');
    expect(refused).toMatchObject([
      { action: 'get', outcome: 'locked', target: 'https://example.com', program: '/usr/bin/git' },
      { action: 'get', outcome: 'locked', times: 4 },
      { action: 'store', outcome: 'locked', target: 'https://example.com' },
    ]);
    expect(JSON.stringify(refused)).not.toMatch(/ada|secret/);
  });

  test('records what failed, and passes the fault on', async () => {
    const broken: Handler = async () => {
      throw new KeyholdError('backend_hung', 'cannot get: it hangs');
    };
    const { ask, entries } = aWitness(() => broken);
    for (const action of ['get', 'store', 'unlock'])
      await expect(ask(aRequest(action))).rejects.toMatchObject({ code: 'backend_hung' });
    expect((await entries()).map(({ action, outcome }) => [action, outcome])).toEqual([
      ['get', 'unavailable'],
      ['store', 'unavailable'],
      ['unlock', 'unavailable'],
    ]);
  });

  test('records who was turned away', async () => {
    const { witness, entries } = aWitness();
    witness.turnedAway(aCaller(0, 20));
    expect(await entries()).toMatchObject([{ action: 'connect', outcome: 'denied', uid: 0, pid: 20 }]);
  });
});

describe('the audit log of the whole agent', () => {
  async function anAgent() {
    const { path: home, remove } = temporaryFolder('audited');
    const places = computePlaces({ KEYHOLD_HOME: home })!;
    for (const folder of [places.state, places.run]) mkdirSync(folder, { mode: 0o700 });
    const composed = compose({
      places,
      config: readConfig({ backend: 'vault' }),
      clock: new FakeClock(),
      log() {},
      native: undefined,
      keyringChild: '/nonexistent/keyring-child',
      adminChild: '/nonexistent/admin',
      upstreamChild: '/nonexistent/upstream',
      eventsChild: '/nonexistent/events',
      degradations: [],
      stop() {},
      async restart() {},
    });
    const listener = await listen(places.agentSocket, undefined, (handle) => composed.reception.receive(handle));
    void composed.open();
    onTestFinished(async () => {
      await listener.close();
      await composed.dispose();
      remove();
    });
    const ask = (...lines: string[]) => exchange(places.agentSocket, ['capability[]=keyhold', ...lines]);
    const items = (answer: string) => [...answer.matchAll(/^item\[\]=(.*)$/gm)].map(([, json]) => JSON.parse(json!));
    const run = (operation: string, input: string) =>
      exchange(places.agentSocket, [
        'action=run',
        'name=git-credential-keyhold',
        `argument[]=${operation}`,
        'cwd=/home/ada/project',
        '',
        `i${input.length}`,
        `${input}i0`,
      ]);
    return { state: places.state, ask, items, run };
  }
  const target = ['protocol=https', 'host=git.example'];

  test('knows the tool and the folder of a helper run, and calls the others wire', async () => {
    const { ask, items, run } = await anAgent();
    const question = `${target.join('\n')}\n\n`;
    await run('store', `${target.join('\n')}\nusername=ada\npassword=pass-EXAMPLE\n\n`);
    expect(await run('get', question)).toContain('pass-EXAMPLE');
    await ask('action=get', ...target);
    const entries = items(await ask('action=audit-list', 'after=0'));
    expect(entries.map(({ action, tool, cwd }) => [action, tool, cwd])).toEqual([
      ['store', 'git', '/home/ada/project'],
      ['first-use', 'git', '/home/ada/project'],
      ['first-use', 'wire', ''],
    ]);
    const [held] = items(await ask('action=list'));
    expect(held).toMatchObject({ uses: 2, lastUsed: new FakeClock().now() });
    const [use] = items(await ask('action=usage', `id=${held.id}`));
    expect(use).toMatchObject({
      count: 2,
      tools: { git: 1, wire: 1 },
      projects: { '/home/ada/project': 1, '': 1 },
      days: { '2030-01-01': 2 },
    });
    expect(items(await ask('action=usage'))).toEqual([
      { credential: held.id, first: held.lastUsed, last: held.lastUsed, count: 2 },
    ]);
    expect(await ask('action=audit-verify')).toContain('sound=true\nentries=3\n');
  });

  test('holds no secret, whatever is asked, in its file and its WAL', async () => {
    const { state, ask, run } = await anAgent();
    const secret = 'CANARY-EXAMPLE';
    await ask('action=store', ...target, `password=${secret}`, `oauth_refresh_token=${secret}-refresh`);
    await ask('action=store', ...target, 'authtype=Bearer', `credential=${secret}`);
    await ask('action=get', ...target);
    await ask('action=erase', ...target, `password=not-${secret}`);
    await run('get', `${target.join('\n')}\npassword=${secret}\n\n`);
    await run('erase', `${target.join('\n')}\npassword=${secret}\n\n`);
    await ask('action=unlock', `passphrase=${secret}`);
    await ask('action=backend-passphrase', `passphrase=${secret}`, `new_passphrase=${secret}2`);
    await ask('action=restore', `passphrase=${secret}`, 'header=none');
    await ask('action=lock');
    await ask('action=get', ...target, `password=${secret}`, 'username=CANARY-user', 'path=CANARY-path');
    await ask('action=store', ...target, `password=${secret}`, 'path=CANARY-path');
    await ask('action=audit-list', `event=${secret}`, `tool=${secret}`);
    const names = readdirSync(state).filter((name) => name.startsWith('audit.db'));
    expect(names).toContain('audit.db-wal');
    const bytes = Buffer.concat(names.map((name) => readFileSync(join(state, name))));
    // What it is to hold stands there, so this is where to look.
    expect(bytes.includes('https://git.example')).toBe(true);
    expect(bytes.includes('CANARY')).toBe(false);
  });

  test.each([
    ['action=audit-list', 'limit=0'],
    ['action=audit-list', 'since=yesterday'],
    ['action=audit-verify', 'number=1'],
    ['action=audit-verify', 'number=1', 'hash=xyz'],
  ])('refuses %s %s', async (...lines) => {
    const { ask } = await anAgent();
    expect(await ask(...lines)).toContain('status=bad-request');
  });
});
