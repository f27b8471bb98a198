import type { Credential } from '../credential.ts';

/** Whether a tool that sends `Authorization: Bearer TOKEN`, and nothing else, can use this credential. */
export function isBearer({ authtype, secret }: Credential): boolean {
  return secret !== undefined && (authtype === undefined || authtype.toLowerCase() === 'bearer');
}
