import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const get = action(
  'get',
  (request) => request,
  (request, { folders, agent }: Pick<Parts, 'folders' | 'agent'>, caller) => {
    const bounded = folders.bounded(request);
    // What is in memory is answered in this turn of the event loop.
    return bounded instanceof Promise ? bounded.then((one) => agent.get(one, caller)) : agent.get(bounded, caller);
  },
);
