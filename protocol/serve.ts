import type { Duplex } from 'node:stream';
import { Conversation } from './conversation.ts';
import type { Handler } from './handler.ts';
import { heapSecret, type SecretKeeper } from './secret.ts';

/**
 * Puts a handler on any byte stream; the promise settles when the conversation is over. The agent's own sockets are
 * served by daemon/socket/connection.ts, which copies less; this one is for tests, pipes and other hosts.
 */
export function serve(stream: Duplex, handler: Handler, keep: SecretKeeper = heapSecret): Promise<void> {
  return new Promise((resolve) => {
    const conversation = new Conversation(handler, keep, {
      send(bytes) {
        // An in-process stream hands the very memory that it is given to its reader, so it gets a copy of its own.
        const sent = stream.write(Buffer.from(new Uint8Array(bytes).buffer));
        if (!sent) {
          bytes.fill(0);
          stream.once('drain', () => conversation.drained());
        }
        return sent;
      },
      close: () => stream.end(),
      pause: () => stream.pause(),
      resume: () => stream.resume(),
    });
    stream.on('data', (bytes: Buffer) => {
      conversation.receive(bytes);
      bytes.fill(0);
    });
    stream.on('end', () => conversation.end());
    stream.on('error', () => conversation.dispose());
    stream.on('close', () => {
      conversation.dispose();
      resolve();
    });
  });
}
