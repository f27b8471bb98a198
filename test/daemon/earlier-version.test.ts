import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Backend, Held } from '../../daemon/backends/backend.ts';
import { openBackup, sealBackup } from '../../daemon/backends/backup.ts';
import { openIndex, SEALED } from '../../daemon/backends/keyring/held-index.ts';
import { openVault } from '../../daemon/backends/vault/vault.ts';
import type { AgentParts } from '../../daemon/credentials/agent.ts';
import { ownTarget } from '../../daemon/history/tombstones/own-records.ts';
import { agentItself } from '../../daemon/socket/caller.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import { expose, heapSecret, secretFromText } from '../../protocol/secret.ts';
import { aHeld, text } from '../contracts/backend.ts';
import { FakeClock } from '../fakes/clock.ts';
import { Core } from '../fakes/core.ts';
import { type Earlier, earlierVersion } from '../fakes/earlier-agent.ts';
import { temporaryFolder } from '../temporary.ts';

const earlier: Earlier = await earlierVersion();
/** As weak as Argon2id can be, so that tests are quick. */
const kdf = { memory: 8, passes: 1, parallelism: 1 };

/** Everything that this version notes of a credential and version 0.1 does not know. */
const newer: Held = {
  ...aHeld({ id: 'newer', username: 'ada', storedAt: 5 }),
  about: { label: 'laptop', prefix: 'tok_' },
  made: 'login',
  fronts: ['docker'],
  shown: 'tok_',
};

describe('an agent of version 0.1', () => {
  it('opens a vault that this version wrote, serves from it and stores into it', async () => {
    const folder = aFolder();
    const vault = await openVault({ folder, keep: heapSecret, kdf });
    await vault.put(newer, { secret: secretFromText('newer-EXAMPLE') });
    await vault.put(aHeld({ id: 'bob', username: 'bob' }), { secret: secretFromText('bob-EXAMPLE') });
    const [eve, bin] = [
      aHeld({ id: 'eve', username: 'eve' }),
      { ...ownTarget('erased', 'eve'), id: 'eve', storedAt: 6 },
    ];
    await vault.put(eve, { secret: secretFromText('erased-EXAMPLE') });
    await vault.move(eve, bin);
    await vault.dispose();

    const agent = await earlierAgent(await earlier.openVault({ folder, keep: earlier.heapSecret, kdf }));
    expect(await agent.get('ada')).toBe('newer-EXAMPLE');
    expect(await agent.get('bob')).toBe('bob-EXAMPLE');
    expect(await agent.get('eve')).toBe('not-found');
    expect(await agent.store('bob', 'later-EXAMPLE')).toBe('ok');
    expect(await agent.get('bob')).toBe('later-EXAMPLE');
    await agent.close();

    // What it left alone is as it was, and what it stored is read.
    const back = await openVault({ folder, keep: heapSecret, kdf });
    onTestFinished(() => back.dispose());
    const all = new Map((await back.list()).map((held) => [held.username, held]));
    expect(all.get('ada')).toEqual(newer);
    expect(await text(back, all.get('bob')!)).toMatchObject({ secret: 'later-EXAMPLE' });
    expect(await text(back, bin)).toMatchObject({ secret: 'erased-EXAMPLE' });
  });

  it("serves the other value of a target where a front keeps its own, and carries and stores without losing the front's", async () => {
    const folder = aFolder();
    const own = aHeld({
      id: 'own',
      username: 'ada',
      front: 'docker',
      fronts: ['docker'],
      frontOnly: true,
      storedAt: 9,
    });
    const vault = await openVault({ folder, keep: heapSecret, kdf });
    await vault.put(newer, { secret: secretFromText('git-EXAMPLE') });
    await vault.put(own, { secret: secretFromText('docker-EXAMPLE') });
    await vault.dispose();

    const agent = await earlierAgent(await earlier.openVault({ folder, keep: earlier.heapSecret, kdf }));
    expect(await agent.get('ada')).toBe('git-EXAMPLE');
    expect(await agent.store('ada', 'later-EXAMPLE')).toBe('ok');
    const there = aFolder();
    await agent.migrate(await earlier.openVault({ folder: there, keep: earlier.heapSecret, kdf }));
    await agent.close();

    const back = await openVault({ folder: there, keep: heapSecret, kdf });
    onTestFinished(() => back.dispose());
    expect(await back.list()).toEqual(expect.arrayContaining([own]));
    expect(await text(back, own)).toMatchObject({ secret: 'docker-EXAMPLE' });
    expect(await text(back, newer)).toMatchObject({ secret: 'later-EXAMPLE' });
  });

  it("opens the keyring's index that this version wrote", async () => {
    const file = join(aFolder(), 'keyring.db');
    const key = randomBytes(32);
    const index = await openIndex({ file, key: heapSecret(key), keep: heapSecret });
    const progress = { state: 'whole', items: { secret: true, refreshToken: false } } as const;
    index.write(newer, progress);
    const bin = { ...ownTarget('erased', 'eve'), id: 'eve', storedAt: 6 };
    index.apply([{ write: bin, progress: SEALED, secrets: { secret: secretFromText('erased-EXAMPLE') } }]);
    index.close();

    const old = await earlier.openIndex({ file, key: earlier.heapSecret(key), keep: earlier.heapSecret });
    expect(old.find(newer)).toEqual({ held: newer, progress });
    // A row that is whole and has no item: nothing to look for in the keyring, and nothing to drop.
    expect(old.find(bin)).toEqual({ held: bin, progress: SEALED });
    old.write(aHeld({ id: 'bob', username: 'bob' }), progress);
    old.close();

    const back = await openIndex({ file, key: heapSecret(key), keep: heapSecret });
    onTestFinished(() => back.close());
    expect(back.rows().map(({ held }) => held.id)).toEqual(expect.arrayContaining(['newer', 'bob', 'eve']));
    expect(Buffer.from(expose(back.secrets(bin)!.secret!)).toString()).toBe('erased-EXAMPLE');
  });

  it('adds to a large vault, and this version finds that by its host before the whole list is read', async () => {
    const folder = aFolder();
    const vault = await openVault({ folder, keep: heapSecret, kdf });
    const many = Array.from({ length: 1_200 }, (_, index) => ({
      held: aHeld({ id: `${index}`, host: `h${index}.example.com` }),
      secrets: { secret: secretFromText(`${index}-EXAMPLE`) },
    }));
    await vault.putAll!(many);
    // The hosts of the first few hundred are noted at the next opening.
    await vault.list();
    await vault.dispose();

    const old = await earlier.openVault({ folder, keep: earlier.heapSecret, kdf });
    const added = aHeld({ id: 'added', host: 'added.example.com' });
    await old.put(added, { secret: earlier.secretFromText('added-EXAMPLE') });
    await old.remove(many[7]!.held);
    await old.dispose();

    const back = await openVault({ folder, keep: heapSecret, kdf });
    onTestFinished(() => back.dispose());
    const order: string[] = [];
    const early = back.heldFor!(added).then((held) => {
      order.push('host');
      return held;
    });
    const list = back.list().then((all) => {
      order.push('list');
      return all;
    });
    expect(await early).toEqual([added]);
    expect(await back.heldFor!(many[7]!.held)).toEqual([]);
    expect(await back.heldFor!(many[8]!.held)).toEqual([many[8]!.held]);
    expect(await list).toHaveLength(1_200);
    expect(order).toEqual(['host', 'list']);
  });

  it('has kept a large vault: a get during its first opening by this version waits and is answered, and never "not-found"', async () => {
    const folder = aFolder();
    const count = 1_100;
    const host = (at: number) => `h${at}.example.com`;
    const old = await earlier.openVault({ folder, keep: earlier.heapSecret, kdf });
    for (let at = 0; at < count; at++) {
      await old.put(aHeld({ id: `${at}`, host: host(at) }), { secret: earlier.secretFromText(`${at}-EXAMPLE`) });
    }
    await old.dispose();
    expect(existsSync(join(folder, 'vault.hosts'))).toBe(false);

    for (const times of ['first', 'second']) {
      const core = new Core({ open: () => openVault({ folder, keep: heapSecret, kdf }) });
      const answers = Array.from({ length: count }, (_, at) => core.get({ host: host(at) }));
      const missing = core.get({ host: 'never.example.com' });
      const states = answers.map((answer) => answer.then(() => core.credentials.lifecycle.state));
      expect(core.credentials.lifecycle.state).toBe('opening');
      expect(await Promise.all(answers)).toEqual(Array.from({ length: count }, (_, at) => `ada ${at}-EXAMPLE`));
      expect(await missing).toBe('not-found');
      // Once the hosts are noted, at the second opening, nothing waits for the list.
      if (times === 'second') expect(await Promise.all(states)).toContain('opening');
      await core.credentials.lifecycle.dispose();
      expect(existsSync(join(folder, 'vault.hosts'))).toBe(true);
    }
  });

  it('opens a backup that this version sealed', async () => {
    const items = [{ held: newer, secrets: { secret: secretFromText('newer-EXAMPLE') } }];
    const { header, records } = await sealBackup(secretFromText('passphrase-EXAMPLE'), items, kdf);
    const passphrase = earlier.secretFromText('passphrase-EXAMPLE');
    const backup = await earlier.openBackup(passphrase, header, earlier.heapSecret);
    const [item] = backup.read(records);
    expect(item!.held).toEqual(newer);
    expect(Buffer.from(earlier.expose(item!.secrets.secret!)).toString()).toBe('newer-EXAMPLE');
  });

  it('sealed a backup that this version opens', async () => {
    const held = aHeld({ id: 'old' });
    const items = [{ held, secrets: { secret: earlier.secretFromText('old-EXAMPLE') } }];
    const { header, records } = await earlier.sealBackup(earlier.secretFromText('passphrase-EXAMPLE'), items, kdf);
    const backup = await openBackup(secretFromText('passphrase-EXAMPLE'), header, heapSecret);
    const [item] = backup.read(records);
    expect(item!.held).toEqual(held);
    expect(Buffer.from(expose(item!.secrets.secret!)).toString()).toBe('old-EXAMPLE');
  });
});

function aFolder(): string {
  const folder = temporaryFolder('earlier');
  onTestFinished(() => folder.remove());
  return folder.path;
}

/** The verbs of version 0.1 over a backend of version 0.1. */
async function earlierAgent(backend: Backend) {
  const clock = new FakeClock();
  const log = () => {};
  const lockMark = { isSet: () => false, set: () => {}, clear: () => {} };
  const custody = new earlier.Custody({ keep: earlier.heapSecret, clock, log, lockMark, onRest: () => {} });
  const marks = new earlier.Marks({ custody, keep: earlier.heapSecret, clock, services: () => [] });
  const tombstones = new earlier.Tombstones(custody, marks, clock);
  const waiters = new earlier.Waiters(clock, log as never);
  const parts = { custody, clock, log, profiles: () => earlier.noProfiles, tombstones, waiters };
  // What it did not know then it does not read.
  const agent = new earlier.Agent(parts as unknown as AgentParts);
  await custody.open(async () => backend);
  const ask = (action: string, username: string, more: object = {}) => ({
    action,
    target: { protocol: 'https', host: 'git.example.com', username },
    capabilities: { authtype: true, state: true, keyhold: true },
    attributes: new earlier.Attributes(),
    ...more,
  });
  const valueIn = (reply: CredentialReply) =>
    reply.status === 'ok' ? Buffer.from(earlier.expose(reply.credential!.secret!)).toString() : reply.status;
  return {
    get: async (username: string) => valueIn(await agent.get(ask('get', username), agentItself)),
    store: async (username: string, value: string) =>
      (await agent.store(ask('store', username, { secret: earlier.secretFromText(value) }), agentItself)).status,
    migrate: (next: Backend) => earlier.migrate(custody, next, () => {}, log),
    close: () => custody.dispose(),
  };
}
