import { exitCodeOf } from '../../protocol/status.ts';
import { ask, documents } from '../cli/agent.ts';
import { CommandFailure } from '../cli/failure.ts';
import type { Connection } from '../dial.ts';

/** Milliseconds that a request may take in which services are asked: each of a few calls has its own deadline there. */
export const SERVICE_DEADLINE = 300_000;

/** A held token, as the agent lists it (PROTOCOL.md §3.5). Never a value. */
export type HeldItem = {
  readonly id: string;
  readonly protocol: string;
  readonly host: string;
  readonly path?: string;
  readonly username?: string;
  readonly service?: string;
  readonly kind?: string;
  readonly label?: string;
  readonly tokenId?: string;
  readonly account?: string;
  readonly tenant?: string;
  readonly storedAt: number;
  readonly expiresAt?: number;
  readonly createdAt?: number;
  readonly lastUsed?: number;
  readonly uses?: number;
};

export async function heldItems(agent: Connection): Promise<HeldItem[]> {
  const { details } = await ask(agent, 'list');
  return documents(details, 'item[]') as unknown as HeldItem[];
}

/** What a person calls it. */
export function nameOf({ label, username, tokenId, id }: Partial<HeldItem>): string {
  return label ?? username ?? tokenId ?? id ?? '';
}

/** Fewer characters of an id are no name for it. */
const PREFIX_MIN = 4;

/** Something that can be named by its label, an id, or the beginning of an id. */
type Nameable = Partial<Pick<HeldItem, 'id' | 'tokenId' | 'label' | 'username'>> & { readonly name?: string };

/**
 * What `word` names: a whole id or label before the beginning of one; undefined if it names nothing. Throws a
 * `CommandFailure` with 2 where it names several.
 */
export function resolveWord<T extends Nameable>(items: readonly T[], word: string): T | undefined {
  const whole = (one: T) => [one.id, one.tokenId, one.label, one.name].includes(word);
  const user = (one: T) => one.username === word;
  const begins = (one: T) =>
    word.length >= PREFIX_MIN && [one.id, one.tokenId].some((id) => id?.startsWith(word) === true);
  for (const fits of [whole, user, begins]) {
    const found = items.filter(fits);
    if (found.length === 1) return found[0];
    if (found.length > 1) {
      throw new CommandFailure(
        exitCodeOf('bad-request'),
        `cannot tell which token is meant: ${found.length} have that name or beginning; give the whole id, or --for URL`,
      );
    }
  }
  return undefined;
}
