import type { Target } from '../../protocol/credential.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import { callOf, type Kind, type Manifest } from '../../protocol/services/index.ts';
import { fromWire } from '../../protocol/text.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { type ActorParts, heldAt } from './actor.ts';
import { told } from './asking.ts';
import type { CallParts } from './call.ts';
import { listRemote } from './remote.ts';

/** The token that would be one more, and whose token may ask how many there are. */
export type OneMore = {
  readonly manifest: Manifest;
  readonly kind: Kind;
  readonly place: Target;
  readonly as?: Entry | undefined;
};

/** Why one more would be too many: as the service counts where it lists them, else as many as are held. */
export async function fullReply(
  parts: CallParts & ActorParts,
  { manifest, kind, place, as }: OneMore,
  mayAsk: boolean,
): Promise<CredentialReply | undefined> {
  const most = manifest.limits?.active;
  if (most === undefined) return undefined;
  const now = parts.clock.now();
  const held = heldAt(parts, manifest, place).filter(
    ({ expiresAt, about }) => about?.kind !== 'session' && (expiresAt === undefined || expiresAt > now),
  );
  const listed =
    mayAsk && callOf(manifest, 'list', kind).status === 'ok'
      ? await listRemote(parts, manifest, { place, as })
      : undefined;
  const remote = listed && 'remotes' in listed ? listed.remotes.filter(({ active }) => active !== false).length : 0;
  const count = Math.max(held.length, remote);
  if (count < most) return undefined;
  const free = held
    .toSorted((one, other) => one.storedAt - other.storedAt)
    .slice(0, 3)
    .map(({ about, username, id }) => about?.label ?? (username && fromWire(username)) ?? id);
  const which = free.length === 0 ? '' : `, such as ${free.join(', ')}`;
  return {
    status: 'limit-reached',
    message: `cannot create: ${manifest.title} allows ${most} active tokens, and there are ${count}; revoke one that nobody uses${which}: keyhold token list --unused`,
    details: [...told('active', count), ...told('limit', most)],
  };
}
