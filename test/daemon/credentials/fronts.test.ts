import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openIndex } from '../../../daemon/backends/keyring/held-index.ts';
import { itemOf } from '../../../daemon/backends/keyring/names.ts';
import { openVault } from '../../../daemon/backends/vault/vault.ts';
import { isFrontsAlone, rankFor } from '../../../daemon/credentials/fronts.ts';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import { identityOf } from '../../../protocol/credential.ts';
import { frontNames, frontOf } from '../../../protocol/fronts.ts';
import type { CredentialReply, CredentialRequest } from '../../../protocol/handler.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { adapters } from '../../../protocol/tools/index.ts';
import { aHeld, text } from '../../contracts/backend.ts';
import { answers } from '../../fakes/answers.ts';
import { FakeBackend } from '../../fakes/backend.ts';
import { aRequest, Core, ours, shown } from '../../fakes/core.ts';
import { type TemporaryFolder, temporaryFolder } from '../../temporary.ts';

const docker = { front: 'docker', tool: 'docker', exactPath: true };
const git = { tool: 'git' };
const host = { protocol: 'https', host: 'example.com' };

/** Ids, values and marks of everything that is held for the host, the oldest first. */
function kept(core: Core) {
  return core.credentials.entries.findAll(host).map(({ username, front, fronts, frontOnly, made }) => ({
    username,
    front,
    fronts,
    frontOnly,
    made,
  }));
}

async function listed(core: Core, tool = 'docker'): Promise<string[] | string> {
  const request: CredentialRequest = {
    action: 'list',
    capabilities: ours,
    attributes: new Attributes(),
    tool,
    front: frontOf(tool),
  };
  const reply: CredentialReply = await answers({ credentials: core.credentials })(request);
  if (reply.status !== 'ok') return reply.status;
  return (reply.details ?? []).map(([, item]) => JSON.parse(item).host);
}

describe('a front', () => {
  it('lists what came in through it and nothing of other tools', async () => {
    const core = new Core();
    await core.store({ ...git, host: 'git.example' });
    await core.store({ host: 'aws.example', made: 'set' });
    await core.store({ ...docker, host: 'registry.example' });
    expect(await listed(core)).toEqual(['registry.example']);
  });

  it.each(adapters.filter(({ name }) => frontOf(name) === undefined).map(({ name }) => name))(
    'is no other tool: %s may list nothing',
    async (name) => {
      const core = new Core();
      await core.store({ tool: name });
      expect(await listed(core, name)).toBe('unsupported');
    },
  );

  it('is the name of an adapter', () => {
    const names = adapters.map(({ name }) => name);
    for (const front of frontNames) expect(names).toContain(front);
  });

  it('is given what another tool keeps, and its erase leaves that alone', async () => {
    const core = new Core();
    await core.store(git);
    expect(await core.get(docker)).toBe('ada pass-EXAMPLE');
    expect(await core.erase(docker)).toBe('not-found');
    expect(await core.get(git)).toBe('ada pass-EXAMPLE');
  });

  it('erases for good what it alone has brought', async () => {
    const core = new Core();
    await core.store(docker);
    expect(await core.erase(docker)).toBe('ok');
    expect(await core.get(docker)).toBe('not-found');
    expect((await core.backend.list()).filter(({ host }) => host === 'example.com')).toEqual([]);
  });

  it('erases its mark only from what the user keeps, too', async () => {
    const core = new Core();
    await core.store({ made: 'login' });
    await core.store(docker);
    expect(kept(core)).toMatchObject([{ fronts: ['docker'], made: 'login' }]);
    expect(await core.erase(docker)).toBe('ok');
    expect(kept(core)).toMatchObject([{ fronts: [], made: 'login' }]);
    expect(await core.get(git)).toBe('ada pass-EXAMPLE');
  });

  it('does not replace what the user has set: each is given its own', async () => {
    const core = new Core();
    await core.store({ made: 'set', password: 'set-EXAMPLE' });
    await core.store({ ...docker, password: 'docker-EXAMPLE' });
    expect(await core.get(git)).toBe('ada set-EXAMPLE');
    expect(await core.get(docker)).toBe('ada docker-EXAMPLE');
    expect(await core.get({})).toBe('ada set-EXAMPLE');
  });

  it("keeps one credential again when the front's own value becomes that of the other", async () => {
    const core = new Core();
    await core.store({ ...git, password: 'git-EXAMPLE' });
    await core.store({ ...docker, password: 'docker-EXAMPLE' });
    await core.store({ ...docker, password: 'git-EXAMPLE' });
    expect(kept(core)).toMatchObject([{ front: undefined, fronts: ['docker'] }]);
    expect(await core.get(docker)).toBe('ada git-EXAMPLE');
  });

  it('replaces its own value in its place', async () => {
    const core = new Core();
    await core.store({ ...docker, password: 'old-EXAMPLE' });
    await core.store({ ...docker, password: 'new-EXAMPLE' });
    expect(kept(core)).toHaveLength(1);
    await core.store({ ...git, password: 'git-EXAMPLE' });
    await core.store({ ...docker, password: 'newer-EXAMPLE' });
    expect(await core.get(docker)).toBe('ada newer-EXAMPLE');
    expect(await core.get(git)).toBe('ada git-EXAMPLE');
    expect(kept(core)).toHaveLength(2);
  });

  it('keeps its value under its id when another tool stores another one', async () => {
    const core = new Core();
    await core.store({ ...docker, password: 'docker-EXAMPLE' });
    const [before] = core.credentials.entries.findAll(host);
    await core.store({ ...git, password: 'git-EXAMPLE' });
    const own = core.credentials.entries.findAll(host).find(({ front }) => front === 'docker')!;
    expect(own.id).toBe(before!.id);
    expect(core.credentials.entries.at({ ...host, username: 'ada' })!.id).not.toBe(before!.id);
  });

  it('is not the owner any more of what another tool has stored, too', async () => {
    const core = new Core();
    await core.store(docker);
    await core.store(git);
    expect(kept(core)).toMatchObject([{ fronts: ['docker'], frontOnly: undefined }]);
    await core.erase(docker);
    expect(await core.get(git)).toBe('ada pass-EXAMPLE');
  });

  it('has its login replaced by the user, in its place', async () => {
    const core = new Core();
    await core.store({ ...docker, password: 'docker-EXAMPLE' });
    await core.store({ made: 'set', password: 'set-EXAMPLE' });
    expect(kept(core)).toMatchObject([{ front: undefined, fronts: ['docker'], made: 'set' }]);
    expect(await core.get(docker)).toBe('ada set-EXAMPLE');
  });

  it("is given its own account before another tool's newer one", async () => {
    const core = new Core();
    await core.store({ ...docker, username: 'ada', password: 'docker-EXAMPLE' });
    await core.store({ ...git, username: 'bob', password: 'git-EXAMPLE' });
    expect(await core.get(docker)).toBe('ada docker-EXAMPLE');
    expect(await core.get(git)).toBe('bob git-EXAMPLE');
    await core.store({ ...docker, username: 'carol', password: 'newer-EXAMPLE' });
    expect(await core.get(git)).toBe('bob git-EXAMPLE');
  });

  it('leaves what is not decided, gives it, and names it', async () => {
    const core = new Core({ backend: await ofVersion01([aHeld({ host: 'example.com', id: 'old' })]) });
    expect(await listed(core)).toEqual([]);
    expect(await core.get(docker)).toBe('ada old-EXAMPLE');
    const reply = await core.agent.erase(aRequest('erase', docker), agentItself);
    expect(reply).toMatchObject({ status: 'not-found', details: [['undecided[]', 'old']] });
    expect(await core.get(docker)).toBe('ada old-EXAMPLE');
  });

  it('does not replace what is not decided', async () => {
    const core = new Core({ backend: await ofVersion01([aHeld({ host: 'example.com', id: 'old' })]) });
    await core.store({ ...docker, password: 'docker-EXAMPLE' });
    expect(await core.get(docker)).toBe('ada docker-EXAMPLE');
    expect(await core.get(git)).toBe('ada old-EXAMPLE');
    expect(kept(core)).toMatchObject([{ fronts: undefined }, { front: 'docker' }]);
  });
});

describe('an erase by another tool', () => {
  it('does not reach what a front alone has brought, unless it names the value', async () => {
    const core = new Core();
    await core.store(docker);
    expect(await core.erase({ ...git, username: 'ada' })).toBe('not-found');
    expect(await core.get(docker)).toBe('ada pass-EXAMPLE');
    expect(await core.erase({ ...git, username: 'ada', password: 'pass-EXAMPLE' })).toBe('ok');
    expect(await core.get(docker)).toBe('not-found');
  });

  it("does not reach a front's own value beside git's", async () => {
    const core = new Core();
    await core.store({ ...git, password: 'git-EXAMPLE' });
    await core.store({ ...docker, password: 'docker-EXAMPLE' });
    expect(await core.erase(git)).toBe('ok');
    expect(await core.get(docker)).toBe('ada docker-EXAMPLE');
  });

  it('by the user reaches all of it', async () => {
    const core = new Core();
    await core.store({ ...git, password: 'git-EXAMPLE' });
    await core.store({ ...docker, password: 'docker-EXAMPLE' });
    expect(await core.erase({ tool: 'keyhold' })).toBe('ok');
    expect(await core.get(docker)).toBe('not-found');
  });
});

describe("a front's own value at rest", () => {
  let folder: TemporaryFolder | undefined;
  afterEach(() => folder?.remove());
  const own = aHeld({ id: 'own', username: 'ada', front: 'docker', fronts: ['docker'], frontOnly: true });
  const other = aHeld({ id: 'other', username: 'ada' });

  it('rests beside the other value of its target, in a vault', async () => {
    folder = temporaryFolder('fronts');
    const vault = await openVault({ folder: folder.path, keep: heapSecret });
    await vault.put(other, { secret: secretFromText('other-EXAMPLE') });
    await vault.put(own, { secret: secretFromText('own-EXAMPLE') });
    expect(await vault.list()).toEqual(expect.arrayContaining([own, other]));
    expect(await text(vault, own)).toMatchObject({ secret: 'own-EXAMPLE' });
    expect(await text(vault, other)).toMatchObject({ secret: 'other-EXAMPLE' });
    await vault.remove(own);
    expect(await vault.list()).toEqual([other]);
    await vault.dispose();
  });

  it("is found in a keyring's index and has an item of its own", async () => {
    folder = temporaryFolder('fronts');
    const key = new Uint8Array(32).fill(7);
    const options = { file: join(folder.path, 'keyring.db'), keep: heapSecret };
    const progress = { state: 'whole', items: { secret: true, refreshToken: false } } as const;
    const index = await openIndex({ ...options, key: heapSecret(key) });
    for (const held of [own, other]) index.write(held, progress);
    index.close();
    const back = await openIndex({ ...options, key: heapSecret(key) });
    expect(back.find(own)?.held).toEqual(own);
    expect(back.find(other)?.held).toEqual(other);
    back.close();
    expect(itemOf(own)).toEqual({ service: '.keyhold://front/docker https://git.example.com', account: 'ada' });
    expect(itemOf(other).service).toBe('https://git.example.com');
  });

  it('is served again after a start, to the front first', async () => {
    const backend = new FakeBackend();
    const core = new Core({ backend });
    await core.store({ ...git, password: 'git-EXAMPLE' });
    await core.store({ ...docker, password: 'docker-EXAMPLE' });
    const next = new Core({ backend });
    expect(await next.get(docker)).toBe('ada docker-EXAMPLE');
    expect(await next.get(git)).toBe('ada git-EXAMPLE');
    expect(shown(await next.agent.erase(aRequest('erase', docker), agentItself))).toBe('ok');
    expect(await new Core({ backend }).get(docker)).toBe('ada git-EXAMPLE');
  });

  it('is carried by a migration', async () => {
    const core = new Core();
    await core.store({ ...git, password: 'git-EXAMPLE' });
    await core.store({ ...docker, password: 'docker-EXAMPLE' });
    await core.migrate(new FakeBackend(), () => {});
    expect(await core.get(docker)).toBe('ada docker-EXAMPLE');
    expect(await core.get(git)).toBe('ada git-EXAMPLE');
  });

  it('has an identity that no other target has', () => {
    const parts = [undefined, '', 'a', 'a/b', ' https://x'];
    const all = parts.flatMap((path) =>
      [undefined, '', 'ada'].flatMap((username) =>
        [undefined, 'docker', 'other'].map((front) => identityOf({ ...host, path, username, front })),
      ),
    );
    expect(new Set(all).size).toBe(all.length);
  });
});

// The rule: who brought it is given it first, and nobody is refused.
it.each([
  [undefined, { fronts: [] }, 0],
  [undefined, { fronts: ['docker'] }, 0],
  [undefined, { fronts: ['docker'], frontOnly: true }, 1],
  [undefined, { front: 'docker' }, 1],
  ['docker', { front: 'docker' }, 0],
  ['docker', { fronts: ['docker'] }, 1],
  ['docker', { fronts: [] }, 2],
  ['docker', {}, 2],
  ['other', { front: 'docker' }, 2],
] as const)('for %s the rank of %o is %i', (front, marks, rank) => {
  expect(rankFor(front, marks)).toBe(rank);
  expect(isFrontsAlone(marks)).toBe('front' in marks || 'frontOnly' in marks);
});

/** A backend with records of version 0.1: without made and fronts. */
async function ofVersion01(all: readonly ReturnType<typeof aHeld>[]): Promise<FakeBackend> {
  const backend = new FakeBackend();
  for (const held of all) await backend.put(held, { secret: secretFromText('old-EXAMPLE') });
  return backend;
}
