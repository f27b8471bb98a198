import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const get = action(
  'get',
  (request) => request,
  (request, { folders, agent }: Pick<Parts, 'folders' | 'agent'>) =>
    folders.look(request)?.then(() => agent.get(request)) ?? agent.get(request),
);
