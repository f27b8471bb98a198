import { answerer } from '../../daemon/actions/index.ts';
import type { Parts } from '../../daemon/actions/parts.ts';
import { UnderWay } from '../../daemon/actions/under-way.ts';
import { agentItself } from '../../daemon/socket/caller.ts';
import type { Handler } from '../../protocol/handler.ts';

/** The agent's own table of actions over the parts that a test has; an action that needs another one fails. */
export function answers(parts: Partial<Parts>): Handler {
  const answer = answerer({ underWay: new UnderWay(), decider: { settled: async () => true }, ...parts } as Parts);
  return (request) => answer(request, agentItself);
}
