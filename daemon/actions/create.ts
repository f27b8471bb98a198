import type { ServiceRequest } from '../services/asking.ts';
import { create as createToken } from '../services/create.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const create = action(
  'create',
  (request) => request as unknown as ServiceRequest,
  (request, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(createToken(services.desk.actingFor(request, caller), request)),
);
