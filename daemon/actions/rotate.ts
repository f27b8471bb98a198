import type { ServiceRequest } from '../services/asking.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const rotate = action(
  'rotate',
  (request) => request as unknown as ServiceRequest,
  (request, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(services.rotations.answer(request, caller)),
);
