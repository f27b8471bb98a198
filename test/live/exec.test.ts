import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Executed, execute } from '../execute.ts';
import { type BuiltAgent, configure, DIST, startAgent, store } from '../fakes/built-agent.ts';
import { need } from '../need.ts';
import { temporaryFolder } from '../temporary.ts';

const KEYHOLD = join(DIST, 'bin/keyhold');
const CANARY = 'canary-\'"$x-EXAMPLE';
/** Folders that every user may search; the PATH of who runs the tests may hold others. */
const SYSTEM_PATH = '/usr/bin:/bin';
/** Milliseconds until something that is under way must be seen. */
const DEADLINE = 10_000;

/** The built `keyhold exec` and `keyhold env`, against the built agent. */
describe('keyhold exec', () => {
  const folder = temporaryFolder('exec');
  const { path: home } = folder;
  let agent: BuiltAgent;
  let env: Record<string, string>;

  beforeAll(async () => {
    configure(home, { backend: 'memory' });
    agent = await startAgent({ home });
    env = { PATH: process.env['PATH']!, HOME: home, KEYHOLD_HOME: home, KEYHOLD_NO_AUTOSTART: '1' };
    for (const request of [
      store('git.example', CANARY),
      store('registry.npmjs.org', 'npm-EXAMPLE'),
      store('api.apkg.ai', 'apkg_EXAMPLE'),
      store('apkg.work.example', 'apkg_work-EXAMPLE'),
    ]) {
      await agent.ask(...request);
    }
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    folder.remove();
  });

  const keyhold = (args: readonly string[], more: Record<string, string> = {}, cwd = home): Promise<Executed> =>
    execute(KEYHOLD, args, { env: { ...env, ...more }, cwd, expect: 'any' });
  const T = ['exec', '--env', 'TOKEN=https://git.example'];

  const environOf = (pid: number | string) =>
    readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .filter((one) => one !== '');

  test('gives the command exactly the environment that it was given, and the token, and the marker', async () => {
    const odd = {
      NODE_OPTIONS: '--no-deprecation',
      NODE_PATH: '/nonexistent',
      LD_LIBRARY_PATH: '/nonexistent',
      OPENSSL_CONF: '/nonexistent',
      'BASH_FUNC_x%%': '() {  :\n}',
      'FOO-BAR': 'a=b',
      EMPTY: '',
      TOKEN: 'before',
      ÜMLAUT: 'ü',
    };
    const { code, stdout, stderr } = await keyhold([...T, '--', 'env', '-0'], odd);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const expected = { ...env, ...odd, TOKEN: CANARY, KEYHOLD_EXEC: 'TOKEN' };
    expect(
      stdout
        .split('\0')
        .filter((one) => one !== '')
        .sort(),
    ).toEqual(
      Object.entries(expected)
        .map(([name, value]) => `${name}=${value}`)
        .sort(),
    );
  });

  test('says what is not handed on where the environment is larger than the launcher can keep', async () => {
    const { stdout, stderr } = await keyhold([...T, '--', 'sh', '-c', 'echo "$TOKEN" "$NODE_OPTIONS"'], {
      BIG: 'x'.repeat(100_000),
      NODE_OPTIONS: '--no-deprecation',
    });
    expect(stdout).toBe(`${CANARY} \n`);
    expect(stderr).toBe('keyhold: not handed on to sh: NODE_OPTIONS, LD_PRELOAD and their like\n');
  });

  test('hands arguments on as they are, also what looks like an option of its own', async () => {
    const odd = ['--json', '-V', '--', '', 'a b', '*', '--dry-run', '\n'];
    const { stdout } = await keyhold([...T, '--', 'sh', '-c', 'printf "<%s>" "$@"', 'sh', ...odd]);
    expect(stdout).toBe(odd.map((word) => `<${word}>`).join(''));
    const without = await keyhold([...T, 'sh', '-c', 'printf "<%s>" "$@"', 'sh', ...odd]);
    expect(without.stdout).toBe(stdout);
  });

  test.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['exit 125', 125],
  ])('ends as the command does: %s', async (script, expected) => {
    expect((await keyhold([...T, '--', 'sh', '-c', script])).code).toBe(expected);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGPIPE', 'SIGXFSZ'] as const)(
    'is the command: %s to its pid reaches it, and ends it as it would without us',
    async (signal) => {
      const child = spawn(KEYHOLD, [...T, '--', 'sleep', '60'], { env, cwd: home, stdio: 'ignore' });
      await until(() => commandOf(child.pid!).startsWith('sleep'));
      child.kill(signal);
      expect((await once(child, 'exit'))[1]).toBe(signal);
    },
  );

  test('lets the command catch a signal, in a shell as 128+n', async () => {
    const script = 'trap "echo caught; exit 3" TERM; echo ready; while :; do sleep 0.05; done';
    const child = spawn(KEYHOLD, [...T, '--', 'sh', '-c', script], {
      env,
      cwd: home,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await until(() => said.includes('ready'));
    child.kill('SIGTERM');
    expect((await once(child, 'close'))[0]).toBe(3);
    expect(said).toContain('caught');
    const { code } = await execute('sh', ['-c', `"${KEYHOLD}" ${T.join(' ')} -- sh -c 'kill -TERM $$'; exit $?`], {
      env,
      cwd: home,
      expect: 'any',
    });
    expect(code).toBe(143);
  });

  test('leaves the token in no list of processes and in no environment but that of the command', async () => {
    const script = `"${KEYHOLD}" ${T.join(' ')} -- sleep 60 & wait`;
    const shell = spawn('sh', ['-c', script], { env, cwd: home, stdio: 'ignore', detached: true });
    try {
      let pid: string | undefined;
      await until(() => {
        pid = childrenOf(shell.pid!).find((one) => commandOf(one).startsWith('sleep'));
        return pid !== undefined;
      });
      expect(environOf(pid!)).toContain(`TOKEN=${CANARY}`);
      expect(environOf(pid!).some((one) => one.startsWith('KEYHOLD_ENVIRONMENT='))).toBe(false);
      expect(environOf(shell.pid!).join()).not.toContain('canary');
      // The kernel opens the agent's environment for root alone: the agent is not dumpable (proc(5)).
      if (process.getuid!() === 0) expect(environOf(agent.pid).join()).not.toContain('canary');
      else expect(() => environOf(agent.pid)).toThrow('EACCES');
      for (const one of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
        expect(commandOf(one)).not.toContain('canary-');
      }
    } finally {
      process.kill(-shell.pid!, 'SIGKILL');
    }
  });

  test('leaves pipes, ignored signals and the mask of new files as they were', async () => {
    const look = 'grep -h flags /proc/self/fdinfo/1 /proc/self/fdinfo/2; umask; pwd';
    const direct = await execute('sh', ['-c', `umask 027; { sh -c '${look}'; } 2>&1 | cat`], { env, cwd: home });
    const through = await execute(
      'sh',
      ['-c', `umask 027; { "${KEYHOLD}" ${T.join(' ')} -- sh -c '${look}'; } 2>&1 | cat`],
      {
        env,
        cwd: home,
      },
    );
    expect(through.stdout).toBe(direct.stdout);
    const signals = ['-E', 'Sig(Ign|Blk)', '/proc/self/status'];
    expect((await keyhold([...T, '--', 'grep', ...signals])).stdout).toBe(
      (await execute('grep', signals, { env, cwd: home })).stdout,
    );
    expect(
      (await execute('sh', ['-c', `"${KEYHOLD}" ${T.join(' ')} -- yes | head -1`], { env, cwd: home })).stderr,
    ).toBe('');
  });

  test.skipIf(!need('bash', 'apt-get install bash'))('hands standard input on, and descriptors from 17', async () => {
    const script = `echo in | "${KEYHOLD}" ${T.join(' ')} -- bash -c 'cat; cat <&17; cat "$0"' <(echo substituted) 17<"$0"`;
    writeFileSync(join(home, 'more'), 'more\n');
    const { stdout } = await execute('bash', ['-c', script, join(home, 'more')], { env, cwd: home });
    expect(stdout).toBe('in\nmore\nsubstituted\n');
  });

  describe('ends with', () => {
    test('127 for a command that is not there, 126 for one that cannot be executed', async () => {
      writeFileSync(join(home, 'plain'), 'echo plain "$TOKEN"');
      mkdirSync(join(home, 'sub'));
      for (const [command, code] of [
        ['nonexistent', 127],
        ['./nonexistent', 127],
        ['', 127],
        ['./plain', 126],
        ['./sub', 126],
      ] as const) {
        const ended = await keyhold([...T, '--', command], { PATH: SYSTEM_PATH });
        expect({ command, code: ended.code }).toEqual({ command, code });
        expect(ended.stderr).toMatch(/^keyhold: cannot run .*\n$/);
        const byEnv = await execute('env', [command], { env: { ...env, PATH: SYSTEM_PATH }, cwd: home, expect: 'any' });
        if (command !== '') expect(byEnv.code).toBe(code);
      }
      chmodSync(join(home, 'plain'), 0o755);
      expect((await keyhold([...T, '--', './plain'])).stdout).toBe(`plain ${CANARY}\n`);
    });

    test('what env ends with where a folder of PATH may not be searched', async () => {
      mkdirSync(join(home, 'closed'), { mode: 0o600 });
      const PATH = `${join(home, 'closed')}:${SYSTEM_PATH}`;
      const ended = await keyhold([...T, '--', 'nonexistent'], { PATH });
      const byEnv = await execute('env', ['nonexistent'], { env: { ...env, PATH }, cwd: home, expect: 'any' });
      // Root may search every folder.
      expect([ended.code, byEnv.code]).toEqual(process.getuid!() === 0 ? [127, 127] : [126, 126]);
    });

    test('125 for every failure of its own, and runs nothing then', async () => {
      const touch = ['touch', join(home, 'touched')];
      for (const [args, why] of [
        [['exec', '--', ...touch], 'nothing is asked for'],
        [
          ['exec', '--env', 'TOKEN=https://none.example', '--', ...touch],
          'keyhold token set --for https://none.example',
        ],
        [['exec', '--env', 'TOKEN', '--', ...touch], '--env needs NAME=URL'],
        [['exec', '--env', 'TOKEN=git.example', '--', ...touch], 'cannot read the URL'],
        [['exec', '--env', 'PATH=https://git.example', '--', ...touch], 'PATH steers programs'],
        [['exec', '--env', 'KEYHOLD_EXEC=https://git.example', '--', ...touch], 'steers programs'],
        [['exec', '--service', 'nonexistent', '--', ...touch], 'keyhold service list'],
        [['exec', '--nonsense', '--', ...touch], 'unknown option'],
        [['exec', '--env', 'TOKEN=https://git.example'], "missing required argument 'command'"],
        [[...T, '--profile', 'nonexistent', '--', ...touch], 'keyhold profile list'],
        [[...T, '--profile', '../../x', '--', ...touch], 'cannot use that profile name'],
      ] as const) {
        const { code, stdout, stderr } = await keyhold(args);
        expect({ args, code, stdout }).toEqual({ args, code: 125, stdout: '' });
        expect(stderr).toContain(why);
      }
      const alone = await keyhold([...T, '--', ...touch], { KEYHOLD_SOCKET: join(home, 'run/none.sock') });
      expect(alone.code).toBe(125);
      expect(existsSync(join(home, 'touched'))).toBe(false);
    });

    test('125 inside itself, unless that is meant', async () => {
      const inner = `"${KEYHOLD}" exec --env INNER=https://registry.npmjs.org`;
      const refused = await keyhold([...T, '--', 'sh', '-c', `${inner} -- env`]);
      expect(refused.code).toBe(125);
      expect(refused.stderr).toContain('give --nested');
      const { stdout } = await keyhold([...T, '--', 'sh', '-c', `${inner} --nested -- env`]);
      expect(stdout).toContain(`TOKEN=${CANARY}\n`);
      expect(stdout).toContain('INNER=npm-EXAMPLE\n');
      expect(stdout).toContain('KEYHOLD_EXEC=TOKEN,INNER\n');
    });

    test('3 as 125 while all is locked', async () => {
      await keyhold(['lock']);
      try {
        const { code, stderr } = await keyhold([...T, '--', 'true']);
        expect({ code, said: stderr.includes('run: keyhold unlock') }).toEqual({ code: 125, said: true });
      } finally {
        await keyhold(['unlock']);
        for (const request of [store('git.example', CANARY), store('registry.npmjs.org', 'npm-EXAMPLE')]) {
          await agent.ask(...request);
        }
        await agent.ask(...store('api.apkg.ai', 'apkg_EXAMPLE'));
        await agent.ask(...store('apkg.work.example', 'apkg_work-EXAMPLE'));
      }
    });
  });

  test('--dry-run names variables and sources, reads no token and runs nothing', async () => {
    const args = ['exec', '--env', 'TOKEN=https://none.example', '--service', 'npm', '--dry-run'];
    const { code, stdout } = await keyhold([...args, '--', 'touch', join(home, 'touched')], {
      NODE_AUTH_TOKEN: 'old-EXAMPLE',
    });
    expect(code).toBe(0);
    expect(stdout).toContain('TOKEN');
    expect(stdout).toContain('https://none.example');
    expect(stdout).not.toContain('EXAMPLE');
    const asJson = JSON.parse((await keyhold([...args, '--json', '--', 'true'])).stdout);
    expect(asJson.command).toEqual(['true']);
    expect(asJson.variables[0]).toMatchObject({ holds: 'token', from: 'service npm' });
    expect(existsSync(join(home, 'touched'))).toBe(false);
  });

  describe('with a service', () => {
    test('sets its variables, and takes away those that would win', async () => {
      const { stdout, stderr } = await keyhold(['exec', '--service', 'npm', '--', 'env']);
      expect(stderr).toBe('');
      const plan = JSON.parse((await keyhold(['exec', '--service', 'npm', '--dry-run', '--json', '--', 'x'])).stdout);
      const names = plan.variables.filter(({ holds }: { holds: string }) => holds === 'token');
      expect(names.length).toBeGreaterThan(0);
      for (const { name } of names) expect(stdout).toContain(`${name}=npm-EXAMPLE\n`);
    });

    test('exports endpoint and account of the profile, and takes the token of that endpoint', async () => {
      await keyhold(['profile', 'set', 'endpoint.apkg', 'https://apkg.work.example', '--profile', 'work']);
      const { stdout } = await keyhold(['exec', '--service', 'apkg', '--profile', 'work', '--', 'env']);
      expect(stdout).toContain('APKG_TOKEN=apkg_work-EXAMPLE\n');
      expect(stdout).toContain('APKG_REGISTRY=https://apkg.work.example\n');
      const other = await keyhold(['exec', '--service', 'apkg', '--', 'env'], {
        APKG_REGISTRY: 'https://left.example',
      });
      expect(other.stdout).toContain('APKG_TOKEN=apkg_EXAMPLE\n');
      // Not the server that the environment or a file in this folder names: the one that the token is held for.
      expect(other.stdout).toContain('APKG_REGISTRY=https://api.apkg.ai\n');
    });

    test.each([
      ['D1, D17, D25: pogodoc', 'https://api.pogodoc.com', ['pogodoc'], 'POGODOC_API_TOKEN'],
      ['K14: apkg', 'https://api.apkg.ai', ['apkg'], 'APKG_TOKEN'],
      ['S2, S36: podstack', 'https://api.podstack.ai', ['podstack'], 'PODSTACK_API_TOKEN'],
    ])('%s: its program finds the token where it looks, and nobody else does', async (_, url, [service], name) => {
      const host = url!.slice('https://'.length);
      await agent.ask(...store(host, `${host}-EXAMPLE`));
      const { stdout } = await keyhold(['exec', '--service', service!, '--', 'env'], { [name!]: 'stale' });
      expect(stdout).toContain(`\n${name}=${host}-EXAMPLE\n`);
      expect(stdout.split(`${host}-EXAMPLE`)).toHaveLength(2);
    });

    test('S9, S12: exports the project of the profile', async () => {
      await keyhold(['profile', 'set', 'project.podstack', 'p-42', '--profile', 'staging']);
      await keyhold(['profile', 'set', 'output', 'json', '--profile', 'staging']);
      const { stdout } = await keyhold(['exec', '--service', 'podstack', '--profile', 'staging', '--', 'env']);
      expect(stdout).toContain('PODSTACK_OUTPUT=json\n');
      expect(stdout).toContain('PODSTACK_PROJECT=p-42\n');
    });

    test('warns of a file that its program looks at first', async () => {
      mkdirSync(join(home, '.apkg'), { recursive: true });
      writeFileSync(join(home, '.apkg/credentials.json'), '{"accessToken":"stale-EXAMPLE"}');
      const { code, stderr } = await keyhold(['exec', '--service', 'apkg', '--', 'true']);
      expect(code).toBe(0);
      expect(stderr).toBe(
        `keyhold: the file ${home}/.apkg/credentials.json wins over what apkg is given here; take the session out of the file: keyhold auth logout, or: apkg logout\n`,
      );
      expect((await keyhold(['exec', '--service', 'apkg', '--dry-run', '--', 'true'])).stderr).toBe(stderr);
    });
  });

  describe('keyhold env', () => {
    test.skipIf(!need('bash', 'apt-get install bash'))('sets in a real shell what exec would', async () => {
      const script = `eval "$("${KEYHOLD}" env --shell bash --env TOKEN=https://git.example)"; printf %s "$TOKEN"`;
      expect((await execute('bash', ['-c', script], { env, cwd: home })).stdout).toBe(CANARY);
    });

    test.skipIf(!need('fish', 'apt-get install fish'))('sets it in fish', async () => {
      const script = `"${KEYHOLD}" env --shell fish --env TOKEN=https://git.example | source; printf %s "$TOKEN"`;
      expect((await execute('fish', ['--no-config', '-c', script], { env, cwd: home })).stdout).toBe(CANARY);
    });

    test('needs to know the shell, prints all or nothing, and no value as JSON', async () => {
      const E = ['env', '--env', 'TOKEN=https://git.example'];
      expect((await keyhold(E)).code).toBe(2);
      const both = await keyhold([...E, '--env', 'N=https://registry.npmjs.org', '--shell', 'cmd']);
      expect({ code: both.code, stdout: both.stdout }).toEqual({ code: 11, stdout: '' });
      expect(both.stderr).not.toContain('canary');
      const { stdout } = await keyhold([...E, '--json']);
      expect(JSON.parse(stdout).variables).toMatchObject([{ name: 'TOKEN', holds: 'token' }]);
      expect(stdout).not.toContain('canary');
      expect((await keyhold(['env', '--env', 'T=https://none.example', '--shell', 'sh'])).code).toBe(4);
    });

    test.skipIf(!need('script', 'apt-get install bsdutils'))('warns on a terminal', async () => {
      const command = `'${KEYHOLD}' env --shell sh --env TOKEN=https://registry.npmjs.org`;
      const { stdout } = await execute('script', ['-qec', command, '/dev/null'], { env, cwd: home });
      expect(stdout).toContain('whoever sees it or its scrollback has them');
      expect(stdout).toContain("export TOKEN='npm-EXAMPLE'");
    });
  });

  test('finds a command by a link as it is called', async () => {
    mkdirSync(join(home, 'bin'), { recursive: true });
    symlinkSync('/bin/sh', join(home, 'bin/mine'));
    const { stdout } = await keyhold([...T, '--', 'mine', '-c', 'echo $0'], { PATH: `${home}/bin:${env['PATH']}` });
    expect(stdout).toBe('mine\n');
  });
});

async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + DEADLINE; !holds(); await sleep(10)) {
    if (Date.now() > end) throw new Error('it did not come to that');
  }
}

/** The words of a process, as everybody can read them; empty for one that is gone. */
function commandOf(pid: number | string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((one) => one !== '');
}
