import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openProgram } from '../../../client/cli/program.ts';
import type { Fault } from '../../fakes/services/faults.ts';
import { openPangolin, type Pangolin } from '../../fakes/services/pangolin.ts';
import { openRig, type Rig } from './rig.ts';

/** Verbs whose output is a value that was asked for by name. */
const PRINTING = new Set(['token print', 'get', 'env', 'token create --reveal']);
/** Verbs that are not run here, each with its reason. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  exec: 'becomes another program: test/live/exec.test.ts looks for its canary in everything',
  env: 'prints values',
  get: 'prints values',
  install: 'changes the machine: test/live/upgrade.test.ts',
  uninstall: 'changes the machine: test/live/uninstall.test.ts',
  start: 'the agent of this test runs',
  stop: 'it would end the agent of this test',
  restart: 'the same',
  watch: 'does not end: test/live/agent/events.test.ts has a canary of its own',
  'backend use': 'another place to rest: test/live/keyring/leaks.test.ts',
  'backend migrate': 'the same',
  'backend passphrase': 'asks for a passphrase: test/live/agent/secrecy.test.ts',
  'backend undo': 'the same: test/live/cli.test.ts',
  restore: 'test/live/cli.test.ts',
  unlock: 'asks nothing of a vault with a key file',
};

/** A token, a key and a password are sent through every verb, route and error, and looked for in all that is said and written. */
describe('a canary among services', () => {
  let server: Pangolin;
  let rig: Rig;
  const at = ['--service', 'pangolin'];
  const secrets = new Set<string>(['password-EXAMPLE']);
  const said: { readonly verb: string; readonly text: string }[] = [];
  const run = new Set<string>();

  beforeAll(async () => {
    server = await openPangolin();
    rig = await openRig('pangolin', undefined, '', true);
    await rig.json(['profile', 'set', 'endpoint.pangolin', server.url, '--profile', 'here']);
    await rig.json(['profile', 'set', 'tenant.pangolin', server.tenant, '--profile', 'here']);
    await rig.json(['profile', 'use', 'here']);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  /** Runs a command in words and as JSON; what it says is kept unless it may say a value. */
  const say = async (verb: string, args: readonly string[] = [], input?: string, json = true) => {
    run.add(verb);
    const whole = [...verb.split(' '), ...args];
    for (const form of json ? [whole, [...whole, '--json']] : [whole]) {
      const { stdout, stderr } = await rig.run(form, input === undefined ? {} : { input });
      if (!PRINTING.has([verb, ...args.filter((arg) => arg === '--reveal')].join(' '))) {
        said.push({ verb: form.join(' '), text: stdout + stderr });
      } else secrets.add(stdout.trim().split('\n').at(-1)!);
    }
  };
  const remember = async (label: string) => {
    const { stdout } = await rig.run(['token', 'print', label]);
    if (stdout !== '') secrets.add(stdout.trim());
  };
  const login = (json = false) =>
    say('auth login', [...at, '--username', 'tess', '--stdin'], 'password-EXAMPLE\n', json);
  /** Every verb that asks a service, as it goes while the service is in `state`. */
  const asking = async () => {
    await say('token list', ['--remote', ...at], undefined, false);
    await say('token show', ['tess', '--remote'], undefined, false);
    await say('auth whoami', at, undefined, false);
    await say('audit list', ['--remote', ...at], undefined, false);
    await say('token create', ['in-vain', '--expires-in', '24h', ...at], undefined, false);
    await say('token refresh', ['tess'], undefined, false);
    await say('auth login', [...at, '--username', 'ada', '--stdin'], 'password-EXAMPLE\n', false);
  };

  test('through every verb while all is well', async () => {
    await login();
    await remember('tess');
    await say('token set', ['--for', server.url, ...at, '--label', 'pasted'], 'pgl_cAnArY4711_cAnArY4712aaaaEXAMPLE');
    await say('token set', ['--for', server.url, ...at, '--label', 'wrong'], 'cAnArY4711-no-such-form-EXAMPLE');
    secrets.add('pgl_cAnArY4711_cAnArY4712aaaaEXAMPLE').add('cAnArY4711-no-such-form-EXAMPLE');
    await say('token create', ['etl-key', '--kind', 'service-key', ...at], undefined, false);
    await remember('etl-key');
    await say('token create', ['etl-shown', '--expires-in', '24h', '--reveal', ...at], undefined, false);
    await asking();
    await say('token rotate', ['etl-key', '--yes'], undefined, false);
    await remember('etl-key');
    for (const verb of ['token list', 'status', 'doctor', 'audit list', 'auth status', 'profile list', 'config list']) {
      await say(verb);
    }
    await say('token list', ['--due']);
    await say('token explain', ['--for', server.url]);
    await say('token history', ['etl-key']);
    await say('token show', ['etl-key', '--remote']);
    await say('token rename', ['pasted', 'renamed'], undefined, false);
    await say('token share', ['renamed', '--front', 'docker'], undefined, false);
    await say('auth token-info', at);
    await say('auth refresh', at, undefined, false);
    for (const verb of ['audit export', 'audit verify', 'logs', 'help', 'setup --list'])
      await say(verb, [], undefined, false);
    for (const verb of ['service list', 'service show', 'service open', 'backend list', 'profile show']) {
      await say(verb, verb.startsWith('service ') && verb !== 'service list' ? ['pangolin', '--no-input'] : []);
    }
    await say('service check', ['nothing.yaml'], undefined, false);
    await say('service add', ['nothing.yaml'], undefined, false);
    await say('import', ['--no-input'], undefined, false);
    await say('backup', [join(rig.home, 'backup')], undefined, false);
    await say('completion', ['bash'], undefined, false);
    await say('config get', ['upstream.deadline'], undefined, false);
    await say('config set', ['upstream.deadline', '2'], undefined, false);
    await say('config unset', ['upstream.deadline'], undefined, false);
    await say('auth switch', ['tess', ...at], undefined, false);
    await say('profile set', ['account', 'tess'], undefined, false);
    await say('profile use', ['here'], undefined, false);
    await say('profile remove', ['nobody', '--yes'], undefined, false);
    await say(
      'store',
      [],
      `protocol=http\nhost=${new URL(server.url).host}\nusername=line\npassword=cAnArY-line-EXAMPLE\n\n`,
      false,
    );
    secrets.add('cAnArY-line-EXAMPLE');
    await say('erase', [], `protocol=http\nhost=${new URL(server.url).host}\nusername=line\n\n`, false);
    await say('token list', ['--erased']);
    await say('token restore', ['line']);
    await say('erase', [], `protocol=http\nhost=${new URL(server.url).host}\nusername=line\n\n`, false);
  });

  test.each<Fault>([401, 403, 500, 'half-a-body', 'html', 'redirect'])(
    'through every verb that asks a service, which goes wrong by %s',
    async (fault) => {
      server.fail(fault);
      try {
        await asking();
      } finally {
        server.recover();
      }
      expect(server.elsewhere).toEqual([]);
    },
  );

  test('through every end of a token', async () => {
    await login();
    await remember('tess');
    await say('token remove', ['renamed', '--yes', '--reason', 'over']);
    await say('token revoke', ['etl-key', '--yes', '--reason', 'over'], undefined, false);
    await say('token list', ['--deleted']);
    await say('auth revoke', ['--yes', ...at, '--username', 'tess'], undefined, false);
    await say('auth logout', ['--yes', ...at], undefined, false);
    await say('lock', [], undefined, false);
    await rig.run(['unlock']);
  });

  test('and is found nowhere but where a value is allowed', () => {
    expect([...secrets].filter((secret) => secret.length > 12).length).toBeGreaterThan(7);
    expect(said.length).toBeGreaterThan(100);
    const pieces = [...secrets].flatMap(piecesOf);
    const holds = (text: string) => pieces.some((piece) => text.includes(piece));
    expect(said.filter(({ text }) => holds(text)).map(({ verb }) => verb)).toEqual([]);
    expect(holds(rig.agent.log())).toBe(false);
    expect(filesBelow(rig.home).filter((file) => holds(readFileSync(file, 'latin1')))).toEqual([]);
    // The service got them, in the place for them and in no other.
    expect(server.requests.filter(({ path }) => holds(path))).toEqual([]);
    const inBodies = server.requests.filter(({ body }) => holds(body)).map(({ path }) => path);
    expect(new Set(inBodies)).toEqual(new Set(['/api/v1/users/login']));
    const others = server.requests.map(({ headers: { authorization: _, 'x-api-key': __, ...rest } }) =>
      JSON.stringify(rest),
    );
    expect(others.filter(holds)).toEqual([]);
  });

  test('no verb was forgotten', async () => {
    const verbs = leavesOf(await openProgram());
    const known = [...run].map((verb) => verb.replace(/ --.*/, ''));
    // `setup TOOL` changes the configuration of tools and asks for no token (test/client/setup).
    const forgotten = verbs.filter((verb) => !known.includes(verb) && LEFT_OUT[verb] === undefined);
    expect(forgotten.filter((verb) => !verb.startsWith('setup '))).toEqual(['token print']);
  });
});

/** Parts of a secret from its middle: any of them is too much. Of a JWT also its signature, which lets nobody in alone and is secret still. */
function piecesOf(secret: string): string[] {
  const parts = secret.split('.').filter((part) => part.length >= 16);
  const whole = secret.length >= 16 ? [secret.slice(4, 20)] : [secret];
  return [
    ...(parts.length === 3 ? [parts[2]!.slice(4, 24)] : whole),
    ...(secret.length > 24 && parts.length !== 3 ? [secret.slice(-20)] : []),
  ];
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

/** `token list` for each command that has no others below it. */
function leavesOf(command: Command, before = ''): string[] {
  return command.commands.flatMap((one) => {
    const name = `${before}${one.name()}`;
    return one.commands.length === 0 ? [name] : leavesOf(one, `${name} `);
  });
}
