import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The password of every session's login keyring. */
export const SESSION_PASSWORD = 'session-EXAMPLE';
/** The collection that gnome-keyring makes when it is started with `--unlock`. */
const LOGIN = '/org/freedesktop/secrets/collection/login';
/** Milliseconds that a bus or a keyring may take to come up. */
const START_DEADLINE = 10_000;
/** Characters of gnome-keyring's stderr that are kept for `onCrash`. */
const LAST_WORDS = 2_000;

export type KeyringSessionOptions = {
  /** Whether gnome-keyring-daemon is started at once. @default {true} */
  readonly keyring?: boolean;
  /** Whether the bus may start the machine's own services by name (a killed keyring comes back, locked). @default {false} */
  readonly activation?: boolean;
  /** Folders of further D-Bus service files, such as a prompter of the test's own. */
  readonly serviceFolders?: readonly string[];
  /** Is told when gnome-keyring-daemon ends without being killed here: how it ended, and its last words on stderr. */
  readonly onCrash?: (how: string) => void;
};

/** What a test's own bus and keyring offer. Everything stands below `home`, and goes with it. */
export interface KeyringSession extends AsyncDisposable {
  readonly home: string;
  /** A whole environment for programs of this session: HOME, PATH, the XDG folders and the bus. */
  readonly env: Record<string, string>;
  /** gnome-keyring-daemon's process id. Throws while it does not run. */
  readonly pid: number;
  /** Starts gnome-keyring-daemon with its login keyring unlocked, and waits until it answers. */
  start(): Promise<void>;
  /** SIGSTOP: it holds its connections and answers nothing. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** Locks the login keyring, as a screen lock may. */
  lock(): Promise<void>;
  /** Unlocks the login keyring with its password, as logging in does. Needs python3-dbus. */
  unlock(): Promise<void>;
  /** Ends the bus too: what knows its address finds nobody. */
  killBus(): Promise<void>;
  /** Runs a program in this session and answers its output. Rejects when it fails or takes over 10 s. */
  run(program: string, ...args: string[]): Promise<string>;
}

/**
 * A private `dbus-daemon` and a private `gnome-keyring-daemon`, apart from everything that the person runs. Needs the
 * Debian packages dbus, gnome-keyring, util-linux and, for `run('secret-tool', …)`, libsecret-tools.
 */
export async function startKeyringSession(options: KeyringSessionOptions = {}): Promise<KeyringSession> {
  const home = await mkdtemp(join(tmpdir(), 'keyhold-keyring-'));
  const runtime = join(home, 'run');
  await mkdir(runtime, { mode: 0o700 });
  const env = {
    HOME: home,
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    XDG_RUNTIME_DIR: runtime,
    XDG_DATA_HOME: join(home, 'data'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_CACHE_HOME: join(home, 'cache'),
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(runtime, 'bus')}`,
  };
  const config = join(home, 'bus.conf');
  await writeFile(config, busConfig(env.DBUS_SESSION_BUS_ADDRESS, options));
  // The bus dies with the test's process, however that ends, and the keyring with its bus.
  const daemon = ['dbus-daemon', '--nofork', '--nopidfile', `--config-file=${config}`];
  const bus = spawn('setpriv', ['--pdeathsig', 'SIGKILL', ...daemon], { env, stdio: 'ignore' });
  let keyring: ChildProcess | undefined;
  const killed = new WeakSet<ChildProcess>();

  const session: KeyringSession = {
    home,
    env,
    get pid() {
      if (keyring?.pid === undefined) throw new Error('cannot name the keyring: it does not run');
      return keyring.pid;
    },
    async start() {
      // In the background and yet --foreground: one that makes itself a daemon can outlive its bus.
      const started = spawn('gnome-keyring-daemon', ['--unlock', '--components=secrets', '--foreground'], {
        env,
        stdio: ['pipe', 'ignore', 'pipe'],
      });
      keyring = started;
      let said = '';
      started.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = `${said}${text}`.slice(-LAST_WORDS);
      });
      started.on('close', (code, signal) => {
        if (!killed.has(started)) options.onCrash?.(`${signal ?? `exit ${code}`}: ${said.trim()}`);
      });
      started.stdin.on('error', () => undefined); // it ended before it read
      started.stdin.end(SESSION_PASSWORD);
      await until('the keyring answers', async () => (await ask('ReadAlias', 'string:default')).includes(LOGIN));
    },
    freeze() {
      process.kill(session.pid, 'SIGSTOP');
    },
    thaw() {
      process.kill(session.pid, 'SIGCONT');
    },
    async kill() {
      if (keyring) killed.add(keyring);
      await end(keyring);
      keyring = undefined;
    },
    async lock() {
      await ask('Lock', `array:objpath:${LOGIN}`);
    },
    async unlock() {
      await session.run(DEBIAN_PYTHON, '-c', UNLOCK, LOGIN, SESSION_PASSWORD);
    },
    async killBus() {
      await end(bus);
    },
    async run(program, ...args) {
      const { stdout } = await run(program, args, { env, timeout: 10_000, maxBuffer: 16 * 1_048_576 });
      return stdout;
    },
    async [Symbol.asyncDispose]() {
      await session.kill();
      await session.killBus();
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };

  const ask = (method: string, argument: string) =>
    session.run(
      'dbus-send',
      '--session',
      '--print-reply',
      '--dest=org.freedesktop.secrets',
      '/org/freedesktop/secrets',
      `org.freedesktop.Secret.Service.${method}`,
      argument,
    );

  try {
    await until('the bus answers', async () => {
      await session.run('dbus-send', '--session', '--print-reply', '--dest=org.freedesktop.DBus', '/', BUS_GET_ID);
      return true;
    });
    if (options.keyring !== false) await session.start();
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
  return session;
}

/** The Python that Debian's python3-dbus belongs to. */
export const DEBIAN_PYTHON = '/usr/bin/python3';

/** What gnome-keyring's PAM module and its own tests use: the only way without a prompt, bound to one connection. */
const UNLOCK = `
import dbus, sys
service = dbus.SessionBus().get_object('org.freedesktop.secrets', '/org/freedesktop/secrets')
plain = dbus.String('', variant_level=1)
_, session = service.OpenSession('plain', plain, dbus_interface='org.freedesktop.Secret.Service')
value = (dbus.ObjectPath(session), dbus.ByteArray(b''), dbus.ByteArray(sys.argv[2].encode()), 'text/plain')
internal = 'org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface'
secret = dbus.Struct(value, signature='oayays')
service.UnlockWithMasterPassword(dbus.ObjectPath(sys.argv[1]), secret, dbus_interface=internal)
`;

const BUS_GET_ID = 'org.freedesktop.DBus.GetId';

function busConfig(address: string, { activation = false, serviceFolders = [] }: KeyringSessionOptions): string {
  return [
    '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"',
    ' "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">',
    '<busconfig><type>session</type>',
    `<listen>${address}</listen><auth>EXTERNAL</auth>`,
    ...serviceFolders.map((folder) => `<servicedir>${folder}</servicedir>`),
    activation ? '<standard_session_servicedirs/>' : '',
    '<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>',
    '<allow own="*"/></policy></busconfig>',
  ].join('\n');
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + START_DEADLINE;
  for (;;) {
    if (await holds().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`cannot start a keyring session: ${what}: not within 10 s`);
    await sleep(30);
  }
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  // A stopped process dies of SIGKILL too.
  child.kill('SIGKILL');
  await ended;
}
