import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ok, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { emptyHome, keyhold } from './keyhold.ts';

const candidate = { id: '1', protocol: 'https', host: 'git.example', username: 'ada', storedAt: 1_767_225_600 };
const answer = ok([
  ['outcome', 'ok'],
  ['rule', 'profile'],
  ['profile', 'work'],
  ['profile_by', 'folder'],
  ['profile_folder', '/src'],
  ['account', 'ada'],
  ['backend', 'vault'],
  ['state', 'open'],
  ['human', 'nothing'],
  ['candidates', '60'],
  ['candidate[]', { ...candidate, verdict: 'given', leaseLeft: 90, memoryOnly: false }],
  ['candidate[]', { ...candidate, username: 'bob\u202e', path: 'x', verdict: 'next', memoryOnly: false }],
  ['candidate[]', { ...candidate, username: 'eve', verdict: 'authtype-not-offered', memoryOnly: true }],
]);
const FOR = ['token', 'explain', '--for', 'https://git.example/x'];

describe('keyhold token explain', () => {
  test('shows who would be given what and why, in 80 columns and without steering the terminal', async () => {
    await using agent = await startScriptedAgent({ explain: answer });
    const { code, stdout, stderr } = await keyhold([...FOR, '--tool', 'keyhold'], agent);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(
      [
        'for       https://git.example/x',
        'outcome   ok',
        'rule      the account of the profile comes first',
        'profile   work, by the folder /src: account ada',
        'backend   vault, open',
        'a person  would be asked: nothing',
        '   PATH  USERNAME     SINCE             WHY',
        '>        ada          2026-01-01 00:00  would be given, in memory for 2 min',
        '2  x     bob\\u{202e}  2026-01-01 00:00  would be next, after it is read',
        '3        eve          2026-01-01 00:00  is of a kind that the tool does not take',
        'and 57 more for this host.',
        '',
      ].join('\n'),
    );
  });

  test.each([
    ['well', { dueAt: 1_767_229_200 }, 'the token is of 2026-01-01 00:00; next due 2026-01-01 01:00'],
    ['well', {}, 'the token is of 2026-01-01 00:00; next when it is asked for'],
    ['under-way', {}, 'the token is of 2026-01-01 00:00; under way'],
    [
      'waits',
      { retryAt: 1_767_225_660 },
      'the token is of 2026-01-01 00:00; its provider failed and is left alone until 2026-01-01 00:01',
    ],
    [
      'ended',
      { command: 'keyhold auth login' },
      'the token is of 2026-01-01 00:00; the login has ended; run: keyhold auth login',
    ],
    [
      'unknown',
      { command: 'keyhold auth login' },
      'the token is of 2026-01-01 00:00; one was cut off, and its outcome is not known; run: keyhold auth login',
    ],
  ])('tells how the refresh of a login stands: %s', async (state, more, words) => {
    const refresh = { state, refreshedAt: candidate.storedAt, ...more };
    await using agent = await startScriptedAgent({
      explain: ok([
        ['outcome', 'ok'],
        ['human', 'nothing'],
        ['candidates', '1'],
        ['candidate[]', { ...candidate, verdict: 'given', memoryOnly: false, refresh }],
      ]),
    });
    const { stdout } = await keyhold([...FOR, '--tool', 'keyhold'], agent);
    expect(stdout.replace(/\s+/g, ' ')).toContain(`refresh ${words} `);
    const { candidates } = JSON.parse((await keyhold([...FOR, '--tool', 'keyhold', '--json'], agent)).stdout);
    expect(candidates[0].refresh).toEqual(refresh);
  });

  test('names the helpers that git asks before and after, never with their arguments', async () => {
    await using agent = await startScriptedAgent({ explain: answer });
    const config = join(agent.home, 'gitconfig');
    writeFileSync(
      config,
      '[credential]\n helper = store --file token-EXAMPLE\n helper = keyhold\n helper = "!echo EXAMPLE"\n',
    );
    const { stdout } = await keyhold([...FOR, '--tool', 'git'], {
      ...agent,
      environment: { GIT_CONFIG_GLOBAL: config },
    });
    expect(stdout).toContain(`git asks store before keyhold (${config})`);
    expect(stdout.replace(/\s+/g, ' ')).toContain(`git asks a shell command after keyhold (${config})`);
    expect(stdout).not.toContain('EXAMPLE');
    const without = await keyhold([...FOR, '--tool', 'git'], {
      ...agent,
      environment: { GIT_CONFIG_GLOBAL: '/dev/null' },
    });
    expect(without.stdout).toContain('git does not ask keyhold for this; run: keyhold setup git');
  });

  test("names a service's own variables and files, never what they hold", async () => {
    await using agent = await startScriptedAgent({ explain: answer });
    const { stdout } = await keyhold(['token', 'explain', '--for', 'https://registry.npmjs.org', '--json'], {
      ...agent,
      environment: { NPM_TOKEN: 'token-EXAMPLE', NODE_AUTH_TOKEN: 'token-EXAMPLE' },
    });
    const document = JSON.parse(stdout) as { service: string; shadows: { what: string }[] };
    expect(document.service).toBe('npm');
    expect(document.shadows.length).toBeGreaterThan(0);
    expect(document.shadows.map(({ what }) => what).join()).toMatch(/the variable [A-Z_]+/);
    expect(stdout).not.toContain('EXAMPLE');
  });

  test.each([
    [
      'K12: apkg, whose session file really wins',
      'https://api.apkg.ai',
      'APKG_TOKEN',
      '.apkg/credentials.json',
      'file',
    ],
    ['S34: podstack, whose variable wins', 'https://api.podstack.ai', 'PODSTACK_API_TOKEN', undefined, 'environment'],
  ])('%s', async (_, url, variable, file, winner) => {
    await using agent = await startScriptedAgent({ explain: answer });
    if (file) {
      mkdirSync(join(agent.home, dirname(file)), { recursive: true });
      writeFileSync(join(agent.home, file), 'EXAMPLE');
    }
    const { stdout } = await keyhold(['token', 'explain', '--for', url, '--json'], {
      ...agent,
      environment: { [variable]: 'token-EXAMPLE' },
    });
    const { shadows } = JSON.parse(stdout) as { shadows: { source: string; what: string; wins: boolean }[] };
    expect(shadows.filter(({ wins }) => wins).map(({ source }) => source)).toEqual([winner]);
    expect(shadows[0]!.what).toBe(`the variable ${variable}`);
  });

  test('asks as the tool would: for the very path, then for the whole host, with the time that the tool wants', async () => {
    const none = ok([
      ['outcome', 'not-found'],
      ['candidates', '0'],
    ]);
    await using agent = await startScriptedAgent({
      explain: ({ attributes }) => (attributes['path'] === undefined ? answer : none),
    });
    const keyring = await keyhold([...FOR, '--tool', 'keyring', '--json'], agent);
    expect(JSON.parse(keyring.stdout)).toMatchObject({ outcome: 'ok', tool: 'keyring' });
    expect(agent.asked.map(({ attributes }) => [attributes['path'], attributes['exact_path']])).toEqual([
      ['x', '1'],
      [undefined, '1'],
    ]);
    const cargo = await keyhold([...FOR, '--tool', 'cargo', '--json'], agent);
    expect(JSON.parse(cargo.stdout)).toMatchObject({ outcome: 'not-found' });
    expect(agent.asked[2]).toMatchObject({ attributes: { path: 'x', exact_path: '1', min_ttl: '60' } });
    expect(agent.asked).toHaveLength(3);
  });

  test('asks as docker does, and says of each whether docker lists it', async () => {
    const fronts = (...names: string[]) => ({ ...candidate, verdict: 'given', memoryOnly: false, fronts: names });
    await using agent = await startScriptedAgent({
      explain: ok([
        ['outcome', 'ok'],
        ['rule', 'front'],
        ['candidates', '2'],
        ['candidate[]', fronts('docker')],
        ['candidate[]', { ...fronts(), verdict: 'next' }],
      ]),
    });
    const asked = ['token', 'explain', '--for', 'https://git.example'];
    const { stdout } = await keyhold([...asked, '--tool', 'docker'], agent);
    expect(agent.asked[0]).toMatchObject({ attributes: { front: 'docker', exact_path: '1' } });
    expect(stdout).toContain('docker is given its own first');
    expect(stdout).toMatch(/ SINCE +LISTED +WHY\n/);
    expect(stdout).toMatch(/ yes +would be given, after it is read\n/);
    expect(stdout).toMatch(/ no +would be next, after it is read\n/);
    const other = await keyhold([...asked, '--tool', 'kubectl'], agent);
    expect(agent.asked.at(-1)!.attributes).not.toHaveProperty('front');
    expect(other.stdout).not.toContain('LISTED');
  });

  test('asks for what the tool offers, by the profile and the folder', async () => {
    await using agent = await startScriptedAgent({ explain: answer });
    await keyhold([...FOR, '--username', 'ada'], agent);
    expect(agent.asked[0]).toMatchObject({
      action: 'explain',
      attributes: { protocol: 'https', host: 'git.example', path: 'x', username: 'ada' },
    });
  });

  test.each([
    [['token', 'explain'], 2, "required option '--for <url>'"],
    [[...FOR, '--tool', 'nonexistent'], 2, 'Allowed choices are git, '],
    [['token', 'explain', '--for', 'git.example'], 2, 'cannot read the URL'],
    [FOR, 10, 'cannot reach the agent'],
  ])('%j ends with %i', async (words, exitCode, why) => {
    const { code, stderr } = await keyhold(words, { home: emptyHome() });
    expect(code).toBe(exitCode);
    expect(stderr).toContain(why);
  });

  test('tells an agent that is older than the question', async () => {
    await using agent = await startScriptedAgent();
    expect((await keyhold(FOR, agent)).code).toBe(11);
  });
});
