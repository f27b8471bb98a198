import { Conversation } from '../../protocol/conversation.ts';
import type { Handler } from '../../protocol/handler.ts';
import { heapSecret } from '../../protocol/secret.ts';

/** Says the pieces to a conversation, closes the caller's side, and answers everything that came back. */
export function converse(pieces: readonly Uint8Array[], handler: Handler): Promise<Buffer> {
  return new Promise((resolve) => {
    const answered: Buffer[] = [];
    let paused = false;
    let next = 0;
    const conversation = new Conversation(handler, heapSecret, {
      send(bytes) {
        answered.push(Buffer.from(bytes));
        return true;
      },
      close: () => resolve(Buffer.concat(answered)),
      pause: () => {
        paused = true;
      },
      resume: () => {
        paused = false;
        queueMicrotask(flow);
      },
    });
    const flow = () => {
      while (!paused && next < pieces.length) conversation.receive(Buffer.from(pieces[next++]!));
      if (!paused && next === pieces.length) {
        next++;
        conversation.end();
      }
    };
    flow();
  });
}
