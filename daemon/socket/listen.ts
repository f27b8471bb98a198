import { fstatSync, lstatSync, readFileSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';
import { SOCKET_PATH_MAX, unpublished } from '../../protocol/places.ts';
import type { Native } from '../native/native.ts';
import { handedOn, type Purpose, purposes } from '../successor.ts';
import type { StreamHandle } from './connection.ts';
import { ensurePrivateFolder } from './folders.ts';

/** As many connections as the kernel will queue while the agent is busy. */
const BACKLOG = 511;
/** Turns of the event loop in which the last of the queue are accepted: each takes all that stand there. */
const CLOSING_TURNS = 3;

/** The first descriptor that a service manager hands over (sd_listen_fds(3)). */
const FIRST_INHERITED = 3;

/** A listening socket that was there before this process. */
export type Inherited = {
  readonly fd: number;
  /** Handed on by an agent before us, so that its path is ours to remove; else a service manager's. */
  readonly handedOn: boolean;
  /** Where clients find it; undefined for a socket without a name that could be read. */
  readonly path: string | undefined;
};

export type Listener = {
  /** The descriptor that listens, to be handed on. */
  readonly fd: number;
  /** Whether a client still finds us: false once our path is gone or leads to another socket. */
  isReachable(): boolean;
  /** Stops listening. A path of our own is removed, unless it is handed on or leads elsewhere by now. */
  close(handedOn?: boolean): Promise<void>;
};

/** How connections are taken by their descriptors, without a stream of node's (`Native.take`). */
export type Direct = {
  readonly native: Pick<Native, 'take'>;
  readonly peer: Uint32Array;
  readonly onConnection: (fd: number) => void;
  readonly onTaken: () => void;
};

/**
 * Calls `onHandle` for every connection with the bare stream handle, not with a socket: whoever reads decides into
 * which memory. With `direct` connections come that way instead. Throws `foreign_listener`, `socket_path_too_long` or
 * `unsafe_place`.
 */
export async function listen(
  path: string,
  inherited: Inherited | undefined,
  onHandle: (handle: StreamHandle) => void,
  direct?: Direct | undefined,
): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true });
  // libuv removes the name that it bound, whenever it closes: so that is another one than our clients'.
  const bound = unpublished(path);
  if (inherited === undefined) {
    await claim(path);
    rmSync(bound, { force: true });
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // bind(2) happens within this call and decides the socket's mode: 0600 from its first moment.
    const umask = process.umask(0o177);
    server.listen(inherited === undefined ? { path: bound, backlog: BACKLOG } : { fd: inherited.fd }, resolve);
    process.umask(umask);
    takeHandles(server, onHandle);
  });
  // Clients find it only now that it listens.
  if (inherited === undefined) renameSync(bound, path);
  const isOurs = inherited === undefined || inherited.handedOn;
  // Handed on by one that was told to stop meanwhile, it may have no path any more.
  const inode = inodeOf(path);
  const isStillThere = () => inode !== undefined && inodeOf(path) === inode;
  const taking = direct?.native.take(descriptorOf(server), direct.peer, direct.onConnection, direct.onTaken);
  // It would only wake up for connections that are taken already.
  if (taking) await closed(server);
  return {
    fd: taking?.fd ?? descriptorOf(server),
    isReachable: () => !isOurs || isStillThere(),
    async close(handedOn = false) {
      if (isOurs && !handedOn) {
        // Who comes now looks for the next agent; who stands in the kernel's queue is still taken, and answered.
        if (isStillThere()) rmSync(path, { force: true });
        for (let turn = 0; turn < CLOSING_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
      if (taking) taking.stop();
      else await closed(server);
    },
  };
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function inodeOf(path: string): number | undefined {
  try {
    return lstatSync(path).ino;
  } catch {
    return undefined;
  }
}

type ServerHandle = { readonly fd: number; onconnection?: (status: number, handle: StreamHandle | undefined) => void };

/** node offers no documented way to a connection before it has begun to read into memory of node's own. */
function takeHandles(server: Server, onHandle: (handle: StreamHandle) => void): void {
  const listening = (server as unknown as { _handle: ServerHandle | null })._handle;
  if (!listening) return; // an error event follows
  listening.onconnection = (status, handle) => {
    if (status === 0 && handle) onHandle(handle);
  };
}

function descriptorOf(server: Server): number {
  return (server as unknown as { _handle: ServerHandle })._handle.fd;
}

/** Makes the path free for us to bind. We hold the agent's lock, so whoever answers there is no agent of ours. */
async function claim(path: string): Promise<void> {
  if (Math.max(Buffer.byteLength(path), Buffer.byteLength(unpublished(path))) > SOCKET_PATH_MAX) {
    throw new KeyholdError(
      'socket_path_too_long',
      `cannot listen on ${path}: a socket's path has at most ${SOCKET_PATH_MAX} bytes; choose a shorter KEYHOLD_HOME`,
    );
  }
  ensurePrivateFolder(dirname(path));
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket())
    throw new KeyholdError('unsafe_place', `cannot listen on ${path}: it is not a socket; move it away`);
  if (await isAlive(path)) {
    throw new KeyholdError(
      'foreign_listener',
      `cannot listen on ${path}: another program listens there; see: keyhold doctor`,
    );
  }
  unlinkSync(path); // left behind by an agent that was killed
}

/**
 * Whether a program listens on `path`. It needs no deadline: connect(2) on a Unix socket never waits here, because node's
 * sockets do not block, so the kernel has answered before `connect` returns, and node reports that at its next turn.
 */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.on('connect', () => answer(true));
    // EAGAIN is a listener whose queue is full: it is alive all the same.
    socket.on('error', (error: NodeJS.ErrnoException) =>
      answer(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

/** Which of our sockets were there before this process. */
export type InheritedSockets = Readonly<Partial<Record<Purpose, Inherited>>>;

/**
 * The listening sockets that a service manager or the agent before us handed over (sd_listen_fds(3)): meant for this
 * process, each really a listening Unix socket, at most one for each purpose, which its name tells
 * (FileDescriptorName=, systemd.socket(5)); any other name is the agent's. Removes the
 * variables, so that children do not believe them too. Throws `bad_config` rather than serve on something else.
 */
export function inheritedListeners(environment: NodeJS.ProcessEnv, pid = process.pid): InheritedSockets {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = environment;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name];
  if (LISTEN_FDS === undefined || LISTEN_PID !== String(pid)) return {};
  const bad = (why: string) =>
    new KeyholdError('bad_config', `cannot take the inherited sockets: ${why}; see systemd/README.md`);
  if (!/^[123]$/.test(LISTEN_FDS)) throw bad(`there must be one to ${purposes.length}`);
  const names = (LISTEN_FDNAMES ?? '').split(':');
  const found: Partial<Record<Purpose, Inherited>> = {};
  for (let index = 0; index < Number(LISTEN_FDS); index++) {
    const [fd, name] = [FIRST_INHERITED + index, names[index]];
    const bound = nameOfListener(fd);
    if (bound === undefined) throw bad(`descriptor ${fd} is no listening Unix socket`);
    const purpose = purposes.find((one) => name === one || name === handedOn(one)) ?? 'agent';
    if (found[purpose]) throw bad(`two are for the ${purpose}; FileDescriptorName= must tell them apart`);
    // An agent binds another name first, and the kernel keeps that one.
    const path = bound.replace(/\/\.new$/, `/${purpose}.sock`);
    found[purpose] = { fd, handedOn: name === handedOn(purpose), path: path.startsWith('/') ? path : undefined };
  }
  return found;
}

/** The name that a listening Unix stream socket was bound by, empty if it has none; undefined for anything else. */
function nameOfListener(fd: number): string | undefined {
  try {
    const { ino } = fstatSync(fd);
    // proc(5): Num RefCount Protocol Flags Type St Inode Path; __SO_ACCEPTCON is 0x10000, SOCK_STREAM 0001.
    const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
    const fields = lines.map((line) => line.split(/ +/)).find((columns) => columns[6] === String(ino));
    const isOne = fields !== undefined && (Number.parseInt(fields[3]!, 16) & 0x10000) !== 0 && fields[4] === '0001';
    return isOne ? fields.slice(7).join(' ') : undefined;
  } catch {
    return undefined;
  }
}
