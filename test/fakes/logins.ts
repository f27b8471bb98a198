import type { CredentialReply, CredentialRequest } from '../../protocol/handler.ts';

/** What a store without any provider answers to the actions of logins; undefined to every other. */
export function refuseLogin({ action, attributes, capabilities }: CredentialRequest): CredentialReply | undefined {
  if (!capabilities.keyhold) return undefined;
  if (action === 'refresh')
    return { status: 'not-found', message: 'cannot find the token: nothing with that id is held' };
  if (action === 'authorized') return refused('not-found', 'its time is over; begin again: keyhold auth login');
  if (action !== 'authorize') return undefined;
  if (attributes.has('service')) return refused('not-found', 'there is no such service; see: keyhold service list');
  if (!attributes.has('issuer')) {
    return refused('bad-request', 'it is not known who the provider is; give --issuer URL');
  }
  return refused('bad-request', 'the provider knows programs by an id; give --client-id ID');
}

function refused(status: 'not-found' | 'bad-request', why: string): CredentialReply {
  return { status, message: `cannot sign in: ${why}` };
}
