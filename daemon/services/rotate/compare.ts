import type { About } from '../../../protocol/about.ts';
import type { Holder } from '../probe.ts';
import { type Aside, type Rotation, tokenOf } from './rotation.ts';
import type { Turn } from './turn.ts';

type Context = Pick<Turn, 'parts' | 'entry'>;

/**
 * How a new token and the old one are the same at the service: `value`: it answered the old token again; `id`: another value under
 * the old id. To revoke the old one would end the new one, too.
 */
export type Overlap = 'value' | 'id';

/** Compares the two before either is revoked; undefined where they are two tokens. */
export async function overlapOf(turn: Context, fresh: Aside, old: Aside): Promise<Overlap | undefined> {
  if (fresh.secret.equals(old.secret)) return 'value';
  const [freshId, oldId] = [await tokenIdOf(turn, fresh), await tokenIdOf(turn, old)];
  return freshId !== undefined && freshId === oldId ? 'id' : undefined;
}

/** The service's id of a value, as the service said or as the value itself says (a JWT's `jti`). */
export async function tokenIdOf({ parts, entry }: Context, value: Aside): Promise<string | undefined> {
  if (value.about.tokenId !== undefined) return value.about.tokenId;
  const { about } = tokenOf(entry, value);
  const noted = await parts.tombstones.marks.note(value.secret, entry, { ...about, tokenId: undefined }, false);
  return noted.about.tokenId;
}

/** Who the new token stands for where that is not who the old one stood for; undefined where nothing says so. */
export function strangerIn(rotation: Rotation, old: About, fresh: Holder | undefined): string | undefined {
  const before: Holder = rotation.holder ?? (old.account === undefined ? {} : { user: old.account });
  const differing = (['user', 'account', 'tenant'] as const).find(
    (name) => before[name] !== undefined && fresh?.[name] !== undefined && before[name] !== fresh[name],
  );
  return differing && fresh![differing];
}
