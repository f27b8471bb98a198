/** What must and must not compile. `npx tsc` is the test: each `@ts-expect-error` fails it when its line is allowed. */

import { KeyholdError } from '../../protocol/errors.ts';
import type { CredentialReply, Handler } from '../../protocol/handler.ts';
import { heapSecret, type Secret } from '../../protocol/secret.ts';
import type { Status } from '../../protocol/status.ts';

/** What a log takes: plain JSON values. */
type Loggable = string | number | boolean | null | readonly Loggable[] | { readonly [key: string]: Loggable };

const secret: Secret = heapSecret(new Uint8Array());

// @ts-expect-error a Secret is no text
export const text: string = secret;

// @ts-expect-error a Secret is nothing to log
export const logged: Loggable = secret;

// @ts-expect-error nor is something that holds one
export const holder: Loggable = { secret };

// @ts-expect-error its bytes are not a property
export const bytes: Uint8Array = secret.bytes;

/** A switch over the status of a reply is exhaustive: a status that is added and not handled fails here. */
export function told(reply: CredentialReply): string {
  switch (reply.status) {
    case 'ok':
      return reply.credential?.username ?? '';
    case 'bad-request':
    case 'locked':
    case 'not-found':
    case 'denied':
    case 'interaction-required':
    case 'expired':
    case 'revoked':
    case 'limit-reached':
    case 'unavailable':
    case 'unsupported':
      return reply.message;
  }
}

// @ts-expect-error whoever refuses must say why
export const silent: CredentialReply = { status: 'locked' };

const credential = { protocol: 'https', host: 'a' };
// @ts-expect-error a refusal carries no credential
export const generous: CredentialReply = { status: 'denied', message: '', credential };

// @ts-expect-error there is no such status
export const misspelt: CredentialReply = { status: 'notfound', message: '' };

// @ts-expect-error a fault has a code of the table
export const unknownFault = new KeyholdError('oops', 'cannot do it');

// @ts-expect-error a fault is never answered as ok
export const fine: 'ok' = new KeyholdError('locked', 'cannot do it').status;

// @ts-expect-error a handler answers in time, not at once
export const hasty: Handler = () => ({ status: 'ok' });

/** Every status has a reply. */
export type Untold = Exclude<Status, CredentialReply['status']>;
export const everyStatusIsTold: [Untold] extends [never] ? true : false = true;
