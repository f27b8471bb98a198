import type { ServiceRequest } from '../services/asking.ts';
import { revoke as revokeToken } from '../services/revoke.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const revoke = action(
  'revoke',
  (request) => request as unknown as ServiceRequest,
  (request, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(revokeToken(services.desk.actingFor(request, caller), request)),
);
