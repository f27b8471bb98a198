/** What we use of node-ipc 14.0.0, which brings no types of its own. */
declare module 'node-ipc' {
  import type { Socket } from 'node:net';

  /** Entities of entities/Defaults.js. */
  type Config = {
    id: string;
    socketRoot: string;
    silent: boolean;
    logger: (text: string) => void;
    unlink: boolean;
    parser: 'assured';
    allowedEvents: readonly string[];
    maxMessageSize: number;
    maxPendingBytes: number;
    maxEventNameLength: number;
    messageTimeout: number;
    maxConnections: number;
    readableAll: boolean;
    writableAll: boolean;
    secureSocketRoot: boolean;
    stopRetrying: boolean;
  };

  /** A server of dao/socketServer.js. */
  type Server = {
    /** Takes a connection over, as its own listener would. */
    addSocket(socket: Socket): void;
    /** Sends to one; false where it has too much unread, and is dropped. */
    emit(socket: Socket, type: string, data: object): boolean;
    /** Sends to all. */
    broadcast(type: string, data: object): boolean;
  };

  const ipc: { readonly config: Config; readonly server: Server; serve(path: string): void };
  export default ipc;
}
