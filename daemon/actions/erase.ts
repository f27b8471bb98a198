import { action } from './action.ts';
import { stillDeciding } from './deciding.ts';
import type { Parts } from './parts.ts';

export const erase = action(
  'erase',
  (request) => ({ request, isForGood: request.capabilities.keyhold && request.attributes.text('purge') === '1' }),
  async ({ request, isForGood }, { agent, decider }: Pick<Parts, 'agent' | 'decider'>, caller) => {
    if (request.front !== undefined && !(await decider.settled())) return stillDeciding;
    return agent.erase(request, caller, isForGood);
  },
);
