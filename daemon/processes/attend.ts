import { Socket } from 'node:net';

export type Attendance = {
  /** Seconds without a connection after which the agent is asked to let us go. */
  readonly idle: number;
  /** Milliseconds that connections get to end once the agent has let us go. */
  readonly patience: number;
  /** Takes a connection over. */
  readonly take: (socket: Socket) => void;
  /** Something else that the agent said. */
  readonly told?: (message: unknown) => void;
};

/**
 * The other end of an `Sidecar`: says that it is ready, takes the connections that the agent accepted, tells when it
 * has been idle, and ends when the agent lets go of it or is gone.
 */
export function attend({ idle, patience, take, told }: Attendance): void {
  let taken = 0;
  let open = 0;
  let timer: NodeJS.Timeout | undefined;
  let isLeaving = false;

  const leave = () => {
    if (isLeaving && open === 0) process.exit(0);
  };
  const rest = () => {
    clearTimeout(timer);
    // The agent compares: a connection that is on its way keeps us.
    if (open === 0) timer = setTimeout(() => process.send?.(taken), idle * 1_000);
    leave();
  };

  process.on('message', (message, handle) => {
    if (handle === undefined) {
      told?.(message);
      return;
    }
    taken++;
    open++;
    process.send?.('taken');
    clearTimeout(timer);
    // Who closes their side has nothing more to ask, and would not be missed.
    const options = { handle, allowHalfOpen: false, readable: true, writable: true };
    const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      open--;
      rest();
    });
    take(socket);
  });
  process.on('disconnect', () => {
    isLeaving = true;
    setTimeout(() => process.exit(0), patience).unref();
    leave();
  });
  process.send?.('ready');
  rest();
}
