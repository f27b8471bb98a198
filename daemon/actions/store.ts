import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const store = action(
  'store',
  (request) => request,
  (request, { agent }: Pick<Parts, 'agent'>, caller) => agent.store(request, caller),
);
