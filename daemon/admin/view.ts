import { connect as connectSocket } from 'node:net';
import { Attributes } from '../../protocol/attributes.ts';
import { noCapabilities } from '../../protocol/capabilities.ts';
import { connect } from '../../protocol/connect.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Detail, Handler } from '../../protocol/handler.ts';
import type { Status } from '../../protocol/status.ts';
import { fromWire, toWire } from '../../protocol/text.ts';
import { views } from '../access/views.ts';
import type { View } from './route.ts';

/** Milliseconds that the agent may take for one answer; reading a long audit log takes the longest. */
const DEADLINE = 5_000;

/** The agent answered with another status than ok. */
export class Refused extends Error {
  readonly status: Exclude<Status, 'ok'>;

  constructor(status: Exclude<Status, 'ok'>, message: string) {
    super(message);
    this.status = status;
  }
}

/** Views through a handler that speaks for the agent. Any other action than a view is refused here already. */
export function viewOf(agent: Handler): View {
  return async (action, attributes = {}) => {
    if (!views.has(action)) throw new Refused('denied', `cannot ask for ${action}: it is no view`);
    const gathered = new Attributes();
    for (const [key, value] of Object.entries(attributes)) if (value !== undefined) gathered.add(key, toWire(value));
    const reply = await agent({ action, capabilities: noCapabilities, attributes: gathered });
    if (reply.status !== 'ok') throw new Refused(reply.status, reply.message);
    return reply;
  };
}

/** The agent behind its socket, as any client asks it: a connection for each question, bounded in time. */
export function agentOn(socketPath: string): Handler {
  return async (request) => {
    const stream = connectSocket(socketPath);
    const timer = setTimeout(() => stream.destroy(), DEADLINE);
    try {
      return await connect(stream)(request);
    } catch (error) {
      throw new KeyholdError('agent_unreachable', 'cannot reach the agent: it did not answer in time', {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
      stream.destroy();
    }
  };
}

/** A detail as text. Throws where a newer or older agent does not say it. */
export function said(details: readonly Detail[] | undefined, key: string): string {
  const found = details?.find(([name]) => name === key);
  if (!found) throw new KeyholdError('bad_reply', `cannot read the agent's answer: it has no ${key}`);
  return fromWire(found[1]);
}

/** Every detail of that name, each a JSON document of the type that the action promises. */
export function documents<T>(details: readonly Detail[] | undefined, key: string): T[] {
  return (details ?? []).flatMap(([name, value]) => (name === key ? [JSON.parse(fromWire(value)) as T] : []));
}
