import type { ServiceRequest } from '../services/asking.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const login = action(
  'login',
  (request) => request as unknown as ServiceRequest,
  (request, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(services.logins.login(services.desk.actingFor(request, caller), request)),
);
