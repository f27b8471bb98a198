import type { ServiceRequest } from '../services/asking.ts';
import { verify as verifyToken } from '../services/verify.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const verify = action(
  'verify',
  (request) => request as unknown as ServiceRequest,
  (request, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(verifyToken(services.desk.actingFor(request, caller), request)),
);
