import { describe, expect, it } from 'vitest';
import { APPROVED_MAX, AVOID_FOR } from '../../../daemon/credentials/accounts.ts';
import { readProfiles } from '../../../protocol/profiles.ts';
import { aRequest, Core, plain } from '../../fakes/core.ts';

/** git in a repository: as its helper asks, without our capability. */
const from = (repository: string) => ({ repository, cwd: repository, tool: 'git', capabilities: plain });
const HERE = from('/src/one');
const THERE = from('/src/two');

/** Two users of one host, bob stored last. */
async function twoUsers(core = new Core()): Promise<Core> {
  for (const username of ['ada', 'bob']) await core.store({ username, password: `${username}-EXAMPLE` });
  return core;
}
/** What git does once a server took an account. */
const approve = (core: Core, username: string, where = HERE) =>
  core.store({ username, password: `${username}-EXAMPLE`, ...where });
/** What git does once a server answered 401. */
const reject = (core: Core, username: string, where = HERE) =>
  core.erase({ username, password: `${username}-EXAMPLE`, ...where });
const again = (core: Core, username: string) => core.store({ username, password: `${username}-EXAMPLE` });
/** Settles what is written behind an answer. */
const written = (core: Core) => expect.poll(() => core.credentials.own.of('approved').length).toBeGreaterThan(0);

describe('two accounts of one host', () => {
  it('after a 401 the next get from the same folder is answered with the other one, and nothing is lost', async () => {
    const core = await twoUsers();
    expect(await core.get(HERE)).toBe('bob bob-EXAMPLE');
    await reject(core, 'bob');
    expect(await core.get(HERE)).toBe('ada ada-EXAMPLE');
    expect(core.bin.all()).toMatchObject([{ username: 'bob', tool: 'git' }]);
    await approve(core, 'ada');
    await core.bin.restore(core.bin.all()[0]!.id, false);
    // bob is the one stored last again; the folder knows better.
    expect(await core.get()).toBe('bob bob-EXAMPLE');
    expect(await core.get(HERE)).toBe('ada ada-EXAMPLE');
  });

  it('prefer another one for ten minutes, also where the refused one was stored again', async () => {
    const core = await twoUsers();
    await reject(core, 'bob');
    await again(core, 'bob');
    expect(await core.get(HERE)).toBe('ada ada-EXAMPLE');
    expect(await core.get(THERE)).toBe('bob bob-EXAMPLE');
    core.clock.advance(AVOID_FOR - 1);
    expect(await core.get(HERE)).toBe('ada ada-EXAMPLE');
    core.clock.advance(1);
    expect(await core.get(HERE)).toBe('bob bob-EXAMPLE');
  });

  it('try each in turn where several are refused, and the refused one where there is no other', async () => {
    const core = await twoUsers();
    for (const username of ['bob', 'ada']) {
      await reject(core, username);
      await again(core, username);
    }
    expect(await core.get(HERE)).toBe('ada ada-EXAMPLE');
    await core.store({ username: 'eve', password: 'eve-EXAMPLE' });
    await again(core, 'ada');
    expect(await core.get(HERE)).toBe('eve eve-EXAMPLE');
  });

  it('are each used in the folder where they were approved', async () => {
    const core = await twoUsers();
    await approve(core, 'ada', HERE);
    await approve(core, 'bob', THERE);
    await core.store({ username: 'eve', password: 'eve-EXAMPLE' });
    expect(await core.get(HERE)).toBe('ada ada-EXAMPLE');
    expect(await core.get(THERE)).toBe('bob bob-EXAMPLE');
    expect(await core.get(from('/src/three'))).toBe('eve eve-EXAMPLE');
    expect(await core.get({ ...HERE, host: 'other.test' })).toBe('not-found');
  });

  it('stay so behind a restart and a lock, and what was approved last counts', async () => {
    const core = await twoUsers();
    await approve(core, 'bob', HERE);
    await approve(core, 'ada', HERE);
    await written(core);
    const next = new Core({ backend: core.backend });
    expect(await next.get(HERE)).toBe('ada ada-EXAMPLE');
    await next.credentials.lifecycle.lock();
    expect(await next.get(HERE)).toBe('locked');
    await next.credentials.lifecycle.unlock({ mayPrompt: false });
    expect(await next.get(HERE)).toBe('ada ada-EXAMPLE');
  });

  it('write nothing again when git repeats what is known', async () => {
    const core = await twoUsers();
    await approve(core, 'ada');
    await written(core);
    const { changes } = core.credentials.own;
    for (let round = 0; round < 5; round++) await approve(core, 'ada');
    await new Promise(setImmediate);
    expect(core.credentials.own.changes).toBe(changes);
  });
});

describe('what comes before', () => {
  it('a username in the request, then its path', async () => {
    const core = await twoUsers();
    await core.store({ username: 'bob', path: 'a.git', password: 'path-EXAMPLE' });
    await approve(core, 'ada');
    expect(await core.get({ ...HERE, username: 'bob' })).toBe('bob bob-EXAMPLE');
    expect(await core.get({ ...HERE, path: 'a.git' })).toBe('bob path-EXAMPLE');
    await reject(core, 'bob');
    expect(await core.get({ ...HERE, path: 'a.git' })).toBe('bob path-EXAMPLE');
  });

  it("the profile's account, bound to the working directory or to a clone's destination", async () => {
    const profiles = readProfiles({
      profiles: { work: { account: 'bob' }, home: { account: 'ada' } },
      folders: { '/src': 'home', '/jobs': 'work' },
    });
    const core = await twoUsers(new Core({ profiles: () => profiles }));
    await approve(core, 'bob', HERE);
    expect(await core.get(HERE)).toBe('ada ada-EXAMPLE');
    // Started in /src, with a destination below /work.
    expect(await core.get({ ...HERE, repository: '/jobs/new' })).toBe('bob bob-EXAMPLE');
    // A destination that is bound to nothing leaves it to the working directory.
    expect(await core.get({ ...HERE, repository: '/tmp/new' })).toBe('ada ada-EXAMPLE');
  });
});

describe('what has no part in it', () => {
  it('another tool in the same folder, and a caller without a folder', async () => {
    const core = await twoUsers();
    await approve(core, 'ada');
    expect(await core.get({ ...HERE, tool: 'docker' })).toBe('bob bob-EXAMPLE');
    expect(await core.get()).toBe('bob bob-EXAMPLE');
    // A store or an erase of another tool teaches nothing.
    await approve(core, 'bob', { ...HERE, tool: 'docker' });
    expect(await core.get(HERE)).toBe('ada ada-EXAMPLE');
  });

  it('a backup: the folders of one machine say nothing on another', async () => {
    const core = await twoUsers();
    await approve(core, 'ada');
    await written(core);
    const { isBackedUp } = await import('../../../daemon/history/tombstones/own-records.ts');
    expect(core.credentials.own.of('approved').filter(isBackedUp)).toEqual([]);
  });
});

it(`remembers ${APPROVED_MAX} folders and hosts; beyond that the oldest go`, { timeout: 60_000 }, async () => {
  const core = new Core();
  for (let number = 0; number <= APPROVED_MAX + 2; number++) {
    await core.store({ username: 'ada', ...from(`/src/${number}`) });
    core.clock.advance(1);
  }
  await expect.poll(() => core.credentials.own.of('approved').length).toBe(APPROVED_MAX);
  await core.store({ username: 'bob' });
  expect(await core.get(from('/src/0'))).toBe('bob pass-EXAMPLE');
  expect(await core.get(from(`/src/${APPROVED_MAX}`))).toBe('ada pass-EXAMPLE');
});

it('explain says what chose', async () => {
  const core = await twoUsers();
  const ruleHere = async () => {
    const reply = await core.agent.explain(aRequest('explain', { ...HERE, tool: undefined, repository: undefined }));
    return reply.details!.find(([key]) => key === 'rule')?.[1];
  };
  expect(await ruleHere()).toBe('last');
  await reject(core, 'bob');
  await again(core, 'bob');
  expect(await ruleHere()).toBe('refused');
  await approve(core, 'ada');
  await expect.poll(ruleHere).toBe('remembered');
});
