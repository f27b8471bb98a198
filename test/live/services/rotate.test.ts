import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAgent } from '../../fakes/built-agent.ts';
import { type Apkg, openApkg } from '../../fakes/services/apkg.ts';
import { openPangolin, type Pangolin } from '../../fakes/services/pangolin.ts';
import { openPogodoc, type Pogodoc } from '../../fakes/services/pogodoc.ts';
import { openRig, type Rig } from './rig.ts';

describe('token rotate at a service that makes and revokes tokens', () => {
  let server: Apkg;
  let rig: Rig;
  const at = ['--service', 'apkg'];
  const value = async (label: string) => (await rig.run(['token', 'print', label])).stdout.trim();

  beforeAll(async () => {
    server = await openApkg();
    rig = await openRig('apkg', server);
    await rig.json(['auth', 'login', ...at, '--username', 'ada', '--stdin'], { input: 'password-EXAMPLE\n' });
    await rig.json(['token', 'create', 'ci-deploy', '--scopes', 'publish', '--limit', '@ada/*', ...at]);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test('first says how it would be done, and changes nothing', async () => {
    const before = await value('ci-deploy');
    const { code, stdout } = await rig.run(['token', 'rotate', 'ci-deploy', '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toContain('Nothing was changed.');
    expect(stdout).toMatch(/^way +the service makes a new one; it is probed/m);
    const plan = await rig.json(['token', 'rotate', 'ci-deploy', '--dry-run']);
    expect(plan).toMatchObject({ way: 'create', kind: 'ci', expiresIn: '90d', shorter: false });
    const asked = await rig.run(['token', 'rotate', 'ci-deploy']);
    expect(asked).toMatchObject({ code: 6, stderr: expect.stringContaining('--yes') });
    expect(await value('ci-deploy')).toBe(before);
    expect(server.active()).toHaveLength(1);
  });

  test('changes it behind its label: the old one is dead, and who used it was shown (K8, D34, D36)', async () => {
    const before = await value('ci-deploy');
    const { stdout, code } = await rig.run(['token', 'rotate', 'ci-deploy', '--limit', '@ada/*', '--yes']);
    expect(code).toBe(0);
    expect(stdout).toContain('Used in the last days:');
    expect(stdout).toMatch(
      /A new token serves as ci-deploy, until \d{4}-\d\d-\d\d; a probe shows that the old\s+one is dead/,
    );
    const after = await value('ci-deploy');
    expect(after).not.toBe(before);
    expect(server.active()).toMatchObject([{ name: 'ci-deploy' }]);
    const whoami = (token: string) =>
      fetch(`${server.url}/auth/whoami`, { headers: { authorization: `Bearer ${token}` } });
    expect([(await whoami(before)).status, (await whoami(after)).status]).toEqual([401, 200]);
    const shown = await rig.json(['token', 'show', 'ci-deploy']);
    expect(shown).toMatchObject({ scopes: ['publish'], origin: 'rotated by keyhold' });
    const { items } = await rig.json(['audit', 'list', '--limit', '50']);
    expect((items as unknown as { action: string }[]).map(({ action }) => action)).toContain('rotate');
    expect(rig.said().split(after)).toHaveLength(2);
  });

  test.each([500, 429] as const)(
    'while whoami answers %i: the new one serves, not verified, and both live until it answers',
    async (fault) => {
      const before = await value('ci-deploy');
      server.fail(fault, { only: /whoami/ });
      const { code, stderr } = await rig.run(['token', 'rotate', 'ci-deploy', '--yes']);
      expect(code).toBe(10);
      expect(stderr.replace(/\s+/g, ' ')).toContain('the new one serves, not verified, and the old one is not revoked');
      expect(stderr).toContain('keyhold token rotate ci-deploy --undo');
      const fresh = await value('ci-deploy');
      expect(fresh).not.toBe(before);
      expect(server.active()).toHaveLength(2);
      expect(await rig.json(['token', 'show', 'ci-deploy'])).toMatchObject({
        unverified: expect.stringContaining('apkg'),
      });
      server.recover();
      const ended = await rig.json(['token', 'rotate', 'ci-deploy', '--yes']);
      expect(ended).toMatchObject({ step: 'done', probe: 'dead', serves: 'alive' });
      expect(await rig.json(['token', 'show', 'ci-deploy'])).not.toHaveProperty('unverified');
      expect([await value('ci-deploy'), server.active().length]).toEqual([fresh, 1]);
    },
  );

  test('goes on where a killed agent stopped, and status says so meanwhile', async () => {
    const before = await value('ci-deploy');
    server.fail('timeout', { only: /^DELETE/ });
    const cut = rig.run(['token', 'rotate', 'ci-deploy', '--yes']);
    await expect
      .poll(() => server.requests.some(({ method, status }) => method === 'DELETE' && status === 0))
      .toBe(true);
    rig.agent.kill('SIGKILL');
    expect((await cut).code).toBe(10);
    server.recover();
    await using _ = await startAgent({ home: rig.home });
    const { stdout } = await rig.run(['status']);
    expect(stdout).toMatch(/a rotation has not ended/);
    expect(await value('ci-deploy')).not.toBe(before);
    const ended = await rig.run(['token', 'rotate', 'ci-deploy', '--yes']);
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('going on with the rotation') });
    expect(server.active()).toHaveLength(1);
    expect((await rig.run(['status'])).stdout).not.toMatch(/a rotation has not ended/);
  });
});

describe('token rotate at a service that trades tokens', () => {
  let server: Pangolin;
  let rig: Rig;
  const at = ['--service', 'pangolin'];

  beforeAll(async () => {
    server = await openPangolin();
    rig = await openRig('pangolin', server);
    const login = ['auth', 'login', ...at, '--username', 'tess', '--tenant', server.tenant, '--stdin'];
    await rig.json(login, { input: 'password-EXAMPLE\n' });
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test('warns that life gets shorter, and is not done unless somebody agrees (G28)', async () => {
    await rig.json(['token', 'create', 'admin', '--expires-in', '90d', ...at]);
    const asked = await rig.run(['token', 'rotate', 'admin']);
    expect(asked.code).toBe(6);
    expect(asked.stderr).toMatch(/The new token would live 1d, in the place of one of 90d/);
    expect(asked.stderr).toContain('24 hours whatever the old one did');
    expect(server.requests.filter(({ path }) => path.endsWith('/rotate'))).toEqual([]);
    const said = await rig.json(['token', 'rotate', 'admin', '--yes']);
    expect(said).toMatchObject({ step: 'done', upstream: 'traded', probe: 'dead' });
    const life = Number(said['expiresAt']) - Date.now() / 1_000;
    expect(life).toBeLessThanOrEqual(86_400);
  });

  test("renews a service user's key by the session (G13, G18)", async () => {
    const { created } = await rig.json(['token', 'create', 'pipeline', '--kind', 'service-key', ...at]);
    expect(created).toMatchObject({ kind: 'service-key', prefix: 'pgl_' });
    const before = (await rig.run(['token', 'print', 'pipeline'])).stdout;
    expect(await rig.json(['token', 'rotate', 'pipeline', '--yes'])).toMatchObject({ step: 'done', probe: 'dead' });
    expect((await rig.run(['token', 'print', 'pipeline'])).stdout).not.toBe(before);
  });
});

/** A manifest of one's own says where its page is. */
const pagesOnly = ({ url, port }: Pogodoc) => `
hosts: [{ protocol: http, host: 127.0.0.1, port: ${port} }]
urls: { create: ${url}/api-tokens }
rest: { base: ${url}/v1 }
`;

describe('token rotate at a service whose tokens are made on a page', () => {
  let server: Pogodoc;
  let rig: Rig;

  beforeAll(async () => {
    server = await openPogodoc();
    rig = await openRig('pogodoc', server, pagesOnly(server));
    const set = ['token', 'set', '--for', server.url, '--service', 'pogodoc', '--label', 'web'];
    await rig.json(set, { input: 'pogodoc_old-EXAMPLE\n' });
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test('says what to do by hand, takes the paste, and is over when the old one is deleted there (D34, D46)', async () => {
    const page = `${server.url}/api-tokens`;
    const alone = await rig.run(['token', 'rotate', 'web', '--yes', '--no-input']);
    expect(alone).toMatchObject({ code: 6, stderr: expect.stringContaining(`make a token named web here: ${page}`) });
    const swapped = await rig.run(['token', 'rotate', 'web', '--yes', '--stdin'], { input: 'pogodoc_new-EXAMPLE\n' });
    expect(swapped.code).toBe(0);
    expect(swapped.stdout).toContain('The old one lives on.');
    expect(swapped.stdout).toContain(page);
    expect((await rig.run(['token', 'print', 'web'])).stdout).toBe('pogodoc_new-EXAMPLE\n');
    const asked = await rig.run(['token', 'rotate', 'web']);
    expect(asked).toMatchObject({ code: 6, stderr: expect.stringContaining(`deleted on ${page}`) });
    expect((await rig.run(['token', 'rotate', 'web', '--undo', '--yes'])).stdout).toContain('serves, as before');
    expect((await rig.run(['token', 'print', 'web'])).stdout).toBe('pogodoc_old-EXAMPLE\n');
    await rig.json(['token', 'rotate', 'web', '--yes', '--stdin'], { input: 'pogodoc_next-EXAMPLE\n' });
    expect(await rig.json(['token', 'rotate', 'web', '--yes'])).toMatchObject({ step: 'done', upstream: 'said' });
    const { items } = await rig.json(['token', 'list', '--deleted']);
    expect(items).toMatchObject([{ label: 'web', reason: 'rotated with keyhold' }]);
  });
});
