import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  lchown,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { computePlaces } from '../../../platform/places.ts';
import type { CredentialRequest } from '../../../protocol/handler.ts';
import { expose, secretFromText } from '../../../protocol/secret.ts';
import { type FakeAgent, fakeAgent } from '../../fakes/agent.ts';
import { buildThinClient, type RunOptions, runToEnd, type ThinKind } from '../../fakes/thin-clients.ts';
import { need } from '../../need.ts';

const GET = 'protocol=https\nhost=example.com\n\n';
const NOBODY = 'keyhold: no agent answers and none could be started; run: keyhold start\n';
const ENDED = 'keyhold: the agent that was started has ended; to see why, run: keyhold start\n';
const isRoot = process.getuid?.() === 0;

const compiler: Record<ThinKind, () => boolean> = {
  musl: () => need('musl-gcc', 'apt-get install musl-tools'),
  dynamic: () => need('cc', 'apt-get install gcc libc6-dev'),
  typescript: () => true,
};

/** Every case, against one form of the thin client; each form has a file of its own, so that they run side by side. */
export function testThinClient(kind: ThinKind): void {
  describe.skipIf(!compiler[kind]())(`the thin client (${kind})`, () => {
    let build: string;
    let bin: string;
    let home: string;
    let agent: FakeAgent | undefined;
    const started: number[] = [];

    beforeAll(async () => {
      build = await mkdtemp(join(tmpdir(), 'keyhold-thin-'));
      bin = (await buildThinClient(build, kind))!;
      expect(bin).toBeDefined();
    });
    afterAll(() => rm(build, { recursive: true, force: true, maxRetries: 5 }));
    beforeEach(async () => {
      home = await mkdtemp(join(tmpdir(), 'keyhold-home-'));
    });
    afterEach(async () => {
      await agent?.[Symbol.asyncDispose]();
      agent = undefined;
      for (const pid of started.splice(0)) process.kill(pid, 'SIGKILL');
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    });

    const socketPath = () => join(home, 'run/agent.sock');
    const run = (program: string, options: RunOptions = {}) =>
      runToEnd(join(bin, program), {
        input: '',
        ...options,
        env: { KEYHOLD_HOME: home, KEYHOLD_NO_AUTOSTART: '1', ...options.env },
      });
    const git = (...args: string[]) => run('git-credential-keyhold', { args, input: GET });

    /** An agent that has ada's credential and notes what it is asked. */
    const withAda = async (socket = socketPath()) => {
      const requests: (CredentialRequest & { told: string })[] = [];
      agent = await fakeAgent({
        socket,
        handler: async (request) => {
          const bytes = request.secret ? expose(request.secret) : new Uint8Array();
          requests.push({ ...request, told: Buffer.from(bytes).toString() });
          if (request.action !== 'get') return { status: 'ok' };
          const secret = secretFromText('hunter-EXAMPLE');
          return { status: 'ok', credential: { protocol: 'https', host: 'example.com', username: 'ada', secret } };
        },
      });
      return requests;
    };

    /** An agent that answers everything with the same bytes, once all input has come, and notes what came. */
    const withAnswer = async (answer: string, close = true) => {
      const heard = { bytes: '' };
      agent = await fakeAgent({
        socket: socketPath(),
        raw: (socket) => {
          socket.on('data', (bytes: Buffer) => {
            heard.bytes += bytes.toString('latin1');
            if (!/\ni0*\n$/.test(heard.bytes)) return;
            socket.write(answer);
            if (close) socket.end();
          });
        },
      });
      return heard;
    };

    it('gets exactly the bytes that git expects', async () => {
      await withAda();
      expect(await git('get')).toMatchObject({
        stdout: 'username=ada\npassword=hunter-EXAMPLE\n',
        stderr: '',
        code: 0,
      });
    });

    it('stores and erases, and says nothing', async () => {
      const requests = await withAda();
      const input = 'protocol=https\nhost=example.com\nusername=ada\npassword=new-EXAMPLE\n';
      for (const action of ['store', 'erase']) {
        expect(await run('git-credential-keyhold', { args: [action], input })).toMatchObject({ stdout: '', code: 0 });
      }
      expect(requests.map(({ action, told }) => [action, told])).toEqual([
        ['store', 'new-EXAMPLE'],
        ['erase', 'new-EXAMPLE'],
      ]);
    });

    it('takes no input for what needs none', async () => {
      await withAda();
      const { stdout, code } = await run('git-credential-keyhold', { args: ['capability'], input: undefined });
      expect({ stdout, code }).toEqual({ stdout: 'version 0\ncapability authtype\ncapability state\n', code: 0 });
    });

    it('answers scripts in the line protocol, with its exit codes', async () => {
      await withAda();
      const { stdout, code } = await run('keyhold-helper', { args: ['get'], input: GET });
      expect(stdout).toContain('status=ok\n');
      expect(code).toBe(0);
      expect((await run('keyhold-helper', { args: ['get'], input: 'host=only\n\n' })).code).toBe(2);
    });

    it('is every tool by its name as the first argument, and tells its version', async () => {
      await withAda();
      const { stdout } = await run('keyhold-helper', { args: ['git', 'get'], input: GET });
      expect(stdout).toBe('username=ada\npassword=hunter-EXAMPLE\n');
      const version = await run('keyhold-helper', { args: ['--version'] });
      expect(version.stdout).toMatch(/^keyhold-helper \d+\.\d+\.\d+\n$/);
    });

    it('tells the agent its name, arguments, folder, version and only the variables of its row', async () => {
      const heard = await withAnswer('x0\n');
      const env = {
        TALKER_NAME: 'a=b\n',
        KEYHOLD_PROFILE: 'p',
        OTHER: 'x',
        NODE_OPTIONS: '--bogus',
        NODE_DEBUG: 'net',
      };
      await run('talk@here', { args: ['--very', 'hush', 'ü'], env, cwd: '/usr' });
      const lines = heard.bytes.split('\n');
      expect(lines.filter((line) => !line.startsWith('version='))).toEqual([
        'action=run',
        'name=talk@here',
        ...['--very', 'hush', Buffer.from('ü').toString('latin1')].map((word) => `argument[]=${word}`),
        'cwd=/usr',
        'profile=p',
        'env[]=TALKER_NAME=a=b',
        '',
        expect.stringMatching(/^i0+$/),
        '',
      ]);
    });

    it.each([
      ['/src/ü', [`env[]=TALKER_FOLDER=${Buffer.from('/src/ü').toString('latin1')}`]],
      ['', []],
      ['/src/a\nb', []],
      ['/src/\u007f', []],
    ])(
      'tells a folder of its row where a line can, and goes on without it where none can: %j',
      async (folder, told) => {
        const heard = await withAnswer('x0\n');
        const { code } = await run('talk@here', { args: ['hush'], env: { TALKER_FOLDER: folder } });
        expect(heard.bytes.split('\n').filter((line) => line.startsWith('env[]='))).toEqual(told);
        expect(code).toBe(0);
      },
    );

    it("tells git's repository, as git names it to a helper", async () => {
      const heard = await withAnswer('x0\n');
      const env = { GIT_DIR: '.git', GIT_WORK_TREE: '/src/app', GIT_SSH: 'ssh' };
      await run('git-credential-keyhold', { args: ['get'], input: GET, env });
      expect(heard.bytes.split('\n').filter((line) => line.startsWith('env[]='))).toEqual([
        'env[]=GIT_DIR=.git',
        'env[]=GIT_WORK_TREE=/src/app',
      ]);
    });

    it('carries bytes both ways at once', async () => {
      agent = await fakeAgent({
        socket: socketPath(),
        raw: (socket) => {
          let pending = '';
          socket.on('data', (bytes: Buffer) => {
            pending += bytes.toString();
            const said = /\ni0*(\d+)\n(ping\d)$/.exec(`\n${pending.split('\n\n').at(-1)}`);
            if (said) socket.write(`o6\nre-${said[2]!.slice(2)}`);
            if (/\ni0+\n$/.test(`\n${pending}`) && !said) socket.end('e5\nbye!\nx3\n');
            if (said) pending = '';
          });
        },
      });
      const child = spawn(join(bin, 'talker-keyhold'), [], { env: { PATH: '/usr/bin:/bin', KEYHOLD_HOME: home } });
      const ended = once(child, 'close');
      const errors: Buffer[] = [];
      child.stderr.on('data', (bytes: Buffer) => errors.push(bytes));
      for (const number of [1, 2]) {
        child.stdin.write(`ping${number}`);
        const [reply] = (await once(child.stdout, 'data')) as [Buffer];
        expect(reply.toString()).toBe(`re-ng${number}`.slice(0, 6));
      }
      child.stdin.end();
      expect(await ended).toEqual([3, null]);
      expect(Buffer.concat(errors).toString()).toBe('bye!\n');
    });

    it('carries several requests of cargo through one process, each answered before the next is asked', async () => {
      const requests = await withAda();
      const cargo = spawn(join(bin, 'cargo-credential-keyhold'), ['--cargo-plugin'], {
        env: { PATH: '/usr/bin:/bin', KEYHOLD_HOME: home },
      });
      const ended = once(cargo, 'close');
      const lines = linesOf(cargo.stdout);
      expect(await lines()).toBe('{"v":[1]}');
      const ask = (more: string) =>
        cargo.stdin.write(`{"v":1,"registry":{"index-url":"sparse+https://crates.example/index/"},${more}}\n`);
      ask('"kind":"login","token":"cio-EXAMPLE"');
      expect(await lines()).toBe('{"Ok":{"kind":"login"}}');
      for (const operation of ['read', 'publish']) {
        ask(`"kind":"get","operation":"${operation}"`);
        expect(JSON.parse(await lines())).toMatchObject({ Ok: { kind: 'get', token: 'hunter-EXAMPLE' } });
      }
      cargo.stdin.end();
      expect(await ended).toEqual([0, null]);
      expect(requests.map(({ action, told }) => [action, told])).toEqual([
        ['store', 'cio-EXAMPLE'],
        ['get', ''],
        ['get', ''],
      ]);
    });

    it('tells cargo that there is no agent, and hears out what it was about to say', async () => {
      const cargo = spawn(join(bin, 'cargo-credential-keyhold'), ['--cargo-plugin'], {
        env: { PATH: '/usr/bin:/bin', KEYHOLD_HOME: home, KEYHOLD_NO_AUTOSTART: '1' },
      });
      const ended = once(cargo, 'close');
      const broken: unknown[] = [];
      cargo.stdin.on('error', (error) => broken.push(error));
      const lines = linesOf(cargo.stdout);
      expect([await lines(), await lines()]).toEqual([
        '{"v":[1]}',
        expect.stringContaining('"kind":"other","message":"keyhold: no agent answers'),
      ]);
      await sleep(100);
      cargo.stdin.end('{"v":1,"registry":{"index-url":"sparse+https://crates.example/"},"kind":"get"}\n');
      expect(await ended).toEqual([0, null]);
      expect(broken).toEqual([]);
    });

    it('says what each tool can hear when no agent is there', async () => {
      expect(await git('get')).toMatchObject({ stdout: '', stderr: NOBODY, code: 0 });
      expect(await git('capability')).toMatchObject({ stdout: '', stderr: '', code: 0 });
      const script = await run('keyhold-helper', { args: ['get'], input: GET });
      expect(script.stdout).toMatch(/^status=unavailable\n/);
      expect(script.code).toBe(10);
      expect(await run('talker-keyhold')).toMatchObject({ stdout: '{"error":"no \\ "}\n', stderr: '', code: 7 });
    });

    it('speaks no protocol by an unknown name', async () => {
      expect(await run('stranger', { args: ['get'] })).toMatchObject({
        stdout: '',
        stderr: "keyhold: no tool's helper has the name stranger\n",
        code: 11,
      });
    });

    it('sends nothing to a folder that others may enter, that is a link, or that is not ours', async () => {
      await withAda();
      const folder = join(home, 'run');
      for (const mode of [0o755, 0o710, 0o701, 0o770]) {
        await chmod(folder, mode);
        const { stdout, stderr, code } = await git('get');
        expect({ stdout, code }).toEqual({ stdout: '', code: 0 });
        expect(stderr).toMatch(/cannot trust the socket folder.*others may enter it; run: chmod 700 \/.*\/run\n$/);
      }
      await chmod(folder, 0o700);
      if (isRoot) {
        await chown(folder, 12_345, 12_345);
        expect((await git('get')).stderr).toMatch(/cannot trust the socket folder.*it belongs to/);
        await chown(folder, 0, 0);
      }
      await rename(folder, join(home, 'elsewhere'));
      await symlink('elsewhere', folder);
      expect((await git('get')).stderr).toMatch(/cannot trust the socket folder.* link/);
      expect(agent!.connections()).toBe(0);
      await rm(folder);
      await rename(join(home, 'elsewhere'), folder);
    });

    // Node does not tell who listens: there the folder alone guards.
    if (kind !== 'typescript') {
      it.skipIf(!isRoot)('sends nothing to a listener of another user', async () => {
        const folder = join(home, 'run');
        await mkdir(folder);
        await Promise.all([chmod(home, 0o711), chmod(folder, 0o777)]);
        const code = `require('net').createServer().listen(${JSON.stringify(socketPath())}, () => console.log('up'))`;
        const child = spawn('/usr/bin/setpriv', ['--reuid=65534', '--clear-groups', process.execPath, '-e', code]);
        started.push(child.pid!);
        await once(child.stdout, 'data');
        await chmod(folder, 0o700);
        expect(await git('get')).toMatchObject({ stdout: '', code: 0 });
        expect((await git('get')).stderr).toContain('another user listens');
      });
    }

    it('names a path that is too long for a socket', async () => {
      const { stderr, code } = await run('git-credential-keyhold', {
        args: ['get'],
        env: { KEYHOLD_SOCKET: `/tmp/${'x'.repeat(115)}` },
      });
      expect(stderr).toContain('longer than 107 bytes');
      expect(code).toBe(0);
    });

    it('finds the socket by the same rules as everybody, ignoring relative values', async () => {
      await withAda();
      const places = [
        { KEYHOLD_HOME: 'relative', KEYHOLD_SOCKET: socketPath() },
        { KEYHOLD_HOME: `${home}///`, XDG_RUNTIME_DIR: '/nonexistent' },
        { KEYHOLD_HOME: '', HOME: '/nonexistent', KEYHOLD_SOCKET: socketPath() },
      ];
      for (const env of places) {
        expect((await run('git-credential-keyhold', { args: ['get'], input: GET, env })).stdout).toContain('ada');
      }
    });

    describe('without KEYHOLD_HOME', () => {
      /** XDG_RUNTIME_DIR is a folder of ours in which an agent of version 0.1 would have had its socket. */
      const env = () => ({ KEYHOLD_HOME: '', HOME: join(home, 'h'), XDG_RUNTIME_DIR: join(home, 'x') });
      const state = () => join(home, 'h/.local/state/keyhold');
      const get = (more = {}) =>
        run('git-credential-keyhold', { args: ['get'], input: GET, env: { ...env(), ...more } });
      /** The folder by the rules: both clients have to find it without a link. */
      const ruled = () => computePlaces(env())!.run;

      beforeEach(async () => {
        await mkdir(state(), { recursive: true, mode: 0o700 });
        await mkdir(join(home, 'x/keyhold'), { recursive: true, mode: 0o700 });
      });
      afterEach(() => rm(ruled(), { recursive: true, force: true }));

      it('finds the agent where the rules say, whatever XDG_RUNTIME_DIR is', async () => {
        await mkdir(ruled(), { recursive: true, mode: 0o700 });
        await withAda(join(ruled(), 'agent.sock'));
        for (const XDG_RUNTIME_DIR of [join(home, 'x'), '/tmp/podman-run-1000', '']) {
          expect((await get({ XDG_RUNTIME_DIR })).stdout).toContain('ada');
        }
        await rename(state(), join(home, 'elsewhere'));
        await symlink(join(home, 'elsewhere'), state());
        // The real path counts: it is another state folder now, and no place of that one has an agent.
        expect((await get()).stdout === '').toBe(!ruled().startsWith(state()));
        await rm(state());
        expect(await get()).toMatchObject({ stdout: '', stderr: NOBODY, code: 0 });
      });

      it('finds it first where the link in the state folder leads', async () => {
        await withAda(join(home, 'x/keyhold/agent.sock'));
        expect((await get()).stderr).toBe(NOBODY);
        await symlink(join(home, 'x/keyhold'), join(state(), 'socket-folder'));
        expect((await get()).stdout).toContain('ada');
        // One that leads nowhere, or to a socket that nobody serves, is passed over.
        await agent![Symbol.asyncDispose]();
        await mkdir(ruled(), { recursive: true, mode: 0o700 });
        await withAda(join(ruled(), 'agent.sock'));
        expect((await get()).stdout).toContain('ada');
        await rm(join(home, 'x/keyhold'), { recursive: true });
        expect((await get()).stdout).toContain('ada');
      });

      it('follows no link that others could have written, and none to a folder that others may enter', async () => {
        await withAda(join(home, 'x/keyhold/agent.sock'));
        await symlink(join(home, 'x/keyhold'), join(state(), 'socket-folder'));
        await chmod(join(home, 'x/keyhold'), 0o755);
        expect((await get()).stderr).toBe(NOBODY);
        await chmod(join(home, 'x/keyhold'), 0o700);
        await chmod(state(), 0o750);
        expect((await get()).stderr).toBe(NOBODY);
        await chmod(state(), 0o700);
        if (isRoot) {
          await lchown(join(state(), 'socket-folder'), 12_345, 12_345);
          expect((await get()).stderr).toBe(NOBODY);
        }
        expect(agent!.connections()).toBe(0);
      });

      it.skipIf(!isRoot || !need('unshare', 'apt-get install util-linux'))(
        'knows the default state folder by the password database, in a user namespace of the user too',
        async () => {
          // A machine of its own: /run/user and /etc/passwd are this test's.
          const script = [
            'mount -t tmpfs tmpfs /run/user && install -d -m 700 -o 4711 -g 4711 /run/user/4711 /run/user/4711/keyhold',
            `{ cat /etc/passwd; printf 'pat:x:4711:4711::%s:/bin/sh\\n' "$1"; } > "$1.passwd"`,
            'mount --bind "$1.passwd" /etc/passwd && shift',
            'as() { setpriv --reuid=4711 --regid=4711 --clear-groups -- "$@"; }',
            'setpriv --reuid=4711 --regid=4711 --clear-groups -- "$1" -e "$2" >/dev/null & server=$!',
            'until [ -S /run/user/4711/keyhold/agent.sock ]; do sleep 0.02; done',
            'printf "%s\\n" "$3" | as "$4" get',
            'printf "%s\\n" "$3" | as unshare --user --map-root-user -- "$4" get',
            'printf "%s\\n" "$3" | XDG_STATE_HOME=$HOME/other as "$4" get',
            'kill $server',
          ];
          const server = `const s=require('net').createServer((c)=>c.once('data',()=>c.end('o2\\nhix0\\n')));
            process.umask(0o77);s.listen('/run/user/4711/keyhold/agent.sock')`;
          await Promise.all([chmod(home, 0o755), chmod(build, 0o755)]);
          for (const folder of ['h', 'h/.local', 'h/.local/state', 'h/.local/state/keyhold', 'h/other/keyhold']) {
            await mkdir(join(home, folder), { recursive: true, mode: 0o700 });
            await chown(join(home, folder), 4_711, 4_711);
          }
          await chown(join(home, 'h/other'), 4_711, 4_711);
          const args = [join(home, 'h'), process.execPath, server, GET, join(bin, 'git-credential-keyhold')];
          const { stdout, stderr } = await runToEnd('/usr/bin/unshare', {
            args: ['-m', '/bin/sh', '-ec', script.join('\n'), 'sh', ...args],
            env: { HOME: join(home, 'h'), KEYHOLD_NO_AUTOSTART: '1', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
          });
          expect({ stdout, stderr }).toEqual({ stdout: 'hihi', stderr: NOBODY });
        },
      );
    });

    it('shows no part of an answer that was cut off', async () => {
      const heard = await withAnswer('o000040\nusername=ada\npassword=hunter-EX');
      expect(await git('get')).toMatchObject({
        stdout: '',
        stderr: 'keyhold: the agent broke off; run: keyhold doctor\n',
        code: 0,
      });
      expect(heard.bytes).toContain('action=run');
    });

    it('asks once more when the agent closes without a word, as one does that is just ending', async () => {
      for (const [silent, expected] of [
        [1, { stdout: 'hi', stderr: '' }],
        [2, { stdout: '', stderr: 'keyhold: the agent broke off; run: keyhold doctor\n' }],
      ] as const) {
        let before = 0;
        const requests: string[] = [];
        agent = await fakeAgent({
          socket: socketPath(),
          raw: (socket) => {
            if (before++ < silent) socket.destroy();
            else
              socket.once('data', (bytes: Buffer) => {
                requests.push(bytes.toString());
                socket.end('o2\nhix0\n');
              });
          },
        });
        expect(await git('store')).toMatchObject(expected);
        if (silent === 1) expect(requests[0]).toContain(GET);
        await agent[Symbol.asyncDispose]();
      }
    });

    it('shows the message of an agent that refuses, and names what is no agent', async () => {
      await withAnswer('status=limit-reached\nmessage=too many \u001b connections\n\n');
      expect((await git('get')).stderr).toMatch(/^keyhold: the agent refused: .*\n$/);
      expect((await git('get')).stderr).not.toContain('\u001b');
      await agent![Symbol.asyncDispose]();
      await withAnswer('fatal: bad credential request\n');
      expect((await git('get')).stderr).toContain('what answers is no agent of ours');
    });

    it('refuses control bytes in arguments and variables, and leaves out such a folder', async () => {
      const heard = await withAnswer('x0\n');
      for (const word of ['a\nb', 'a\rb', 'a\u007f']) {
        expect((await run('talker-keyhold', { args: ['hush', word] })).code).toBe(7);
        expect((await run('git-credential-keyhold', { args: [word, 'get'], input: GET })).code).toBe(0);
      }
      expect((await run('talker-keyhold', { args: ['hush'], env: { TALKER_NAME: 'a\nb' } })).stderr).toContain(
        'TALKER_NAME',
      );
      expect((await run('talker-keyhold', { args: ['hush'], env: { KEYHOLD_PROFILE: 'a\nb' } })).stderr).toContain(
        'KEYHOLD_PROFILE',
      );
      expect(heard.bytes).toBe('');
      const odd = join(home, 'odd\nname=evil');
      await mkdir(odd);
      expect((await run('talker-keyhold', { args: ['hush'], cwd: odd })).code).toBe(0);
      expect(heard.bytes).not.toContain('evil');
    });

    it('passes an empty argument on, where the protocol has no words for one that names nothing', async () => {
      const heard = await withAnswer('x0\n');
      expect(await run('keyhold-helper', { args: ['keyring', 'get', 'service', ''] })).toMatchObject({ code: 0 });
      expect(heard.bytes).toContain('argument[]=get\nargument[]=service\nargument[]=\n');
    });

    it('asks nobody for what holds a control byte: a prompt, a URL, a service', async () => {
      const heard = await withAnswer('o6\nEXAMPLx0\n');
      const prompt = "Password for 'https://\u001b[31mada@h': ";
      expect(await run('keyhold-askpass', { args: [prompt] })).toMatchObject({ stdout: '', code: 1 });
      // Two have words for what names nothing, and hear those: row 82 of the bad inputs, and row 78.
      for (const url of ['https://h\nhttps://evil.example', '']) {
        expect(await run('goauth-keyhold', { args: [url] })).toMatchObject({ stdout: '', stderr: '', code: 0 });
      }
      for (const [words, stdout] of [
        [['get', ''], '{}\n'],
        [['get', 'h\nevil.example'], '{}\n'],
        [['forget', ''], ''],
      ] as const) {
        const ran = await run('terraform-credentials-keyhold', { args: words });
        expect(ran).toMatchObject({ stdout, stderr: '', code: 0 });
      }
      const stored = await run('terraform-credentials-keyhold', {
        args: ['store', 'h\r'],
        input: '{"token":"a-EXAMPLE"}',
      });
      expect(stored).toMatchObject({ stdout: '', code: 1 });
      expect(await run('keyhold-helper', { args: ['keyring', 'get', 'h\r', 'ada'] })).toMatchObject({
        stdout: '',
        code: 1,
      });
      expect(heard.bytes).toBe('');
    });

    it('takes 1 MiB of input and not a byte more', async () => {
      const heard = await withAnswer('x0\n');
      const input = Buffer.alloc(1_048_576, 'abcdefg\n');
      expect(await run('git-credential-keyhold', { args: ['store'], input })).toMatchObject({ code: 0, stderr: '' });
      const frames = heard.bytes.slice(heard.bytes.indexOf('\n\n') + 2).replace(/i0*\d+\n(?=[a-g\n]|i|$)/g, '');
      expect(frames.length).toBeGreaterThan(1_000_000);
      heard.bytes = '';
      const more = await run('git-credential-keyhold', { args: ['store'], input: Buffer.alloc(1_048_577, 'a') });
      expect(more.stderr).toContain('longer than 1 MiB');
      expect(heard.bytes).toBe('');
    });

    it('writes large answers whole', async () => {
      const payload = 'x'.repeat(900_000);
      await withAnswer(`o900000\n${payload}o900000\n${payload}x0\n`);
      expect((await git('get')).stdout.length).toBe(1_800_000);
    });

    it('lives with closed standard descriptors', async () => {
      await withAda();
      for (const closed of ['<&-', '>&-', '2>&-', '<&- >&- 2>&-']) {
        const script = `exec "${join(bin, 'git-credential-keyhold')}" get ${closed}`;
        const { code, signal, stdout } = await runToEnd('/bin/sh', {
          args: ['-c', script],
          input: GET,
          env: { KEYHOLD_HOME: home },
        });
        expect({ code, signal }).toEqual({ code: 0, signal: null });
        if (closed === '2>&-') expect(stdout).toContain('hunter-EXAMPLE');
      }
    });

    it('ends quietly when nobody reads its answer', async () => {
      await withAda();
      const child = spawn(join(bin, 'git-credential-keyhold'), ['get'], {
        env: { PATH: '/usr/bin', KEYHOLD_HOME: home },
      });
      const ended = once(child, 'close');
      child.stdout.destroy();
      await sleep(50);
      child.stdin.end(GET);
      expect(await ended).toEqual([0, null]);
    });

    it('waits its turn when the agent is busy and its queue full', async () => {
      agent = await fakeAgent({
        socket: socketPath(),
        backlog: 1,
        raw: (socket) => {
          socket.once('data', () => socket.end('o2\nhix0\n'));
        },
      });
      const clients = Array.from({ length: 8 }, () => run('git-credential-keyhold', { args: ['capability'] }));
      await sleep(20);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
      for (const { stdout, stderr } of await Promise.all(clients))
        expect({ stdout, stderr }).toEqual({ stdout: 'hi', stderr: '' });
    });

    it('serves many clients at once', async () => {
      await withAda();
      const count = kind === 'typescript' ? 20 : 200;
      const running = [];
      for (let started = 0; started < count; started++) {
        running.push(git('get'));
        // Starting a process stops this one, in which the agent lives too.
        await setImmediate();
      }
      const all = await Promise.all(running);
      expect(all.filter(({ stdout }) => stdout === 'username=ada\npassword=hunter-EXAMPLE\n')).toHaveLength(count);
    });

    it('gives up at its deadline: on a silent agent, and on input that never ends', async () => {
      await withAnswer('', false);
      const all = await Promise.all([
        git('get'),
        run('git-credential-keyhold', { args: ['get'], input: undefined }),
        run('keyhold-helper', { args: ['get'], input: GET }),
      ]);
      for (const { took, signal } of all) {
        expect(signal).toBeNull();
        expect(took).toBeGreaterThan(4_500);
        expect(took).toBeLessThan(7_000);
      }
      expect(all.map(({ code }) => code)).toEqual([0, 0, 10]);
      expect(all[0]!.stderr).toBe('keyhold: the agent did not answer in time; run: keyhold doctor\n');
      expect(all[1]!.stderr).toBe('keyhold: the input did not end in time\n');
      expect(all[2]!.stdout).toMatch(/^status=unavailable\n/);
    });

    describe('where an agent can be started', () => {
      let program: string;
      const starts = async () =>
        (await readFile(join(home, 'starts'), 'utf8').catch(() => '')).split('\n').filter(Boolean);
      const startable = (options: RunOptions = {}) =>
        run('git-credential-keyhold', { args: ['get'], input: GET, ...options, env: { KEYHOLD_NO_AUTOSTART: '0' } });

      beforeEach(async () => {
        program = join(home, 'agent');
        const main = join(import.meta.dirname, '../../fakes/agent-main.ts');
        await mkdir(join(home, 'state'), { mode: 0o700 });
        const lines = [
          '#!/bin/sh',
          `echo $$ >> ${home}/starts`,
          `{ ls -l /proc/$$/fd; env; } > ${home}/descriptors`,
          `exec ${process.execPath} ${main}`,
        ];
        await writeFile(program, `${lines.join('\n')}\n`, { mode: 0o700 });
        await symlink(program, join(home, 'state/autostart'));
      });
      afterEach(async () => {
        for (const pid of await starts()) if (isRunning(Number(pid))) process.kill(Number(pid), 'SIGKILL');
      });

      it('starts it, detached from everything of its own', async () => {
        const script = `exec 5>&1 7>&2; exec "${join(bin, 'git-credential-keyhold')}" get`;
        const env = { KEYHOLD_HOME: home, NOTIFY_SOCKET: '/nonexistent' };
        const { stdout, took, code } = await runToEnd('/bin/sh', { args: ['-c', script], input: GET, env });
        expect({ stdout, code }).toEqual({ stdout: 'username=ada\npassword=started-EXAMPLE\n', code: 0 });
        expect(took).toBeLessThan(4_000);
        expect(await starts()).toHaveLength(1);
        const [pid] = await starts();
        expect(isRunning(Number(pid))).toBe(true);
        const descriptors = await readFile(join(home, 'descriptors'), 'utf8');
        expect(descriptors).not.toMatch(/pipe:|socket:|NOTIFY_SOCKET/);
        const [, , , , , session] = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ');
        const [, , , , , ours] = (await readFile('/proc/self/stat', 'utf8')).split(' ');
        expect(session).not.toBe(ours);
      });

      // Each waits for the start until its own deadline, however busy the machine.
      it('starts one, however many clients ask at once', { retry: 2 }, async () => {
        const count = kind === 'typescript' ? 10 : 20;
        const all = await Promise.all(Array.from({ length: count }, () => startable()));
        expect(all.filter(({ stdout }) => stdout.includes('started-EXAMPLE'))).toHaveLength(count);
        expect(await starts()).toHaveLength(1);
      });

      it('starts nothing that others could have put there, and nothing if it must not', async () => {
        await chmod(program, 0o722);
        expect((await startable()).stderr).toBe(NOBODY);
        await chmod(program, 0o700);
        await chmod(join(home, 'state'), 0o777);
        expect((await startable()).stderr).toBe(NOBODY);
        await chmod(join(home, 'state'), 0o700);
        expect((await git('get')).stderr).toBe(NOBODY);
        await rm(join(home, 'state/autostart'));
        await rename(program, join(home, 'state/autostart'));
        expect((await startable()).stderr).toBe(NOBODY);
        expect(await starts()).toEqual([]);
      });

      it('is not stopped by what a client that was killed left behind, nor by a clock that was set', async () => {
        const future = new Date(Date.now() + 86_400_000);
        for (const name of ['run/autostart.mark', 'state/autostart.mark', 'state/autostart.lock']) {
          await mkdir(dirname(join(home, name)), { recursive: true, mode: 0o700 });
          await writeFile(join(home, name), '', { mode: 0o600 });
          await utimes(join(home, name), future, future);
        }
        const { stdout, took } = await startable();
        expect(stdout).toContain('started-EXAMPLE');
        expect(took).toBeLessThan(4_000);
        for (const pid of await starts()) process.kill(Number(pid), 'SIGKILL');
        // A mark of a process that is gone, and of one that has its number by now.
        for (const target of ['4194303.1', `${process.pid}.1`]) {
          await rm(join(home, 'state/autostart.mark'), { force: true });
          await rm(socketPath());
          await symlink(target, join(home, 'state/autostart.mark'));
          expect((await startable()).stdout).toContain('started-EXAMPLE');
          for (const pid of await starts()) if (isRunning(Number(pid))) process.kill(Number(pid), 'SIGKILL');
        }
      });

      it.skipIf(!need('unshare', 'apt-get install util-linux'))(
        'starts none in a user namespace of its own',
        async () => {
          const client = join(bin, 'git-credential-keyhold');
          for (const map of ['--map-root-user', '--map-current-user']) {
            const { stdout, stderr } = await runToEnd('/usr/bin/unshare', {
              args: ['--user', map, '--', client, 'get'],
              input: GET,
              env: { KEYHOLD_HOME: home },
            });
            expect({ stdout, stderr }).toEqual({ stdout: '', stderr: NOBODY });
          }
          expect(await starts()).toEqual([]);
        },
      );

      it('says at once that an agent which was started has ended, and how to see why', async () => {
        const ends = ['exit 1', 'kill -9 $$', `exec ${process.execPath} -e 'process.exit(1)'`];
        for (const end of ends) {
          await writeFile(program, `#!/bin/sh\necho $$ >> ${home}/starts\n${end}\n`, { mode: 0o700 });
          const { stderr, took, code } = await startable();
          expect({ stderr, code }).toEqual({ stderr: ENDED, code: 0 });
          expect(took).toBeLessThan(4_000);
        }
        expect(await starts()).toHaveLength(ends.length);
      });

      it('waits for another agent where the one that it started left the place to that', async () => {
        await writeFile(program, '#!/bin/sh\nexit 0\n', { mode: 0o700 });
        const { stderr, took } = await startable();
        expect(stderr).toBe('keyhold: the agent did not answer in time; run: keyhold doctor\n');
        expect(took).toBeGreaterThan(4_500);
      });

      it('says at once that a program which cannot run cannot be started', async () => {
        await writeFile(program, '#!/nonexistent/interpreter\n', { mode: 0o700 });
        const { stderr, took, code } = await startable();
        expect({ stderr, code }).toEqual({ stderr: NOBODY, code: 0 });
        expect(took).toBeLessThan(3_000);
      });
    });
  });
}

/** Lines of a stream, one at each call. */
function linesOf(stream: Readable): () => Promise<string> {
  const lines = stream.setEncoding('utf8').iterator({ destroyOnReturn: false });
  let rest = '';
  return async () => {
    while (!rest.includes('\n')) {
      const { value, done } = await lines.next();
      if (done) return rest;
      rest += value;
    }
    const line = rest.slice(0, rest.indexOf('\n'));
    rest = rest.slice(line.length + 1);
    return line;
  };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
