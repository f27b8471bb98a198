import type { Attributes } from '../../protocol/attributes.ts';
import { type Target, whyNoTarget } from '../../protocol/credential.ts';
import { documentLine } from '../../protocol/document-line.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { CredentialReply, CredentialRequest, Detail } from '../../protocol/handler.ts';
import { fromWire, toWire } from '../../protocol/text.ts';
import type { Desk } from './desk.ts';

/** One action of services. */
export type ServiceAct = (desk: Desk, request: CredentialRequest) => Promise<CredentialReply>;

/** Characters of one text that goes to a service or is noted of a token. */
const TEXT_MAX = 256;

/** The text of an attribute; undefined where it is absent or empty. Throws `bad_request` for what is none. */
export function textIn(attributes: Attributes, key: string): string | undefined {
  const value = attributes.text(key);
  if (value === undefined || value === '') return undefined;
  const text = fromWire(value);
  if (text.includes('\ufffd') || text.length > TEXT_MAX) {
    throw new KeyholdError('bad_request', `cannot read ${key}: it is not UTF-8 of at most ${TEXT_MAX} characters`);
  }
  return text;
}

/** The texts of an attribute, separated by spaces. */
export function wordsIn(attributes: Attributes, key: string): readonly string[] | undefined {
  return textIn(attributes, key)
    ?.split(' ')
    .filter((word) => word !== '');
}

/** Where a request says that the service is. Throws `bad_request` where it does not. */
export function placeIn({ attributes }: CredentialRequest): Target {
  const [protocol, host, path] = ['protocol', 'host', 'path'].map((key) => attributes.text(key));
  const why = whyNoTarget(protocol, host);
  if (why) throw new KeyholdError('bad_request', `cannot tell which server is meant: ${why}`);
  return { protocol: protocol!, host: host!, ...(path && { path }) };
}

export function isSet(attributes: Attributes, key: string): boolean {
  return attributes.text(key) === '1';
}

/** A document of an answer. */
export function item(document: object): Detail {
  return ['item[]', documentLine(document)];
}

/** One text of an answer; none where it is undefined. */
export function told(key: string, value: string | number | undefined): Detail[] {
  return value === undefined ? [] : [[key, toWire(String(value))]];
}
