import type { Socket } from 'node:net';
import ipc from 'node-ipc';
import { EVENT_FRAME_MAX, eventNames, isEventName, type KeyholdEvent } from '../../protocol/events.ts';
import { attend } from '../processes/attend.ts';

/**
 * The events process: the only program that loads node-ipc, and all that it could steal here is what it was told: ids,
 * names of events and times. It tells everybody who is connected to events.sock what the agent tells it, drops who does
 * not read, and ends when nobody has listened for a while.
 */

/** Subscribers at once. */
const SUBSCRIBERS_MAX = 100;
/** Bytes that a subscriber may leave unread beside what the kernel keeps: some thousand events. */
const UNREAD_MAX = 262_144;
/** Milliseconds that a frame of a subscriber may take, which has nothing to say. */
const FRAME_DEADLINE = 5_000;

const [idle, socketPath] = process.argv.slice(2);

Object.assign(ipc.config, {
  id: 'keyhold',
  // Nothing is bound and nothing removed: the agent listens. The strictest parser wants to hear of a folder all the same.
  socketRoot: socketPath!.slice(0, socketPath!.lastIndexOf('/') + 1),
  secureSocketRoot: true,
  readableAll: false,
  writableAll: false,
  unlink: false,
  silent: true,
  logger: () => {},
  parser: 'assured',
  allowedEvents: ['hello', ...Object.keys(eventNames)],
  maxMessageSize: EVENT_FRAME_MAX,
  maxPendingBytes: UNREAD_MAX,
  maxEventNameLength: 32,
  messageTimeout: FRAME_DEADLINE,
  maxConnections: SUBSCRIBERS_MAX,
} satisfies Partial<typeof ipc.config>);
ipc.serve(socketPath!);
const { server } = ipc;
let subscribers = 0;

attend({
  idle: Number(idle),
  // Whoever listens comes again, to the next agent.
  patience: 0,
  take(socket: Socket) {
    if (subscribers >= SUBSCRIBERS_MAX) {
      socket.destroy();
      return;
    }
    subscribers++;
    socket.on('close', () => subscribers--);
    server.addSocket(socket);
    server.emit(socket, 'hello', { at: Math.floor(Date.now() / 1_000) });
  },
  told(message) {
    for (const { event, ...data } of message as KeyholdEvent[]) if (isEventName(event)) server.broadcast(event, data);
  },
});
