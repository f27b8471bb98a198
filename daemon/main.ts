import { fstatSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { refuseForeignHome } from '../platform/foreign-home.ts';
import { endFormerAgent, findFormerAgent, untilUnlocked } from '../platform/former-agent.ts';
import { isOwnFolder } from '../platform/own.ts';
import { computePlaces } from '../platform/places.ts';
import { describeSystemError } from '../platform/system-error.ts';
import { asFault, KeyholdError } from '../protocol/errors.ts';
import { foldersOf, type Places } from '../protocol/places.ts';
import type { Degradation } from './backends/backend.ts';
import { openSystemClock } from './clock.ts';
import { compose } from './compose.ts';
import type { StartedIn } from './composition.ts';
import { loadConfig } from './config.ts';
import { describeFatal } from './fatal.ts';
import { openLog } from './log.ts';
import { openLogFile } from './log-file.ts';
import { loadNative } from './native/load.ts';
import { ensurePrivateFolder } from './socket/folders.ts';
import { type Inherited, inheritedListeners } from './socket/listen.ts';
import { removeHolder, takeStateLock } from './socket/lock.ts';
import { Sockets } from './socket/sockets.ts';
import { startSuccessor } from './successor.ts';
import { settleIn, Thrift } from './thrift.ts';
import { version } from './version.ts';

/** Milliseconds that an agent which is just ending gets to let go of the lock. */
const LOCK_PATIENCE = 3_000;
/**
 * Milliseconds that the agent before us, which is draining, gets: nobody else would serve its socket. It may wait for a
 * service as long as the longest `upstream.deadline` allows.
 */
const HANDED_ON_PATIENCE = 180_000;
/** Milliseconds that an agent of version 0.1 gets to end when it is asked to. */
const FORMER_PATIENCE = 20_000;
/** Milliseconds that the removal of a runtime folder may take from its first file to the folder itself. */
const VANISHING = 2_000;
/** Milliseconds after which the logger is loaded and thrift begins: whoever started us has had an answer by then. */
const LOG_AFTER = 1_000;
/** Milliseconds that ending may take, beside what a service takes to answer: less than a service manager or `keyhold stop` waits, more than any backend does. */
const END_DEADLINE = 15_000;

const [argument] = process.argv.slice(2);
if (argument === undefined || argument === '--as-root') main().catch(fail);
else if (argument === '--version') process.stdout.write(`keyhold-agent ${version}\n`);
else {
  const isHelp = argument === '--help' || argument === '-h';
  const usage =
    'usage: keyhold-agent [--version | --as-root]; runs in the foreground, and keyhold start runs it behind you\n';
  (isHelp ? process.stdout : process.stderr).write(usage);
  process.exitCode = isHelp ? 0 : 2;
}

/** The one place where what nobody else could handle ends. */
function fail(error: unknown): never {
  const fault = error instanceof KeyholdError ? error : undefined;
  const said = fault?.message ?? describeSystemError(error);
  process.stderr.write(`keyhold-agent: ${said ?? 'cannot start'}\n`);
  if (said === undefined) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  // Whoever lost the race to start is done: the winner serves.
  process.exit(fault?.code === 'agent_running' ? 0 : 1);
}

/** Starts the agent and returns once it listens; it then lives until it is told to stop. */
async function main(): Promise<void> {
  process.umask(0o077);
  const environment = process.env;
  const allInherited = inheritedListeners(environment);
  const { agent: inherited } = allInherited;
  const native = loadNative();
  const hardened = native?.harden() ?? false;
  const places = preparePlaces();
  const { config, degradations } = loadConfig(`${places.config}/config.json`);
  const lock = await takeLockOf(places, inherited);
  ensurePrivateFolder(places.run);

  const { log, attach } = openLog();
  // What nobody handled leaves a state that nobody knows: the agent ends, and the next client starts a fresh one.
  process.on('uncaughtException', (error) => {
    const { code, where } = describeFatal(error);
    log('fatal', { code, where }, 'fatal');
    process.stderr.write(`keyhold-agent: cannot go on: an unexpected ${code}; ${where}\n`);
    process.exit(1);
  });
  const manager = managerOf(environment);
  const found: Degradation[] = [...degradations, ...(native && !hardened ? [notHardened] : [])];
  let stopping = false;
  let handedOn = false;
  let moving = false;
  const stop = (reason: string) => {
    if (stopping) return;
    stopping = true;
    log('stopping', { reason });
    const more = composed.outFor();
    // Without it the service manager would kill us before a service has answered (sd_notify(3)).
    const extend = more > 0 ? `\nEXTEND_TIMEOUT_USEC=${(more + END_DEADLINE) * 1_000}` : '';
    native?.notify(manager ?? '', `STOPPING=1${extend}`);
    // One turn later, so that the answer to `stop` is out before its connection is drained.
    setImmediate(() => void end());
  };
  const composed = compose({
    places,
    config,
    clock: openSystemClock(),
    log,
    native,
    keyringChild: programOf('backends/keyring/child.ts', 'keyring-child'),
    adminChild: programOf('admin/child.ts', 'admin'),
    upstreamChild: programOf('upstream/child.ts', 'upstream-child'),
    eventsChild: programOf('events/child.ts', 'events'),
    degradations: found,
    startedIn: sessionOf(environment, manager),
    came: new Thrift(native).came,
    stop: () => stop('asked'),
    async restart() {
      if (stopping) return;
      // A service manager keeps its socket and starts the next agent by itself.
      if (inherited === undefined || inherited.handedOn) {
        if (manager) throw managed;
        await startSuccessor(places.state, sockets.descriptors);
        handedOn = true;
      }
      stop('restarting');
    },
  });
  const { reception } = composed;
  const sockets = new Sockets({
    inherited: allInherited,
    take: {
      agent: (handle) => reception.receive(handle),
      admin: (handle) => composed.admin.take(handle),
      events: (handle) => composed.events.take(handle),
    },
    direct: native && (() => reception.direct(native)),
    // The agent serves without these, too.
    withoutSocket(path, error) {
      found.push(withoutSocket(path, error));
    },
  });
  await sockets.open(places);
  const beThrifty = () => {
    settleIn();
    native?.giveBack();
  };
  const attachLog = async () => {
    const isManaged = isJournal(1, environment);
    // Whoever reads it may leave (journald restarts), and that is nothing to end for.
    if (isManaged) process.stdout.on('error', () => {});
    await attach(isManaged ? process.stdout : openLogFile(`${places.state}/agent.log`), config.logLevel);
  };
  let attached: Promise<void> | undefined;
  const logTimer = setTimeout(() => {
    // Secrets are served without a log too, and `status` says that there is none.
    attached = attachLog().catch(() => {
      found.push(withoutLog(places));
    });
    void attached.then(beThrifty);
  }, LOG_AFTER);
  const end = async () => {
    setTimeout(() => fail(tooSlow), END_DEADLINE + composed.outFor());
    clearTimeout(logTimer);
    await sockets.close(handedOn);
    // An agent that ends early has something to say too; a log that cannot be had must not keep it from ending.
    await (attached ?? attachLog()).catch(() => {});
    await composed.dispose();
    if (!handedOn) removeHolder(places.state);
    lock[Symbol.dispose]();
    process.exit(0);
  };

  sockets.watch(() => void goOnElsewhere().catch(() => stop('unreachable')));
  // At the last logout the runtime folder goes, and at the next login it is back: the agent and its memory stay. One
  // whose own folders were taken away would hold secrets in vain, and for ever.
  const goOnElsewhere = async () => {
    if (stopping || moving) return;
    if (!places.run.startsWith('/run/') || !isOwnFolder(places.state)) return stop('unreachable');
    moving = true;
    // What removes a folder removes what is in it first: for a moment the socket alone is gone.
    const end = performance.now() + VANISHING;
    while (isOwnFolder(places.run) && performance.now() < end) await sleep(20);
    if (stopping) return;
    if (isOwnFolder(places.run)) {
      moving = false;
      if (!sockets.isReachable) stop('unreachable');
      return;
    }
    Object.assign(places, computePlaces(environment));
    await sockets.move(places);
    moving = false;
    log('moved', { socket: places.agentSocket });
  };

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => stop(signal));
  process.on('SIGPIPE', () => {});
  // Only now: opening may take the loop for a while, and who connects meanwhile is in the kernel's queue already.
  void composed.open();
  log('listening', {
    version,
    pid: process.pid,
    socket: inherited === undefined ? 'own' : inherited.handedOn ? 'handed on' : 'inherited',
  });
  native?.notify(manager ?? '', 'READY=1');
}

/**
 * Takes the lock of the state folder, from an agent of version 0.1 as well, which has its lock elsewhere: one that
 * handed its sockets on to us is waited for, any other is asked to end. Throws `agent_running` if it does not.
 */
async function takeLockOf({ state, run }: Places, inherited: Inherited | undefined): Promise<Disposable> {
  const isSuccessor = inherited !== undefined;
  const ending = inherited?.handedOn ? HANDED_ON_PATIENCE : LOCK_PATIENCE;
  const lock = await takeStateLock(state, { ending, isSuccessor });
  if (inherited?.handedOn) await untilUnlocked(state, dirname(inherited.path ?? run), HANDED_ON_PATIENCE);
  const former = await findFormerAgent(state, run);
  if (former && !(await endFormerAgent(former, state, run, FORMER_PATIENCE))) {
    const { pid } = former;
    throw new KeyholdError('agent_running', `cannot start: an older agent does not end; end it with: kill ${pid}`);
  }
  return lock;
}

/**
 * Where the service manager that started this very process hears of it (sd_notify(3)). The variable is inherited: an
 * agent that a tool inside some other service started would speak for that one, and could end it.
 */
function managerOf(environment: NodeJS.ProcessEnv): string | undefined {
  const { NOTIFY_SOCKET, SYSTEMD_EXEC_PID } = environment;
  const isOurs = SYSTEMD_EXEC_PID === undefined || SYSTEMD_EXEC_PID === String(process.pid);
  return isOurs && NOTIFY_SOCKET ? NOTIFY_SOCKET : undefined;
}

/** The session that we were started in. Inherited by successors, as the environment is. */
function sessionOf(environment: NodeJS.ProcessEnv, manager: string | undefined): StartedIn {
  if (manager) return 'systemd';
  if (environment['SSH_CONNECTION']) return 'ssh';
  return environment['WAYLAND_DISPLAY'] || environment['DISPLAY'] ? 'desktop' : 'elsewhere';
}

/** Whether a descriptor leads to the journal (systemd.exec(5), JOURNAL_STREAM): the variable alone is inherited too. */
function isJournal(fd: number, environment: NodeJS.ProcessEnv): boolean {
  const { dev, ino } = fstatSync(fd);
  return environment['JOURNAL_STREAM'] === `${dev}:${ino}`;
}

/** The program of a child: beside the bundle, or among the sources when these are run as they are. */
function programOf(source: string, bundle: string): string {
  const folder = import.meta.dirname;
  return import.meta.filename.endsWith('.ts') ? `${folder}/${source}` : `${folder}/${bundle}.cjs`;
}

const managed = new KeyholdError(
  'unsupported',
  'cannot restart: a service manager started the agent; run: systemctl --user restart keyhold',
);

const tooSlow = new KeyholdError('deadline', `cannot end in time: waited ${END_DEADLINE / 1_000} s; see: keyhold logs`);

function withoutSocket(path: string, error: unknown): Degradation {
  const name = basename(path);
  const what = `there is no ${name}: ${asFault(error).message}`;
  return { code: `no-${basename(path, '.sock')}`, what, remedy: 'run: keyhold restart' };
}

function withoutLog({ state }: Places): Degradation {
  return {
    code: 'no-log',
    what: `nothing is logged: ${state}/agent.log cannot be opened`,
    remedy: `make it a file of yours with mode 0600, then run: keyhold restart`,
  };
}

const notHardened = {
  code: 'not-hardened',
  what: 'core dumps or debuggers could not be shut out',
  remedy: 'start the agent without limits on prctl(2)',
};

/** The places as the rules have them, with config and state made: the state folder's real path decides on the rest. */
function preparePlaces(): Places {
  const folders = foldersOf(process.env);
  if (!folders)
    throw new KeyholdError('bad_config', 'cannot start: neither HOME nor KEYHOLD_HOME says where to keep things');
  refuseForeignHome(process.env, argument === '--as-root');
  for (const folder of [folders.config, folders.state]) ensurePrivateFolder(folder);
  return computePlaces(process.env)!;
}
