import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPogodoc, type Pogodoc } from '../../fakes/services/pogodoc.ts';
import { testServiceFaults } from './faults.ts';
import { openRig, type Rig } from './rig.ts';

type Made = { readonly id: string; readonly token: string };

/** What a person does on the page, signed in. */
const page = (server: Pogodoc, method: string, path = '', body?: object) =>
  fetch(`${server.url}/v1/api-tokens${path}`, {
    method,
    headers: { authorization: `Bearer ${server.session}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
const generate = async (server: Pogodoc, name: string) =>
  (await (await page(server, 'POST', '', { name })).json()) as Made;
/** What an app does. */
const render = async (server: Pogodoc, token: string) =>
  (
    await fetch(`${server.url}/v1/documents/immediate-render`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    })
  ).status;

/** The steps of the seed document, each as its counterpart here. As it is built in: a page, and no call for tokens. */
describe('pogodoc, whose tokens are made on its page', () => {
  let server: Pogodoc;
  let rig: Rig;
  const values: string[] = [];
  const at = ['--service', 'pogodoc'];

  beforeAll(async () => {
    server = await openPogodoc();
    rig = await openRig('pogodoc');
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const create = async (name: string) => {
    const made = await generate(server, name);
    values.push(made.token);
    const ended = await rig.run(['token', 'create', name, ...at], { input: `${made.token}\n` });
    return { ...made, ended };
  };
  /** The token that a command would find in its environment. */
  const inEnvironment = async (environment: Record<string, string> = {}) => {
    const { stdout } = await rig.run(['env', '--shell', 'sh', ...at], { environment });
    return /POGODOC_API_TOKEN='?([^'\n]+)/.exec(stdout)?.[1] ?? '';
  };

  test('the page where tokens are managed (D3)', async () => {
    const { stdout } = await rig.run(['service', 'open', 'pogodoc', '--no-input']);
    expect(stdout).toBe('https://app.pogodoc.com/api-tokens\n');
  });

  test('generate, copy and save: the page is named, the paste is kept, nothing is shown (D2, D3, D5, D8, D9)', async () => {
    const { ended, token } = await create('production-api');
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('https://app.pogodoc.com/api-tokens') });
    expect(ended.stdout).toContain('Keeping production-api, a new token of Pogodoc');
    expect(ended.stdout + ended.stderr).not.toContain(token.slice(0, 14));
    expect((await rig.run(['token', 'print', 'production-api'])).stdout).toBe(`${token}\n`);
  });

  test('a name has 1 to 20 characters: another is proposed, and nothing is asked for (D6)', async () => {
    // Good by the document's own list, and one character too long for its own rule.
    const { code, stderr } = await rig.run(['token', 'create', 'production-api-server', ...at], { input: 'x-EXAMPLE' });
    expect(code).toBe(2);
    expect(stderr).toContain('it has 21 characters, where 1 to 20 are allowed; try: production-api');
    expect((await page(server, 'POST', '', { name: 'production-api-server' })).status).toBe(400);
    expect((await rig.run(['token', 'create', '', ...at], { input: 'x-EXAMPLE' })).code).toBe(2);
  });

  test.each(['token1', 'test', 'my-token', 'abc123'])('the name %s says nothing, which is said (D7)', async (name) => {
    const { stderr } = await rig.run(['token', 'create', name, ...at]);
    expect(stderr).toContain('it does not say what the token is for; better: ');
  });

  test.each(['staging-web-app', 'dev-john-local', 'ci-github-actions', 'mobile-app-prod'])(
    'the name %s is a good one (D7)',
    async (name) => {
      const { code, stderr } = await rig.run(['token', 'create', name, ...at]);
      expect(code).toBe(6);
      expect(stderr).not.toContain('poor');
    },
  );

  test('POGODOC_API_TOKEN for one command: no file, and no argument (D1, D17, D25)', async () => {
    expect(await render(server, await inEnvironment())).toBe(200);
    expect(server.tokens()).toMatchObject([{ name: 'production-api', documents: 1 }]);
  });

  test('one token for each environment, chosen by profile; the uses of each are counted (D2, D13, D28, D29, D35)', async () => {
    const { token } = await create('dev-local');
    await rig.json(['profile', 'set', 'account', 'dev-local', '--profile', 'dev']);
    await rig.json(['profile', 'set', 'account', 'production-api', '--profile', 'production']);
    expect(await inEnvironment({ KEYHOLD_PROFILE: 'dev' })).toBe(token);
    const other = await inEnvironment({ KEYHOLD_PROFILE: 'production' });
    expect(other).not.toBe(token);
    expect(await render(server, other)).toBe(200);
    const usage = async (name: string) => (await rig.json(['token', 'show', name]))['usage'];
    await expect.poll(() => usage('dev-local')).toMatchObject({ count: 1 });
    expect(await usage('production-api')).toMatchObject({ count: 3, days: expect.any(Object) });
  });

  test('the page itself has no call: listing and revoking say so and tell what to do (D12, D26)', async () => {
    const listed = await rig.run(['token', 'list', '--remote', ...at]);
    expect(listed).toMatchObject({ code: 11, stderr: expect.stringContaining('on its page only') });
    const revoked = await rig.run(['token', 'revoke', 'dev-local', '--yes']);
    expect(revoked.code).toBe(11);
    expect(revoked.stdout).toContain('then run keyhold token remove --revoked');
    expect((await rig.run(['token', 'print', 'dev-local'])).code).toBe(0);
  });

  test('deleted on the page: who used it is known, it is remembered as dead, and it does not come back (D27, D32, D33)', async () => {
    const [{ id }] = server.tokens().filter(({ name }) => name === 'dev-local') as unknown as [{ id: string }];
    const dead = (await rig.run(['token', 'print', 'dev-local'])).stdout;
    expect((await rig.run(['token', 'show', 'dev-local'])).stdout).toMatch(/^by program +\S/m);
    expect((await page(server, 'DELETE', `/${id}`)).status).toBe(204);
    expect(await render(server, dead.trim())).toBe(401);
    // The token beside it is none of this.
    expect(await render(server, (await rig.run(['token', 'print', 'production-api'])).stdout.trim())).toBe(200);
    await rig.json(['token', 'remove', 'dev-local', '--revoked', '--yes', '--reason', 'a project has ended']);
    expect((await rig.json(['token', 'list', '--deleted']))['items']).toMatchObject([
      { label: 'dev-local', reason: 'a project has ended' },
    ]);
    const again = await rig.run(['token', 'set', '--for', 'https://api.pogodoc.com', '--label', 'dev-local'], {
      input: dead,
    });
    expect(again).toMatchObject({ code: 8, stderr: expect.stringContaining('was revoked on') });
  });

  test('ten active tokens and no eleventh: refused here before anybody goes to the page, and there as well (D14, D15, D45)', async () => {
    for (let count = 2; count <= 10; count++) expect((await create(`ci-job-${count}`)).ended.code).toBe(0);
    expect((await rig.run(['token', 'list'])).stdout).toContain('10/10 active');
    const eleventh = await rig.run(['token', 'create', 'ci-job-11', ...at], { input: 'never-read-EXAMPLE' });
    expect(eleventh).toMatchObject({ code: 9, stderr: expect.stringContaining('allows 10 active tokens') });
    expect(eleventh.stderr).toContain('keyhold token list --unused');
    expect(eleventh.stderr).not.toContain('make a token');
    expect((await page(server, 'POST', '', { name: 'ci-job-11' })).status).toBe(403);
  });

  test('no value in any list, log or record (D11)', async () => {
    const audited = JSON.stringify(await rig.json(['audit', 'list', '--limit', '500']));
    const listed = JSON.stringify(await rig.json(['token', 'list']));
    for (const value of values) expect(`${audited}${listed}${rig.agent.log()}`).not.toContain(value.slice(8, 20));
  });
});

/** The page's own calls in a manifest, as somebody writes who has them: what the page does, from here. */
const CALLS = `
kinds:
  - { name: pat, title: API token, format: { prefixes: [pogodoc_] } }
  - { name: session, title: session of the page, format: { prefixes: [session-] } }
rest:
  base: "{origin}/v1"
  create:
    method: POST
    path: /api-tokens
    kinds: [session]
    body: { name: "{name}" }
    fields: { id: /id, name: /name, value: /token, createdAt: /createdAt }
  list:
    method: GET
    path: /api-tokens
    kinds: [session]
    items: /tokens
    fields: { id: /id, name: /name, createdAt: /createdAt, uses: /documents }
  revoke: { method: DELETE, path: "/api-tokens/{id}" }
  whoami: { method: GET, path: /jobs/none, kinds: [pat] }
`;

describe('pogodoc, with the calls of its page', () => {
  let server: Pogodoc;
  let rig: Rig;
  const at = ['--service', 'pogodoc'];

  beforeAll(async () => {
    server = await openPogodoc();
    rig = await openRig('pogodoc', server, CALLS);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test('before anybody is signed in nothing can be made; afterwards it can (D5, D8)', async () => {
    expect((await rig.run(['token', 'create', 'staging-web-app', ...at])).code).toBe(6);
    // The page's cookie is no API token, and is kept apart from those.
    const signedIn = await rig.run(
      ['token', 'set', ...at, '--for', server.url, '--kind', 'session', '--label', 'page'],
      {
        input: server.session,
      },
    );
    expect(signedIn.code).toBe(0);
    const { created } = await rig.json(['token', 'create', 'staging-web-app', ...at]);
    expect(created).toMatchObject({ label: 'staging-web-app', kind: 'pat', prefix: 'pogodoc_' });
  });

  test('no plan: told with what to do, and nothing is kept (D4, D45)', async () => {
    server.plan = 'none';
    const { code, stderr } = await rig.run(['token', 'create', 'ci-no-plan', ...at]);
    expect(code).toBe(5);
    expect(stderr).toContain('there is no active plan, and without one no token can be made; choose a plan');
    server.plan = 'active';
    expect(server.tokens()).toHaveLength(1);
  });

  test('the active tab, with creation and documents (D13, D26, D29)', async () => {
    const token = (await rig.run(['token', 'print', 'staging-web-app'])).stdout.trim();
    for (let count = 0; count < 3; count++) expect(await render(server, token)).toBe(200);
    const { items } = await rig.json(['token', 'list', '--remote', ...at]);
    expect(items).toMatchObject([
      { name: 'staging-web-app', uses: 3, createdAt: expect.any(Number), state: 'both' },
      { state: 'local', kind: 'session' },
    ]);
    const { stdout } = await rig.run(['token', 'list', '--remote', ...at], { environment: { COLUMNS: '80' } });
    expect(stdout).toMatch(/^NAME +KIND +ID +CREATED +EXPIRES +USES +WHERE$/m);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('401: which of the causes it may be, and the token is kept (D42, D43)', async () => {
    const show = () => rig.run(['token', 'show', 'staging-web-app', '--remote']);
    expect((await show()).code).toBe(0);
    server.plan = 'lapsed';
    const lapsed = await show();
    expect(lapsed.code).toBe(6);
    expect(lapsed.stderr).toContain('copied with a space or letter too many, deleted, or the subscription has lapsed');
    server.plan = 'active';
    expect((await show()).code).toBe(0);
  });

  test('deleting asks first, tells who used it, and works at once; it cannot be brought back (D12, D30–D33)', async () => {
    const token = (await rig.run(['token', 'print', 'staging-web-app'])).stdout.trim();
    await expect
      .poll(async () => (await rig.json(['token', 'show', 'staging-web-app']))['usage'])
      .toMatchObject({ count: 2 });
    const asked = await rig.run(['token', 'revoke', 'staging-web-app']);
    expect(asked.code).toBe(6);
    expect(asked.stdout).toMatch(/^Used in the last days:\n- staging-web-app: 2 times/);
    expect(await render(server, token)).toBe(200);
    const revoked = await rig.run(['token', 'revoke', 'staging-web-app', '--yes', '--reason', 'a test has ended']);
    expect(revoked.stdout).toContain('Revoked staging-web-app; a probe shows that it is dead.');
    expect(await render(server, token)).toBe(401);
    const set = await rig.run(['token', 'set', '--for', server.url, '--label', 'again'], { input: token });
    expect(set.code).toBe(8);
    expect((await rig.json(['token', 'list', '--deleted']))['items']).toMatchObject([{ reason: 'a test has ended' }]);
  });

  test('deleted by mistake or lost: another in its place under the same name (D15, D34, D46)', async () => {
    await rig.json(['token', 'create', 'staging-web-app', ...at]);
    const token = (await rig.run(['token', 'print', 'staging-web-app'])).stdout.trim();
    expect(await render(server, token)).toBe(200);
    expect(server.tokens().filter(({ deletedAt }) => deletedAt === null)).toHaveLength(1);
  });

  test('the eleventh is refused before the call, by what the service lists (D14, D45)', async () => {
    for (let count = 2; count <= 10; count++) await page(server, 'POST', '', { name: `by-others-${count}` });
    const before = server.requests.filter(({ method }) => method === 'POST').length;
    const { code, stderr } = await rig.run(['token', 'create', 'ci-eleventh', ...at]);
    expect([code, stderr]).toEqual([9, expect.stringContaining('allows 10 active tokens, and there are 10')]);
    expect(server.requests.filter(({ method }) => method === 'POST')).toHaveLength(before);
    expect((await rig.run(['token', 'list', '--remote', ...at])).stdout).toContain('10/10 active');
  });

  test('one that nobody here holds is ended by its name or the beginning of its id', async () => {
    const [, { id }] = server.tokens().filter(({ deletedAt }) => deletedAt === null) as unknown as [
      unknown,
      { id: string },
    ];
    const ended = await rig.json(['token', 'revoke', 'by-others-3', id.slice(0, 13), '--yes', ...at]);
    expect(ended['results']).toMatchObject([
      { exitCode: 0, upstream: 'revoked' },
      { exitCode: 0, upstream: 'revoked', token: { tokenId: id } },
    ]);
    // A second time there is nothing left to do.
    const twice = await rig.json(['token', 'revoke', id, '--yes', ...at]);
    expect(twice['results']).toMatchObject([{ exitCode: 0, upstream: 'gone' }]);
  });

  testServiceFaults(
    () => ({ rig, standIn: server, service: 'pogodoc', label: 'staging-web-app', create: [] }),
    [401, 402, 403, 'half-a-body'],
  );
});
