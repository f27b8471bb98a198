import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Asked, ok, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { emptyHome, keyhold } from './keyhold.ts';

const HASH = 'ab'.repeat(32);
const entries = [
  {
    number: 1,
    hash: HASH,
    at: 1767225600,
    action: 'store',
    outcome: 'ok',
    credential: '0123456789abcdef0123',
    tool: 'git',
    uid: 1000,
    pid: 7,
    program: '/usr/lib/git-core/git',
    cwd: '/home/ada/project\u202e',
  },
  {
    number: 2,
    hash: HASH,
    at: 1767225660,
    action: 'first-use',
    outcome: 'ok',
    credential: 'f'.repeat(20),
    tool: 'wire',
  },
  {
    number: 3,
    hash: HASH,
    at: 1767225720,
    action: 'get',
    outcome: 'interaction-required',
    tool: 'keyhold',
    program: '/opt/a-program-with-quite-a-long-name-\u001b[31m',
    target: `https://${'long-'.repeat(20)}example`,
    times: 12345,
  },
];
const held = { id: '0123456789abcdef0123', protocol: 'https', host: 'git.example', username: 'ada' };

/** Answers as the agent does: entries behind `after`, or before `before`, and the head. */
const audit = (all: readonly (typeof entries)[number][]) => (asked: Asked) => {
  const of = (key: string) => (asked.attributes[key] === undefined ? undefined : Number(asked.attributes[key]));
  const limit = of('limit') ?? 200;
  const found =
    of('after') === undefined
      ? all.filter(({ number }) => number < (of('before') ?? Number.POSITIVE_INFINITY)).reverse()
      : all.filter(({ number }) => number > of('after')!);
  const items = found.slice(0, limit).map((item) => ['item[]', item] as const);
  return ok([...items, ['number', String(all.length)], ['hash', HASH]]);
};

describe('keyhold audit list', () => {
  test('shows a table of at most 80 columns, newest first, with the token’s name where it is held', async () => {
    await using agent = await startScriptedAgent({ 'audit-list': audit(entries), list: ok([['item[]', held]]) });
    const { code, stdout } = await keyhold(['audit', 'list'], { ...agent, environment: { COLUMNS: '80' } });
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^TIME +ACTION +OUTCOME +TOKEN +TOOL +BY$/);
    expect(lines[1]).toMatch(/^2026-01-01 00:02 +get ×12345 +interac.*… +https:.*… +keyhold +a-pro.*…$/);
    expect(lines[2]).toMatch(/^2026-01-01 00:01 +first-use +ok +ffffff/);
    expect(lines[3]).toMatch(/^2026-01-01 00:00 +store +ok +ada@git\.exa… +git +git$/);
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(80);
  });

  test('shows ids where the names are locked, and says so where there is nothing', async () => {
    const locked = { status: 'locked', message: 'locked' } as const;
    await using agent = await startScriptedAgent({ 'audit-list': audit(entries.slice(0, 1)), list: locked });
    expect((await keyhold(['audit', 'list'], agent)).stdout).toContain('0123456789abcdef0123');
    await using empty = await startScriptedAgent({ 'audit-list': audit([]), list: locked });
    expect((await keyhold(['audit', 'list'], empty)).stdout).toBe('Nothing of that kind is recorded.\n');
  });

  test('prints JSON without characters that steer', async () => {
    await using agent = await startScriptedAgent({ 'audit-list': audit(entries) });
    const { stdout } = await keyhold(['audit', 'list', '--json'], agent);
    expect(JSON.parse(stdout).items).toEqual([...entries].reverse());
    for (const steering of ['\u202e', '\u001b']) expect(stdout).not.toContain(steering);
  });

  test('asks for what the options say, page by page', async () => {
    const many = Array.from({ length: 2_500 }, (_, index) => ({ ...entries[0]!, number: index + 1 }));
    await using agent = await startScriptedAgent({ 'audit-list': audit(many), list: ok() });
    const filter = ['--since', '2026-01-01', '--until', '2026-02-01T12:30', '--credential', 'x', '--tool', 'git'];
    const args = ['audit', 'list', '--json', '--limit', '2100', '--action', 'store', ...filter];
    const { stdout } = await keyhold(args, agent);
    expect(JSON.parse(stdout).items).toHaveLength(2_100);
    expect(agent.asked.map(({ attributes }) => [attributes['before'], attributes['limit']])).toEqual([
      [undefined, '1000'],
      ['1501', '1000'],
      ['501', '100'],
    ]);
    const { since, until, id, tool, event } = agent.asked[0]!.attributes;
    expect({ since, until, id, tool, event }).toEqual({
      since: '1767225600',
      until: '1769949000',
      id: 'x',
      tool: 'git',
      event: 'store',
    });
  });

  test.each([
    ['--since', 'token-EXAMPLE'],
    ['--until', '2026-13-45'],
    ['--limit', '0'],
    ['--limit', '-5'],
  ])('refuses %s %s with 2 and does not repeat it', async (option, value) => {
    const { code, stderr } = await keyhold(['audit', 'list', option, value], { home: emptyHome() });
    expect(code).toBe(2);
    expect(stderr).not.toContain('EXAMPLE');
  });

  test('tells a log that cannot be read with 10', async () => {
    const message = 'cannot use audit.db: it is damaged; move it away, then run: keyhold restart';
    await using agent = await startScriptedAgent({ 'audit-list': { status: 'unavailable', message } });
    expect(await keyhold(['audit', 'list'], agent)).toEqual({ code: 10, stdout: '', stderr: `keyhold: ${message}\n` });
  });
});

describe('keyhold audit export', () => {
  test('writes JSON lines, oldest first, and the head as the last', async () => {
    const many = Array.from({ length: 1_000 }, (_, index) => ({ ...entries[0]!, number: index + 1 }));
    await using agent = await startScriptedAgent({ 'audit-list': audit(many) });
    const { code, stdout } = await keyhold(['audit', 'export'], agent);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    const documents = lines.map((line) => JSON.parse(line));
    expect(documents.slice(0, -1).map(({ number }) => number)).toEqual(many.map(({ number }) => number));
    expect(documents.at(-1)).toEqual({ head: { number: 1_000, hash: HASH } });
    expect(stdout).not.toContain('\u202e');
  });
});

describe('keyhold audit verify', () => {
  const sound = ok([
    ['sound', 'true'],
    ['entries', '3'],
    ['first', '1'],
    ['number', '3'],
    ['hash', HASH],
  ]);
  const broken = ok([
    ['sound', 'false'],
    ['number', '2'],
    ['why', 'it was changed'],
  ]);

  test('says that the log is whole, and how to find a cut end', async () => {
    await using agent = await startScriptedAgent({ 'audit-verify': sound });
    const { code, stdout } = await keyhold(['audit', 'verify'], agent);
    expect(code).toBe(0);
    expect(stdout).toContain(`The audit log is whole: 3 entries.\nIts head is ${HASH}.\n`);
    expect(stdout).toContain('keyhold audit export > FILE');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('says what is wrong, and ends with 1', async () => {
    await using agent = await startScriptedAgent({ 'audit-verify': broken });
    const { code, stdout, stderr } = await keyhold(['audit', 'verify'], agent);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: 'The audit log is not as it was written. Entry 2: it was changed.\n',
      stderr: '',
    });
  });

  test.each([
    ['whole', sound, 0],
    ['changed', broken, 1],
  ])('answers in JSON: %s', async (_, answer, exitCode) => {
    await using agent = await startScriptedAgent({ 'audit-verify': answer });
    const { code, stdout } = await keyhold(['audit', 'verify', '--json'], agent);
    expect(code).toBe(exitCode);
    expect(JSON.parse(stdout)).toMatchObject({ sound: exitCode === 0, number: exitCode === 0 ? 3 : 2 });
  });

  test('sends the head of an export', async () => {
    await using agent = await startScriptedAgent({ 'audit-verify': sound });
    const file = join(agent.home, 'export');
    writeFileSync(file, `${JSON.stringify(entries[0])}\n${JSON.stringify({ head: { number: 1, hash: HASH } })}\n`);
    expect((await keyhold(['audit', 'verify', '--against', file], agent)).code).toBe(0);
    expect(agent.asked[0]!.attributes).toEqual({ number: '1', hash: HASH });
  });

  test.each([
    ['none', undefined],
    ['empty', ''],
    ['another', '{"a":1}\n'],
    ['no JSON', 'token-EXAMPLE\n'],
    ['cut', `{"head":{"number":1,"hash":"ab"}}\n`],
  ])('refuses a file that is no export (%s) with 2', async (_, text) => {
    const home = emptyHome();
    const file = join(home, 'export');
    if (text !== undefined) writeFileSync(file, text);
    const { code, stderr } = await keyhold(['audit', 'verify', '--against', file], { home });
    expect(code).toBe(2);
    expect(stderr).not.toContain('EXAMPLE');
  });
});
