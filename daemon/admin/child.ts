import { attend } from '../processes/attend.ts';
import { version } from '../version.ts';
import { openApp } from './app.ts';
import { agentOn } from './view.ts';

/**
 * The admin process: the only program that loads fastify. It serves connections that the agent accepted on admin.sock,
 * asks the agent what it answers like any other client, and never asks for a secret. It ends when nobody has asked for
 * a while, or the agent is gone.
 */

/** Connections at once. */
const CONNECTIONS_MAX = 64;
/** Milliseconds from a connection to its end: it carries one request, and node's own bounds hold for listeners only. */
const CONNECTION_LIFE = 6_000;

const [idle, agentSocket] = process.argv.slice(2);
const app = openApp(agentOn(agentSocket ?? ''), version);
const ready = app.ready();
let open = 0;

void ready.then(() =>
  attend({
    idle: Number(idle),
    patience: CONNECTION_LIFE,
    take(socket) {
      if (open >= CONNECTIONS_MAX) {
        socket.destroy();
        return;
      }
      open++;
      const timer = setTimeout(() => socket.destroy(), CONNECTION_LIFE);
      socket.on('close', () => {
        open--;
        clearTimeout(timer);
      });
      app.server.emit('connection', socket);
    },
  }),
);
