import type { CredentialReply, Handler } from '../../protocol/handler.ts';
import { actions, rowOf } from '../../protocol/wire/actions.ts';

/** What the admin process may ask the agent for, as the rows say. None of these changes anything, and none answers a secret. */
export const views: ReadonlySet<string> = new Set(Object.keys(actions).filter((name) => rowOf(name)?.forAdmin));

/** What the events process asks the agent for. */
export const nothing: ReadonlySet<string> = new Set();

const denied: CredentialReply = { status: 'denied', message: 'cannot answer: this process may look, and no more' };

/**
 * The handler for a process that the agent started itself, to run a library of others: it may ask for what it is there
 * for. The kernel says who it is, and while it lives its pid is nobody else's.
 */
export function confined(handler: Handler, may: ReadonlySet<string>, refused: () => void): Handler {
  return (request) => {
    if (may.has(request.action)) return handler(request);
    refused();
    return Promise.resolve(denied);
  };
}
