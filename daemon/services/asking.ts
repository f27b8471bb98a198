import { type Target, whyNoTarget } from '../../protocol/credential.ts';
import { documentLine } from '../../protocol/document-line.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { CredentialReply, CredentialRequest, Detail } from '../../protocol/handler.ts';
import { toWire } from '../../protocol/text.ts';

import type { Desk } from './desk.ts';

export { isSet, textIn, wordsIn } from '../../protocol/wire/reading.ts';

/** A request that is answered by asking a service. */
export type ServiceRequest = Pick<CredentialRequest, 'attributes'>;

/** One action of services. */
export type ServiceAct = (desk: Desk, request: ServiceRequest) => Promise<CredentialReply>;

/** Where a request says that the service is. Throws `bad_request` where it does not. */
export function placeIn({ attributes }: ServiceRequest): Target {
  const [protocol, host, path] = ['protocol', 'host', 'path'].map((key) => attributes.text(key));
  const why = whyNoTarget(protocol, host);
  if (why) throw new KeyholdError('bad_request', `cannot tell which server is meant: ${why}`);
  return { protocol: protocol!, host: host!, ...(path && { path }) };
}

/** A document of an answer. */
export function item(document: object): Detail {
  return ['item[]', documentLine(document)];
}

/** One text of an answer; none where it is undefined. */
export function told(key: string, value: string | number | undefined): Detail[] {
  return value === undefined ? [] : [[key, toWire(String(value))]];
}
