import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const explain = action(
  'explain',
  (request) => request,
  async (request, { folders, agent }: Pick<Parts, 'folders' | 'agent'>) => {
    return agent.explain(await folders.bounded(request));
  },
);
