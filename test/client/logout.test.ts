import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openComposed } from '../fakes/composed-agent.ts';
import { ok, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { emptyHome, keyhold } from './keyhold.ts';

const TOKEN = 'podstack_session-EXAMPLE';
const before = `# mine
auth:
  token: ${TOKEN} # from the page
  expires: 2030-12-01
output: json
profiles:
  work:
    token: podstack_work-EXAMPLE
    project: p-42
`;

let agent: Awaited<ReturnType<typeof openComposed>>;
let home: string;
let file: string;
beforeEach(async () => {
  agent = await openComposed();
  home = emptyHome();
  mkdirSync(join(home, '.podstack'), { mode: 0o700 });
  file = join(home, '.podstack/config.yaml');
  writeFileSync(file, before, { mode: 0o600 });
});
afterEach(() => agent.dispose());

const run = (args: readonly string[], input?: string) =>
  keyhold(args, { home, ...(input === undefined ? {} : { input }), environment: { KEYHOLD_SOCKET: agent.socket } });
const logout = ['auth', 'logout', '--service', 'podstack'];

test("logout shows first what it would take out of the service's own file, and takes nothing unasked (S13)", async () => {
  await run(['token', 'set', '--service', 'podstack', '--label', 'ada'], `${TOKEN}\n`);
  const asked = await run(logout);
  expect(asked).toMatchObject({ code: 6, stderr: expect.stringContaining('--yes') });
  expect(asked.stdout).toContain(`To be taken out of ${file}: `);
  expect(asked.stdout.replace(/\s+/g, ' ')).toContain(
    `${file}: auth.token, auth.expires To be left there, because it is another token: profiles.work.token`,
  );
  expect(`${asked.stdout}${asked.stderr}`).not.toContain('EXAMPLE');
  expect(readFileSync(file, 'utf8')).toBe(before);
  expect((await run(['token', 'print', 'ada'])).stdout).toBe(`${TOKEN}\n`);
});

test('logout removes the token here and in that file, and leaves all else in it as it is (S13, S21)', async () => {
  await run(['token', 'set', '--service', 'podstack', '--label', 'ada'], `${TOKEN}\n`);
  const done = await run([...logout, '--yes', '--json']);
  expect(done.code).toBe(0);
  const said = JSON.parse(done.stdout.slice(done.stdout.indexOf('{')));
  expect(said).toMatchObject({ revoked: false, removed: true, cleared: [file] });
  expect(said.upstream).toContain('revoke it on the account page');
  const left = readFileSync(file, 'utf8');
  expect(left).not.toContain(TOKEN);
  for (const kept of ['# mine', 'output: json', 'token: podstack_work-EXAMPLE', 'project: p-42']) {
    expect(left).toContain(kept);
  }
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await run(['token', 'print', 'ada'])).code).toBe(4);
  expect((await run([...logout, '--yes'])).stdout).toBe('Nobody was signed in.\n');
});

test('logout takes nothing out of a file whose tokens keyhold never held', async () => {
  const done = await run([...logout, '--yes']);
  expect(done).toMatchObject({ code: 0, stdout: 'Nobody was signed in.\n' });
  expect(readFileSync(file, 'utf8')).toBe(before);
  await run(['token', 'set', '--service', 'podstack', '--label', 'ada'], 'podstack_another-EXAMPLE\n');
  expect(JSON.parse((await run([...logout, '--yes', '--json'])).stdout)).toMatchObject({ removed: true, cleared: [] });
  expect(readFileSync(file, 'utf8')).toBe(before);
});

test('logout takes the token out of the profile that holds it, and leaves the other profiles', async () => {
  await run(['token', 'set', '--service', 'podstack', '--label', 'ada'], 'podstack_work-EXAMPLE\n');
  const done = await run([...logout, '--yes', '--json']);
  expect(JSON.parse(done.stdout)).toMatchObject({ removed: true, cleared: [file] });
  const left = readFileSync(file, 'utf8');
  expect(left).not.toContain('podstack_work-EXAMPLE');
  for (const kept of [`token: ${TOKEN} # from the page`, 'expires: 2030-12-01', 'project: p-42']) {
    expect(left).toContain(kept);
  }
});

test("a login's end and refresh token go with it; a user or tenant only where it is that login's", async () => {
  const item = {
    id: 'a1',
    protocol: 'https',
    host: 'pangolin.example',
    username: 'ada',
    service: 'pangolin',
    made: 'login',
    storedAt: 1_767_225_600,
  };
  await using scripted = await startScriptedAgent({
    list: ok([['item[]', item]]),
    same: ok([['same', 'true']]),
    revoke: ok([['upstream', 'revoked']]),
  });
  const vendor = join(scripted.home, '.config/pangolin/cli/config.json');
  mkdirSync(join(scripted.home, '.config/pangolin/cli'), { recursive: true });
  writeFileSync(
    vendor,
    JSON.stringify({
      base_url: 'https://pangolin.example',
      username: 'ada',
      tenant_id: 't-1',
      auth_token: 'x-EXAMPLE',
    }),
  );
  const server = ['--for', 'https://pangolin.example', '--service', 'pangolin'];
  const done = await keyhold(['auth', 'logout', ...server, '--yes', '--json'], scripted);
  expect(JSON.parse(done.stdout)).toMatchObject({ removed: true, cleared: [vendor] });
  expect(JSON.parse(readFileSync(vendor, 'utf8'))).toEqual({ base_url: 'https://pangolin.example', tenant_id: 't-1' });
});

test('a file that cannot be taken apart is left as it is; the token here is removed', async () => {
  await run(['token', 'set', '--service', 'podstack', '--label', 'ada'], `${TOKEN}\n`);
  const broken = `auth: {token: ${TOKEN}`;
  writeFileSync(file, broken);
  expect((await run([...logout, '--yes'])).code).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(broken);
  expect((await run(['token', 'print', 'ada'])).code).toBe(4);
});

describe('a login whose provider has confirmed the end', () => {
  const item = {
    id: 'a1',
    protocol: 'https',
    host: 'git.example',
    username: 'oauth2',
    origin: 'signed in with keyhold',
    refresh: 'ours',
    storedAt: 1_767_225_600,
  };
  const ended = (probe: string) =>
    startScriptedAgent({
      list: ok([['item[]', item]]),
      revoke: ok([
        ['upstream', 'revoked'],
        ['probe', probe],
      ]),
    });
  const still = 'still works although its service confirmed the end';

  test.each([
    ['alive', 1, 'Signed out here.', still],
    ['dead', 0, 'Signed out; the token is dead there, too.', undefined],
  ])('and which a probe finds %s: logout ends with %i and says so', async (probe, code, words, warned) => {
    await using scripted = await ended(probe);
    const args = ['auth', 'logout', '--for', 'https://git.example', '--yes'];
    const said = await keyhold(args, scripted);
    expect(said.code).toBe(code);
    expect(said.stdout).toContain(words);
    if (warned) expect(said.stderr.replace(/\s+/g, ' ')).toContain(warned);
    else expect(said.stderr).toBe('');
    const json = await keyhold([...args, '--json'], scripted);
    expect(json.code).toBe(code);
    expect(JSON.parse(json.stdout)).toMatchObject({ revoked: true, removed: true, probe });
  });

  test.each([
    ['alive', 1],
    ['dead', 0],
    ['none', 0],
  ])('and which a probe finds %s: token revoke ends with %i, and says what it found', async (probe, code) => {
    await using scripted = await ended(probe);
    const said = await keyhold(['token', 'revoke', 'a1', '--yes', '--json'], scripted);
    expect(said.code).toBe(code);
    const { results } = JSON.parse(said.stdout);
    expect(results).toMatchObject([{ exitCode: code, upstream: 'revoked', probe }]);
    expect(String(results[0].message ?? '').includes(still)).toBe(probe === 'alive');
  });
});
