import { describe, expect, it } from 'vitest';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { readProfiles } from '../../../protocol/profiles.ts';
import { aRequest, Core, ours } from '../../fakes/core.ts';

type Fields = Parameters<typeof aRequest>[1];

/** An explanation as text: the facts, then each candidate with its verdict. */
async function explained(core: Core, fields: Fields = {}): Promise<{ facts: Record<string, string>; line: string[] }> {
  const reply = await core.agent.explain(aRequest('explain', fields));
  if (reply.status !== 'ok') throw new Error(reply.status);
  const details = reply.details ?? [];
  return {
    facts: Object.fromEntries(details.filter(([key]) => key !== 'candidate[]')),
    line: details
      .filter(([key]) => key === 'candidate[]')
      .map(([, value]) => {
        const { path, username, verdict } = JSON.parse(value) as Record<string, string>;
        return [path, username, verdict].filter((part) => part !== undefined).join(' ');
      }),
  };
}

describe('explain', () => {
  it('names the one that get gives, the rule that chose, and why each other was passed over', async () => {
    const core = new Core();
    await core.store({ username: 'ada' });
    await core.store({ username: 'bob', path: 'b.git' });
    await core.store({ username: 'eve', authtype: 'Bearer' });
    await core.store({ username: 'mia' });
    const { facts, line } = await explained(core, { capabilities: { ...ours, authtype: false } });
    expect(facts).toEqual({
      outcome: 'ok',
      rule: 'last',
      backend: 'vault',
      state: 'open',
      human: 'nothing',
      candidates: '4',
    });
    expect(line).toEqual(['mia given', 'ada next', 'b.git bob next', 'eve authtype-not-offered']);
    expect((await explained(core, { path: 'b.git' })).line).toEqual([
      'b.git bob given',
      'mia other-path',
      'eve other-path',
      'ada other-path',
    ]);
    expect((await explained(core, { exactPath: true })).line).toContain('b.git bob other-path');
    expect((await explained(core, { username: 'ada' })).facts).toMatchObject({ outcome: 'ok', rule: 'only' });
    expect((await explained(core, { username: 'ada' })).line[1]).toBe('mia other-username');
  });

  it('says nothing of other hosts, and "not-found" where there is none', async () => {
    const core = new Core();
    await core.store({ host: 'other.example' });
    const { facts, line } = await explained(core);
    expect(facts).toMatchObject({ outcome: 'not-found', candidates: '0' });
    expect(facts['human']).toContain('the tool asks its next helper');
    expect(line).toEqual([]);
  });

  it('puts the account of the profile in force first, and names what chose it', async () => {
    const profiles = readProfiles({
      default: 'home',
      profiles: { home: {}, work: { account: 'ada' } },
      folders: { '/src': 'work' },
    });
    const core = new Core({ profiles: () => profiles });
    await core.store({ username: 'ada' });
    await core.store({ username: 'bob' });
    expect(await core.get()).toBe('bob pass-EXAMPLE');
    expect(await core.get({ cwd: '/src/x' })).toBe('ada pass-EXAMPLE');
    const { facts, line } = await explained(core, { cwd: '/src/x' });
    expect(facts).toMatchObject({
      outcome: 'ok',
      rule: 'profile',
      profile: 'work',
      profile_by: 'folder',
      profile_folder: '/src',
      account: 'ada',
    });
    expect(line).toEqual(['ada given', 'bob next']);
    expect((await explained(core)).facts).toMatchObject({ rule: 'last', profile: 'home', profile_by: 'default' });
  });

  it('tells which rule put the chosen one before the next in line, and chooses as get does', async () => {
    const core = new Core();
    const told = async () => {
      const { facts, line } = await explained(core);
      const [given] = line;
      expect(await core.get()).toBe(`${given!.split(' ').at(-2)} pass-EXAMPLE`);
      return [facts['rule'], ...line];
    };
    await core.store({ username: 'ada' });
    await core.store({ username: 'narrow', path: 'b.git' });
    expect(await told()).toEqual(['scope', 'ada given', 'b.git narrow next']);
    await core.store({ username: 'ci', made: 'created', about: { label: 'ci' } });
    expect(await told()).toEqual(['purpose', 'ada given', 'ci next', 'b.git narrow next']);
    await core.store({ username: 'job', made: 'set', about: { label: 'job' } });
    expect(await told()).toEqual(['purpose', 'ada given', 'job next', 'ci next', 'b.git narrow next']);
    await core.store({ username: 'bob', made: 'login', about: { label: 'laptop' } });
    expect(await told()).toEqual(['last', 'bob given', 'ada next', 'job next', 'ci next', 'b.git narrow next']);
  });

  it("finds the profile's account also by what the service calls it", async () => {
    const profiles = readProfiles({ default: 'work', profiles: { work: { account: 'ada@work.example' } } });
    const core = new Core({ profiles: () => profiles });
    await core.store({ username: 'first', about: { account: 'ada@work.example' } });
    await core.store({ username: 'bob', about: { account: 'bob@work.example' } });
    expect(await core.get()).toBe('first pass-EXAMPLE');
    expect((await explained(core)).facts).toMatchObject({ rule: 'profile', account: 'ada@work.example' });
  });

  it('tells an expired one as get does', async () => {
    const core = new Core();
    await core.store({ username: 'old', expiresAt: core.clock.now() + 90 });
    await core.store({ username: 'ada', expiresAt: core.clock.now() + 60 });
    const lineAt = async (minTtl: number) => {
      const { facts, line } = await explained(core, { minTtl });
      const given = await core.get({ minTtl });
      expect(given).toBe(facts['outcome'] === 'ok' ? `${line[0]!.split(' ')[0]} pass-EXAMPLE` : facts['outcome']);
      return [facts['rule'], ...line];
    };
    expect(await lineAt(59)).toEqual(['last', 'ada given', 'old next']);
    expect(await lineAt(60)).toEqual(['only', 'old given', 'ada expired']);
    expect(await lineAt(90)).toEqual(['last', 'ada expired', 'old expired']);
  });

  it('lets no other account stand in for the expired one of the profile', async () => {
    const profiles = readProfiles({ default: 'work', profiles: { work: { account: 'ada' } } });
    const core = new Core({ profiles: () => profiles });
    await core.store({ username: 'ada', expiresAt: core.clock.now() + 60 });
    await core.store({ username: 'bob' });
    core.clock.advance(60);
    expect(await core.get()).toBe('expired');
    const { facts, line } = await explained(core);
    expect(facts).toMatchObject({ outcome: 'expired', rule: 'profile' });
    expect(line).toEqual(['ada expired', 'bob next']);
  });

  it('reads nothing and extends no lease', async () => {
    const before = new Core();
    await before.store();
    const core = new Core({ backend: before.backend, lease: { idle: 100, max: 1_000 } });
    const leaseLeft = async () => {
      const reply = await core.agent.explain(aRequest('explain'));
      const [, text = '{}'] = reply.details!.find(([key]) => key === 'candidate[]')!;
      return (JSON.parse(text) as { leaseLeft?: number }).leaseLeft;
    };
    expect(await leaseLeft()).toBeUndefined();
    expect(core.backend.calls.get).toBe(0);
    await core.get();
    core.clock.advance(60);
    expect(await leaseLeft()).toBe(40);
    core.clock.advance(39);
    expect(await leaseLeft()).toBe(1);
    core.clock.advance(1);
    expect(await leaseLeft()).toBeUndefined();
  });

  it('says what a person would be asked where all is locked', async () => {
    const core = new Core();
    await core.store();
    await core.credentials.lifecycle.lock();
    const { facts } = await explained(core);
    expect(facts).toMatchObject({ outcome: 'locked', state: 'locked', human: 'to run: keyhold unlock' });
  });

  it('lists no more than fifty of very many, and says how many there are', async () => {
    const core = new Core();
    for (let at = 0; at < 120; at++) await core.store({ username: `user-${at}` });
    const { facts, line } = await explained(core);
    expect(facts['candidates']).toBe('120');
    expect(line).toHaveLength(50);
    expect(line[0]).toBe('user-119 given');
  });

  it('says that docker is given its own first, and git what docker alone has not brought', async () => {
    const core = new Core();
    const docker = { front: 'docker', tool: 'docker', exactPath: true };
    await core.store({ username: 'ada', password: 'git-EXAMPLE' });
    await core.store({ ...docker, username: 'ada', password: 'docker-EXAMPLE' });
    const fronts = async (fields: Fields) => {
      const reply = await core.agent.explain(aRequest('explain', fields));
      if (reply.status !== 'ok') throw new Error(reply.status);
      return reply.details!.filter(([key]) => key === 'candidate[]').map(([, value]) => JSON.parse(value).fronts);
    };
    expect((await explained(core, docker)).facts).toMatchObject({ outcome: 'ok', rule: 'front' });
    expect(await fronts(docker)).toEqual([['docker'], []]);
    expect((await explained(core)).facts).toMatchObject({ outcome: 'ok', rule: 'front' });
    expect(await fronts({})).toEqual([[], ['docker']]);
  });

  it('says of what is listed by docker what it says of any other where that alone is held', async () => {
    const core = new Core();
    await core.store({ front: 'docker', tool: 'docker', exactPath: true, username: 'ada' });
    expect((await explained(core)).facts).toMatchObject({ outcome: 'ok', rule: 'only' });
    await core.store({ front: 'docker', tool: 'docker', exactPath: true, username: 'bob' });
    expect((await explained(core)).facts).toMatchObject({ outcome: 'ok', rule: 'last' });
    expect((await explained(core)).line).toEqual(['bob given', 'ada next']);
  });

  it('agrees with get for a front and for others, in each order of what they brought', async () => {
    const core = new Core();
    const callers = [{}, { front: 'docker', tool: 'docker', exactPath: true }];
    let stored = 0;
    for (const username of ['u1', 'u2']) {
      for (const path of [undefined, 'p']) {
        for (const by of [...callers, ...callers.toReversed()]) {
          await core.store({ ...by, username, path, password: `${stored++}-EXAMPLE` });
          for (const asking of callers) {
            for (const asked of [{}, { path: 'p' }, { username: 'u1' }]) {
              const fields = { ...asking, ...asked };
              const given = await core.agent.get(aRequest('get', fields), agentItself);
              const { facts, line } = await explained(core, fields);
              expect(facts['outcome']).toBe(given.status);
              if (given.status !== 'ok') continue;
              const expected = [given.credential!.path, given.credential!.username, 'given'];
              expect(line[0]).toBe(expected.filter((part) => part !== undefined).join(' '));
            }
          }
        }
      }
    }
    expect(stored).toBe(16);
  });

  it('never holds a value', async () => {
    const core = new Core();
    await core.store({ refresh: 'refresh-EXAMPLE' });
    expect(JSON.stringify(await core.agent.explain(aRequest('explain')))).not.toContain('EXAMPLE');
  });

  it('agrees with get, whatever is held and asked', async () => {
    const profiles = readProfiles({ default: 'work', profiles: { work: { account: 'u1' } } });
    const core = new Core({ profiles: () => profiles });
    const some = [undefined, 'u1', 'u2'];
    const paths = [undefined, '', 'p'];
    for (const username of some) {
      for (const path of paths) {
        for (const authtype of [undefined, 'Bearer']) {
          const before = await core.agent.store(
            aRequest('store', { username, path, authtype, password: `${username}-${path}-EXAMPLE` }),
            agentItself,
          );
          expect(before.status).toBe('ok');
          for (const askedUser of some) {
            for (const askedPath of paths) {
              const fields = { username: askedUser, path: askedPath };
              const given = await core.agent.get(aRequest('get', fields), agentItself);
              const { facts, line } = await explained(core, fields);
              expect(facts['outcome']).toBe(given.status);
              if (given.status !== 'ok') continue;
              const expected = [given.credential!.path, given.credential!.username, 'given'];
              expect(line[0]).toBe(expected.filter((part) => part !== undefined).join(' '));
            }
          }
        }
      }
    }
  });
});
