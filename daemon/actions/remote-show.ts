import type { ServiceRequest } from '../services/asking.ts';
import { remoteShow as showToken } from '../services/remote.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const remoteShow = action(
  'remote-show',
  (request) => request as unknown as ServiceRequest,
  (request, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(showToken(services.desk.actingFor(request, caller), request)),
);
