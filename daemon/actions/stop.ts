import type { CredentialReply } from '../../protocol/handler.ts';
import { action, done, nothing } from './action.ts';
import type { Parts } from './parts.ts';

export const stop = action('stop', nothing, async (_, { stop: end, outFor }: Pick<Parts, 'stop' | 'outFor'>) => {
  const answer = endingReply(outFor());
  end();
  return answer;
});

/** The answer to who ends the agent, and how many seconds more than usual that may take. */
export function endingReply(outFor: number): CredentialReply {
  return outFor > 0 ? { status: 'ok', details: [['within', String(Math.ceil(outFor / 1_000))]] } : done;
}
