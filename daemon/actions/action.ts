import type { CredentialReply, CredentialRequest } from '../../protocol/handler.ts';
import type { ActionName } from '../../protocol/wire/actions.ts';
import type { RequestFor } from '../../protocol/wire/attribute-names.ts';
import type { Caller } from '../socket/caller.ts';

/** Answers the request of a caller. */
export type Answerer = (request: CredentialRequest, caller: Caller) => Promise<CredentialReply>;

/** One action, ready to be run with the parts of the agent that it needs. */
export type Action<Name extends ActionName, Needs> = {
  readonly name: Name;
  readonly answer: (request: CredentialRequest, parts: Needs, caller: Caller) => Promise<CredentialReply>;
};

/**
 * Makes an action of its two halves: `read` takes what it needs out of the request, and throws `bad_request` where that is no
 * proper one; `run` does it and makes the answer. Its row is in protocol/wire/actions.ts: `read` sees the attributes that the row
 * names and no others. `run` is also told which caller it is for.
 */
export function action<Name extends ActionName, Asked, Needs>(
  name: Name,
  read: (request: RequestFor<Name>) => Asked,
  run: (asked: Asked, parts: Needs, caller: Caller) => Promise<CredentialReply>,
): Action<Name, Needs> {
  // Not an async function: a get that is answered from memory takes no turn of the event loop more than it needs.
  return { name, answer: (request, parts, caller) => run(read(request), parts, caller) };
}

/** The `read` of an action that reads nothing. */
export function nothing(): undefined {
  return undefined;
}

/** The answer of an action that has nothing to say but that it is done. */
export const done: CredentialReply = { status: 'ok' };
