import type { CredentialReply } from '../../protocol/handler.ts';

/** The answer to a front while it is decided which credentials of an earlier version are its own. */
export const stillDeciding: CredentialReply = {
  status: 'unavailable',
  message: "cannot answer: which logins are docker's is being decided after an upgrade; try again in a minute",
};
