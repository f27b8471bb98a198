import type { EpochSeconds, Target } from '../../protocol/credential.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import { type Manifest, serviceFor } from '../../protocol/services/index.ts';
import { toWire } from '../../protocol/text.ts';
import { requestOf } from '../cli/agent.ts';
import { CommandFailure } from '../cli/failure.ts';
import { tokenItems } from '../cli/token/item.ts';
import type { Connection } from '../dial.ts';
import type { Comparison } from './shadows.ts';
import type { Sighting } from './sightings.ts';

/** Something that keyhold holds: where for, and since when. */
export type Holding = {
  readonly target: Target;
  readonly storedAt: EpochSeconds;
  readonly service: string | undefined;
};

/** Hosts of one service that are asked for: its own few, and servers of one's own. */
const HOSTS_MAX = 16;

/** What the agent holds, or of it what may belong to one service, without any value; undefined where it does not say. */
export async function holdingsOf(agent: Connection, service?: string): Promise<Holding[] | undefined> {
  try {
    return (await tokenItems(agent, { service, name: ['protocol', 'host', 'storedAt', 'service'] })).map((item) => ({
      target: { protocol: toWire(item.protocol), host: toWire(item.host) },
      storedAt: item.storedAt,
      service: item.service,
    }));
  } catch (error) {
    if (error instanceof CommandFailure) return undefined;
    throw error;
  }
}

/** Those of a service, wherever its servers are. */
export function holdingsFor(manifest: Manifest, holdings: readonly Holding[]): Holding[] {
  return holdings.filter(({ target, service }) => {
    if (service !== undefined) return service === manifest.id;
    const found = serviceFor(target, [manifest]);
    return found.status === 'found';
  });
}

/** What keyhold says of each sighting, by the action `same`: no value comes back, and none is used. */
export async function compareSightings(
  agent: Connection,
  sightings: readonly Sighting[],
  holdings: readonly Holding[],
): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const { secrets } of sightings) comparisons.push(await compareSecrets(agent, secrets, holdings));
  return comparisons;
}

/** Whether every one of the secrets is held for one of the targets. */
export async function compareSecrets(
  agent: Connection,
  secrets: readonly Secret[],
  holdings: readonly Holding[],
): Promise<Comparison> {
  if (holdings.length === 0) return { status: 'unheld' };
  const hosts = new Map(holdings.map(({ target }) => [`${target.protocol}://${target.host}`, target]));
  const replies: boolean[] = [];
  for (const secret of secrets) {
    let isSame = false;
    for (const target of [...hosts.values()].slice(0, HOSTS_MAX)) {
      const reply = await agent(requestOf('same', { target, secret }));
      if (reply.status !== 'ok' && reply.status !== 'not-found') return { status: 'unknown' };
      isSame ||= saysSame(reply);
    }
    replies.push(isSame);
  }
  if (replies.every((isSame) => isSame)) return { status: 'same' };
  return { status: 'differs', storedAt: Math.max(...holdings.map(({ storedAt }) => storedAt)) };
}

function saysSame({ details }: CredentialReply): boolean {
  return details?.some(([key, value]) => key === 'same' && value === 'true') ?? false;
}
