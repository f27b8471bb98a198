import type { Target } from '../../../protocol/credential.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { Manifest } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import type { Connection } from '../../dial.ts';
import { documents, requestOf } from '../agent.ts';

/** A token that is not held yet, and where it would go. The secret is borrowed. */
export type Stranger = {
  readonly manifest: Manifest;
  readonly target: Target;
  readonly kind: string | undefined;
  readonly secret: Secret;
};

/** What its service says of a token before it is kept. */
export type Verdict =
  /** It is taken; or there is no call to ask by, and then nothing is known. `expiresAt` is in epoch seconds. */
  | {
      readonly status: 'accepted' | 'not-asked';
      readonly user?: string | undefined;
      /** The service's own id of the token, where its `whoami` tells it. */
      readonly tokenId?: string | undefined;
      readonly expiresAt?: number | undefined;
    }
  /** The service does not take it, for certain: nothing held may be replaced by it. */
  | { readonly status: 'refused'; readonly exitCode: number; readonly message: string }
  /** It could not be asked, or gave no answer to go by: unreachable, late, 429 or 5xx. */
  | { readonly status: 'unknown'; readonly message: string };

/** Statuses of the wire by which a service refuses a token for certain. */
const refusals: ReadonlySet<string> = new Set(['revoked', 'expired', 'interaction-required']);

/** Has the agent ask the service whose a token is. Nothing is kept, and what is held stays. */
export async function verify(agent: Connection, { manifest, target, kind, secret }: Stranger): Promise<Verdict> {
  const { protocol, host, path } = target;
  const attributes = { protocol, host, path, service: manifest.id, kind, password: secret };
  const reply = await agent(requestOf('verify', { attributes }));
  const { status } = reply;
  if (status === 'ok') {
    const [whoami] = documents(reply.details, 'item[]');
    const { user, account, tokenId, expiresAt } = (whoami?.['answer'] ?? {}) as Record<string, unknown>;
    const name = [user, account].find((one) => typeof one === 'string') as string | undefined;
    return {
      status: 'accepted',
      user: name,
      tokenId: typeof tokenId === 'string' ? tokenId : undefined,
      expiresAt: typeof expiresAt === 'number' ? expiresAt : undefined,
    };
  }
  if (refusals.has(status)) return { status: 'refused', exitCode: exitCodeOf(status), message: reply.message };
  // A server that is none of the service gets no token, and an older agent has no such action.
  if (status !== 'unavailable') return { status: 'not-asked' };
  return { status: 'unknown', message: reply.message };
}
