import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openProgram } from '../../client/cli/program.ts';
import { knownTools } from '../../client/setup/index.ts';
import { secretFromText } from '../../protocol/secret.ts';
import { exchange, store } from '../fakes/built-agent.ts';
import { openComposed } from '../fakes/composed-agent.ts';
import { type Asked, ok, openHome, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { temporaryFolder } from '../temporary.ts';
import { aPackage } from './home.ts';
import { type InProcess, keyholdHere } from './in-process.ts';
import { type Ended, emptyHome, keyholdProgram, MAIN, runProgram, startKeyhold } from './keyhold.ts';
import { checked, type Schema, schemaOf, schemas, validatorOf } from './schemas.ts';

/** `token list` for each command below one that takes --json. */
function commandsWithJson(command: Command, words: readonly string[] = []): string[] {
  const own = command.options.some(({ long }) => long === '--json') ? [words.join(' ')] : [];
  return [...own, ...command.commands.flatMap((one) => commandsWithJson(one, [...words, one.name()]))];
}

/** Every schema within one, with where it stands. */
function* partsOf(schema: unknown, at: string): Generator<readonly [at: string, part: Schema]> {
  if (Array.isArray(schema)) for (const [index, one] of schema.entries()) yield* partsOf(one, `${at}/${index}`);
  else if (typeof schema === 'object' && schema !== null) {
    yield [at, schema as Schema];
    for (const [name, one] of Object.entries(schema)) yield* partsOf(one, `${at}/${name}`);
  }
}

/** A reference with the file that it leads to. */
function wholeRef(at: string, ref: string): string {
  return ref.startsWith('#') ? `${at.slice(0, at.indexOf('#'))}${ref}` : ref;
}

const parts = [...schemas].flatMap(([file, schema]) => [...partsOf(schema, `${file}#`)]);

describe('docs/schemas', () => {
  test('has a schema for every command that takes --json', async () => {
    const commands = commandsWithJson(await openProgram());
    expect(commands.length).toBeGreaterThan(65);
    expect(commands.filter((command) => schemaOf(command.split(' ')) === undefined)).toEqual([]);
  });

  test('has none that no command needs', async () => {
    const commands = commandsWithJson(await openProgram());
    const needed = new Set([...commands.map((command) => schemaOf(command.split(' '))), 'error.json']);
    for (const [at, { $ref }] of parts) if ($ref !== undefined) needed.add(wholeRef(at, $ref));
    const there = [...schemas].flatMap(([file, { type, $defs = {} }]) => [
      ...(type === undefined ? [] : [file]),
      ...Object.keys($defs).map((name) => `${file}#/$defs/${name}`),
    ]);
    expect(there.filter((one) => !needed.has(one))).toEqual([]);
    expect([...needed].filter((one) => !there.includes(one!))).toEqual([]);
  });

  test.each([...schemas])('%s compiles', (file, { $schema, title, $defs = {} }) => {
    expect({ $schema, title }).toEqual({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: expect.stringMatching(/^keyhold /),
    });
    for (const one of [file, ...Object.keys($defs).map((name) => `${file}#/$defs/${name}`)]) {
      expect(validatorOf(one), one).toBeTypeOf('function');
    }
  });

  test('names everything that an object has, but where the document is not ours', () => {
    const open = parts.filter(([, { type, properties, additionalProperties, unevaluatedProperties, $ref }]) => {
      if (type !== 'object' && properties === undefined) return false;
      const isClosed = additionalProperties === false || unevaluatedProperties === false;
      const isMap = typeof additionalProperties === 'object' || (properties === undefined && $ref !== undefined);
      return !isClosed && !isMap;
    });
    expect(open.map(([at]) => at)).toEqual([
      // What these describe is part of other documents, each of which is closed.
      'auth.json#/$defs/who',
      'auth.json#/$defs/answer',
      'service.json#/$defs/show/properties/manifest',
      'start.json#/$defs/running',
      'token.json#/$defs/buried',
      'token.json#/$defs/remote',
      'token.json#/$defs/known',
    ]);
    const bases = new Set(open.map(([at]) => at).filter((at) => /^[^/]*\/\$defs\/[^/]*$/.test(at)));
    const closed = new Map(parts.map(([at, { unevaluatedProperties }]) => [at, unevaluatedProperties === false]));
    for (const [at, { $ref }] of parts) {
      if ($ref === undefined || bases.has(at) || !bases.has(wholeRef(at, $ref))) continue;
      expect(closed.get(at.replace(/\/allOf\/\d+$/, '')), at).toBe(true);
    }
  });

  test('knows a value in no document but those that are asked for it', () => {
    const named = parts.flatMap(([at, { properties }]) =>
      Object.keys(properties ?? {}).flatMap((name) =>
        /secret|password|passphrase|value|refreshToken|challenge/i.test(name) ? [`${at}: ${name}`] : [],
      ),
    );
    expect(named).toEqual([
      // Whether there is one.
      'backend.json#/$defs/passphrase: passphrase',
      // Lines of git's configuration.
      'setup.json#/$defs/git/anyOf/0: values',
      'setup.json#/$defs/helper: value',
      // Ids.
      'token.json#/$defs/show: sameValue',
      'token.json#/$defs/create/anyOf/1: secret',
      'token.json#/$defs/print: secret',
    ]);
  });
});

describe('what is not as its schema says', () => {
  const ended = (stdout: string, code = 0): Ended => ({ code, stdout, stderr: '' });

  test.each([
    [['lock', '--json'], ended('{"state":"locked","more":1}'), 'it must NOT have additional properties, and has more'],
    [['status', '--json'], ended('{}'), "docs/schemas/status.json: it must have required property 'client'"],
    [['lock', '--json'], ended('locked\n'), 'standard output is no JSON'],
    [['lock', '--json'], ended('{"error":{"exitCode":1,"message":"no"}}'), "must have required property 'state'"],
    [['watch', '--json'], ended('{"event":"hello","at":1}\n{"event":"hullo","at":1}\n'), '/event must be equal to one'],
    [['audit', 'export'], ended('{"head":{"number":1}}\n'), "/head must have required property 'hash'"],
    [['token', 'other', '--json'], ended('{}'), 'docs/schemas has no schema for it'],
  ])('%j', (args, one, why) => {
    expect(() => checked(args, one)).toThrow(why);
  });

  test('is told apart from an error, and from what is none of ours', () => {
    for (const [args, one] of [
      [['lock', '--json'], ended('{"error":{"exitCode":1,"message":"no"}}', 1)],
      [['watch', '--json'], ended('{"event":"hello","at":1}\n{"error":{"exitCode":10,"message":"gone"}}\n', 10)],
      [['lock'], ended('Locked.')],
      [['exec', '--service', 'npm', '--json', '--', 'x'], ended('anything')],
      [['exec', '--service', 'npm', '--', 'x', '--json'], ended('anything')],
    ] as const) {
      expect(checked(args, one)).toBe(one);
    }
  });
});

/** Commands that have printed their document here. */
const run = new Set<string>();

/** Counts a run that has printed what its schema says (in-process.ts, keyhold.ts); it must not have been an error. */
async function documented(command: string, ending: Promise<Ended>): Promise<Ended> {
  const ended = await ending;
  expect(ended.stdout, `${command}: ${ended.stderr}`).not.toMatch(/^$|^\{\s*"error"/);
  run.add(command);
  return ended;
}

/** Runs a command in this process with --json, which stands before its arguments. */
function asked(command: string, args: readonly string[], options: InProcess): Promise<Ended> {
  return documented(command, keyholdHere([...command.split(' '), '--json', ...args], options));
}

describe('what a command prints with --json fits its schema', () => {
  describe('of what is held', () => {
    const TOKEN = `ghp_${'a'.repeat(29)}EXAMPLE`;
    let agent: Awaited<ReturnType<typeof openComposed>>;
    let home: string;
    beforeAll(async () => {
      agent = await openComposed();
      home = openHome();
    });
    afterAll(async () => {
      await agent.dispose();
      rmSync(home, { recursive: true, force: true });
    });
    const here = (command: string, args: readonly string[] = [], input?: string) =>
      asked(command, args, { home, input, environment: { KEYHOLD_SOCKET: agent.socket } });

    test('tokens, from their first day to their last', async () => {
      await here('token set', ['--service', 'github', '--label', 'laptop', '--stdin'], TOKEN);
      await here('token set', ['--for', 'https://ada@git.example/x', '--stdin'], 'token-EXAMPLE');
      await here('token create', ['web', '--service', 'pogodoc', '--stdin'], 'pogodoc-token-EXAMPLE');
      await here('token create', ['api', '--service', 'pogodoc', '--stdin', '--reveal'], 'pogodoc-other-EXAMPLE');
      for (const more of [[], ['--due'], ['--unused'], ['--deleted']]) await here('token list', more);
      await here('token print', ['laptop']);
      await here('token show', ['laptop']);
      await here('token share', ['laptop', '--front', 'docker']);
      await here('token share', ['laptop', '--front', 'docker', '--undo']);
      await here('token rename', ['laptop', 'desk']);
      await here('token explain', ['--for', 'https://github.com', '--tool', 'git']);
      await here('token remove', ['desk', '--yes', '--revoked', '--reason', 'lost']);
      await here('token history', ['desk']);
      await here('token show', ['desk']);
      await here('token list', ['--deleted']);
      await here('token explain', ['--for', 'https://github.com']);
    });

    test('what a tool erased, and that it is back', async () => {
      // Memory has no restore bin: nothing rests there.
      const durable = await openComposed(undefined, { backend: 'vault' });
      onTestFinished(async () => void (await durable.dispose()));
      const there = (command: string, args: readonly string[] = []) =>
        asked(command, args, { home, environment: { KEYHOLD_SOCKET: durable.socket } });
      await exchange(durable.socket, store('git.example', 'token-EXAMPLE'));
      await exchange(durable.socket, ['action=erase', 'protocol=https', 'host=git.example']);
      const { stdout } = await there('token list', ['--erased']);
      await there('token restore', [JSON.parse(stdout).items[0].id]);
      await there('token list', ['--erased']);
    });

    test('logins', async () => {
      await here('auth login', ['--service', 'podstack', '--with-token', '--stdin'], 'podstack_token-EXAMPLE');
      await here('auth status');
      for (const name of ['ada', 'bob']) {
        const login = ['--for', 'https://github.com', '--username', name, '--with-token', '--no-verify', '--stdin'];
        await here('auth login', login, `ghp_${name.repeat(10).slice(0, 29)}EXAMPLE`);
      }
      await here('auth switch', ['ada', '--service', 'github']);
      await here('profile remove', ['default', '--yes']);
      await here('auth logout', ['--service', 'podstack', '--yes']);
      await here('auth logout', ['--service', 'podstack', '--yes']);
    });

    test('the agent and its log', async () => {
      await here('status');
      await here('doctor');
      await here('backend list');
      await here('audit list');
      await here('audit verify');
      await here('audit export');
      await here('backup', ['saved', '--stdin'], 'passphrase EXAMPLE\n');
      await here('restore', ['saved', '--stdin'], 'passphrase EXAMPLE\n');
      await here('lock');
      await here('status');
      await here('unlock');
    });

    test('what other tools keep', async () => {
      writeFileSync(join(home, '.git-credentials'), 'https://u:token-EXAMPLE@other.example\n', { mode: 0o600 });
      await here('import', ['--dry-run']);
      await here('import', ['--all', '--only', 'git']);
      await here('import', ['--all', '--only', 'git', '--replace']);
    });
  });

  test('of what services answer', async () => {
    const item = {
      id: '0123456789abcdef0123',
      protocol: 'https',
      host: 'github.com',
      username: 'ada',
      label: 'laptop',
      service: 'github',
      kind: 'classic',
      scopes: ['repo'],
      prefix: 'ghp_',
      fingerprint: '0123456789abcdef',
      refresh: 'ours',
      storedAt: 1_767_225_600,
      expiresAt: 4_000_000_000,
      unlocked: true,
      memoryOnly: false,
      lastUsed: Date.now() / 1_000,
      uses: 3,
    };
    const recheck = { id: 'f'.repeat(20), nextAt: 3, lookedAt: 2, isAlive: true };
    const { unlocked: _, memoryOnly: __, ...known } = item;
    const dead = { ...known, revokedAt: 1, reason: 'lost', actor: 'ada', recheck };
    const counts = { git: 2, '': 1 };
    const usage = { credential: item.id, first: 1, last: 2, count: 3 };
    const told = { whoami: { id: 7, user: 'ada', active: true }, show: { name: 'laptop', scopes: ['repo'], uses: 3 } };
    const said = Object.entries(told).map(([operation, answer]) => ['item[]', { operation, answer }] as const);
    const ended = [
      ['upstream', 'revoked'],
      ['probe', 'dead'],
      ['recheck[]', '24h'],
      ['note', 'It is swept.'],
      ['watched', '1'],
    ] as const;
    const plan = [
      ['way', 'page'],
      ['why', 'there is no call'],
      ['page', 'https://github.com/settings/tokens'],
      ['kind', 'classic'],
      ['old_life', '86400'],
      ['new_life', '3600'],
      ['shorter', '1'],
      ['warning[]', 'look'],
    ] as const;
    const rotated = ({ attributes: { undo } }: Asked) => (undo === undefined ? 'done' : 'undone');
    await using agent = await startScriptedAgent({
      list: ({ attributes: { deleted } }) => ok([['item[]', deleted ? dead : item]]),
      usage: ok([
        ['item[]', { ...usage, tools: counts, programs: counts, projects: counts, days: { '2030-01-01': 3 } }],
      ]),
      get: () => ({ status: 'ok', credential: { ...item, secret: secretFromText('"token\\"-EXAMPLE') } }),
      'remote-list': ok([
        ['item[]', { ...item, state: 'both', tokenId: '7', name: 'laptop', user: 'ada', lastUsedAt: 1, active: true }],
        ['item[]', { state: 'server', tokenId: '8', kind: 'classic', active: false }],
        ['active', '2'],
        ['limit', '10'],
      ]),
      'remote-show': ({ attributes: { what } }) =>
        what === 'audit' ? ok([['item[]', { operation: what, answer: [{ id: 1, action: 'x', at: 'y' }] }]]) : ok(said),
      create: ({ attributes: { check } }) => (check ? ok([['way', 'call']]) : ok([['item[]', item]])),
      revoke: ok(ended),
      rotate: (question) =>
        question.attributes['check'] ? ok(plan) : ok([...ended, ['step', rotated(question)], ['expires_at', '2']]),
      refresh: ok([['expires_at', '4000000000']]),
      'backend-use': ok(),
      'backend-migrate': ok([['carried', '12']]),
      'backend-passphrase': ok(),
      'backend-undo': ok(),
    });
    const here = (command: string, args: readonly string[] = [], input?: string) =>
      asked(command, args, { home: agent.home, input });
    const at = ['--service', 'github'];
    await here('token list', ['--remote', ...at]);
    await here('token list', ['--deleted']);
    await here('token revoke', [recheck.id, '--yes']);
    await here('token show', ['laptop', '--remote']);
    await here('token create', ['ci', ...at]);
    await here('token create', ['ci', '--reveal', ...at]);
    await here('token rotate', ['laptop', '--dry-run']);
    await here('token rotate', ['laptop', '--undo', '--yes']);
    await here('token rotate', ['laptop', '--yes', '--stdin'], `ghp_${'b'.repeat(29)}EXAMPLE`);
    await here('token refresh', ['laptop']);
    await here('token revoke', ['laptop', '--yes']);
    await here('token revoke', ['8', '--yes', ...at]);
    await here('auth whoami', at);
    await here('auth token-info', at);
    await here('auth refresh', at);
    await here('auth revoke', ['--yes', ...at]);
    await here('auth logout', ['--yes', ...at]);
    await here('audit list', ['--remote', ...at]);
    await here('backend use', ['vault']);
    await here('backend migrate', ['vault', '--yes']);
    await here('backend undo', ['--yes']);
    await here('backend passphrase', ['--stdin'], 'new EXAMPLE\n');
  });

  test('of files that need no agent', async () => {
    const home = emptyHome();
    const here = (command: string, args: readonly string[] = []) => asked(command, args, { home });
    await here('config list');
    await here('config get', ['lease.idle']);
    await here('config set', ['lease.idle', '30m']);
    await here('config unset', ['lease.idle']);
    await here('profile set', ['account.git.example', 'ada', '--profile', 'work']);
    await here('profile set', ['output', '', '--profile', 'work']);
    await here('profile list');
    await here('profile use', ['work', '--here']);
    await here('profile list');
    await here('profile show');
    await here('env', ['--service', 'npm', '--env', 'T=https://ada@git.example/x']);
    await here('exec', ['--dry-run', '--service', 'npm', '--', 'npm', 'publish', '--json']);
    await here('profile use', ['--none']);
    await here('profile remove', ['work', '--yes']);
    writeFileSync(
      join(home, 'good.yaml'),
      'id: work\ntitle: Work\nlike: gitlab\nhosts: [{ host: git.work.example }]\n',
    );
    writeFileSync(join(home, 'bad.yaml'), 'id: Bad\n');
    await here('service check', ['bad.yaml']);
    await here('service check', ['good.yaml']);
    await here('service add', ['bad.yaml']);
    await here('service add', ['good.yaml']);
    await here('service list');
    await here('service show', ['work']);
    await here('service open', ['pogodoc', '--no-input']);
  });

  test('of what changes for tools', async () => {
    const home = emptyHome();
    const here = (command: string, args: readonly string[]) => asked(command, args, { home });
    await here('setup', ['--list']);
    await here('setup git', ['--here']);
    await here('setup docker', ['--here', '--dry-run']);
    await here('setup docker', ['--here']);
    for (const { name } of knownTools) await here(`setup ${name}`, ['--undo']);
  });

  test('of a program that is installed, started and taken back', async () => {
    const { path, remove } = temporaryFolder('schemas');
    onTestFinished(remove);
    const home = join(path, 'home');
    mkdirSync(home);
    const { root } = aPackage(join(path, 'clone'));
    cpSync(dirname(MAIN), join(root, 'dist/lib'), { recursive: true });
    const agent = join(root, 'dist/bin/keyhold-agent');
    writeFileSync(agent, `#!/bin/sh\nexec '${process.execPath}' '${root}/dist/lib/agent.cjs'\n`);
    chmodSync(agent, 0o755);
    const here = (command: string, ...args: readonly string[]) =>
      documented(
        command,
        runProgram(process.execPath, [join(root, 'dist/lib/cli.cjs'), command, '--json', ...args], { home }),
      );
    try {
      await here('start');
      await here('start');
      await here('install');
      await here('restart', '--yes');
      await here('logs');
    } finally {
      await here('stop');
    }
    await here('stop');
    await here('uninstall', '--yes');
  });

  test('of what happens, line by line, until it is interrupted', async () => {
    await using agent = await startScriptedAgent({ list: ok() });
    const again = Promise.withResolvers<void>();
    let came = 0;
    const server = createServer((socket) => {
      socket.on('error', () => {});
      if (came++ > 0) again.resolve();
      const stored = { at: 2, id: '0123456789abcdef0123', expiresAt: 3 };
      for (const [type, data] of Object.entries({ hello: { at: 1 }, stored, locked: { at: 4 } })) {
        socket.write(`${JSON.stringify({ type, data })}\f`);
      }
      socket.end();
    });
    const path = join(agent.home, 'run/events.sock');
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    chmodSync(path, 0o600);
    const watching = startKeyhold(['watch', '--json'], agent);
    // It comes again when it has read all that was said.
    await again.promise;
    watching.interrupt();
    const { code, stdout } = await documented('watch', watching.ended);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\{"event":"hello","at":1\}\n\{"event":"stored",.*\n\{"event":"locked","at":4\}\n/);
  });

  test('of one that fails: the error alone, on one line', async () => {
    const { code, stdout } = await keyholdProgram(['token', 'list', '--json'], { home: emptyHome() });
    expect(code).toBe(10);
    expect(stdout).toMatch(/^\{"error":\{"exitCode":10,"message":"cannot reach the agent: [^\n]*\n$/);
  });

  test('no command was left out', async () => {
    expect(commandsWithJson(await openProgram()).filter((command) => !run.has(command))).toEqual([]);
  });
});
