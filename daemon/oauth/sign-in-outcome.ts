import type { Refusal } from '../../protocol/handler.ts';
import type { OAuthReply } from './oauth-plan.ts';

/** What a person hears when a step of a login brought nothing: what the provider said, in words of ours. */
export function failed(reply: OAuthReply): Refusal {
  if ('error' in reply) {
    const said: Record<string, [Refusal['status'], string]> = {
      access_denied: ['denied', 'the person, or the provider, said no'],
      expired_token: ['interaction-required', 'the code was not used in time; begin again: keyhold auth login'],
      invalid_grant: ['interaction-required', 'the code is spent or too old; begin again: keyhold auth login'],
      invalid_client: ['denied', 'the provider does not know this program, or not by that secret; look at --client-id'],
      unauthorized_client: ['denied', 'the provider does not let this program sign in that way'],
      invalid_scope: ['denied', 'the provider does not grant one of the scopes; look at --scopes'],
    };
    const [status, why] = said[reply.error] ?? [
      'unavailable',
      `the provider refused it (${reply.status}); try again ${reply.retryAfter === undefined ? 'later' : `in ${reply.retryAfter} s`}`,
    ];
    return refused(status, why);
  }
  if ('failure' in reply) {
    const why =
      reply.failure === 'unfit'
        ? 'its address is none that a secret may be sent to: it needs https'
        : `the provider gave no answer that could be used (${reply.failure}${reply.why ? `, ${reply.why}` : ''})`;
    return refused(reply.failure === 'unfit' ? 'denied' : 'unavailable', why);
  }
  return refused('unavailable', 'the provider gave no token');
}

/** A login that comes to nothing: the rule, and what to do next. */
export function refused(status: Refusal['status'], why: string): Refusal {
  return { status, message: `cannot sign in: ${why}` };
}
