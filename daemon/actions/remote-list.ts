import type { ServiceRequest } from '../services/asking.ts';
import { remoteList as listTokens } from '../services/remote.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const remoteList = action(
  'remote-list',
  (request) => request as unknown as ServiceRequest,
  (request, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(listTokens(services.desk.actingFor(request, caller), request)),
);
