import type { EpochSeconds, Seconds } from '../../../protocol/credential.ts';
import type { Detail, Refusal } from '../../../protocol/handler.ts';
import {
  callOf,
  type Kind,
  type Lifetime,
  lifetimeOf,
  type Manifest,
  secondsOf,
} from '../../../protocol/services/index.ts';
import { fromWire } from '../../../protocol/text.ts';
import type { Held } from '../../backends/backend.ts';
import { told } from '../asking.ts';
import { refused } from '../outcomes.ts';
import type { Way } from './machine.ts';

/** How much shorter a life may be and still count as the same: services round to whole days, and clocks differ. */
const LIFE_SLACK = 0.02;
/** A lifetime that differs by so much from one that a service offers is meant to be that one. */
const OFFERED_SLACK: Seconds = 86_400;

/** What is wanted of the new token. */
export type RotationWish = { readonly expiresIn: string | undefined; readonly limit: string | undefined };

/** How a token would be rotated, as far as it can be told without asking its service. */
export type RotationPlan = {
  readonly manifest: Manifest;
  readonly kind: Kind;
  readonly label: string;
  readonly way: Way;
  /** Why no call does it. */
  readonly why?: string | undefined;
  readonly page?: string | undefined;
  readonly lifetime: Extract<Lifetime, { status: 'ok' }>;
  readonly oldLife: Seconds | undefined;
  readonly newLife: Seconds | undefined;
  readonly warnings: readonly string[];
};

/** A call that trades a token comes first: where a service has one, its other calls may mean more (the user of a key, say). */
export function planRotation(
  manifest: Manifest,
  kind: Kind,
  entry: Held,
  { expiresIn, limit: newLimit }: RotationWish,
): RotationPlan | { readonly refusal: Refusal } {
  const trade = callOf(manifest, 'rotate', kind);
  const create = callOf(manifest, 'create', kind);
  const way = trade.status === 'ok' ? 'trade' : create.status === 'ok' ? 'create' : 'page';
  const oldLife = lifeOf(entry);
  const asked = expiresIn ?? sameLife(kind, oldLife);
  const lifetime = lifetimeOf(manifest, kind, asked);
  if (lifetime.status !== 'ok') return { refusal: refused('bad-request', 'rotate', lifetime.why) };
  const note = trade.status === 'ok' ? trade.call.note : undefined;
  const isNarrowed = way === 'create' && create.status === 'ok' && mentionsLimit(create.call.body);
  const limit =
    isNarrowed && newLimit === undefined
      ? 'what the old token was narrowed down to is not known here; give --limit if it was'
      : undefined;
  const why = create.status === 'ok' ? undefined : create.why;
  return {
    manifest,
    kind,
    label: entry.about?.label ?? (entry.username && fromWire(entry.username)) ?? entry.id,
    way,
    ...(way === 'page' && { why, page: manifest.urls?.create ?? manifest.urls?.dashboard }),
    lifetime,
    oldLife,
    // A service that trades decides by itself, and usually by its default.
    newLife: way === 'page' ? undefined : lifetime.seconds,
    warnings: [note, limit, lifetime.warning].filter((text) => text !== undefined),
  };
}

export function planDetails({ way, why, page, kind, lifetime, oldLife, newLife, warnings }: RotationPlan): Detail[] {
  return [
    ['way', way],
    ...told('why', why),
    ...told('page', page),
    ...told('kind', kind.name),
    ...told('expires_in', lifetime.duration),
    ...livesTold(oldLife, newLife),
    ...warnings.flatMap((warning) => told('warning[]', warning)),
  ];
}

/** Both lives, in seconds, where they are known and end; `shorter` where somebody must be asked. */
export function livesTold(oldLife: Seconds | undefined, newLife: Seconds | undefined): Detail[] {
  const finite = (life: Seconds | undefined) => (life !== undefined && Number.isFinite(life) ? life : undefined);
  return [
    ...told('old_life', finite(oldLife)),
    ...told('new_life', finite(newLife)),
    ...(isShorter(oldLife, newLife) ? ([['shorter', '1']] as Detail[]) : []),
  ];
}

/** Whether a new life is shorter than an old one. An old one that is not known may have been for ever. */
export function isShorter(oldLife: Seconds | undefined, newLife: Seconds | undefined): boolean {
  if (newLife === undefined || !Number.isFinite(newLife)) return false;
  return oldLife === undefined || newLife < oldLife * (1 - LIFE_SLACK);
}

/** How long a held token lives in all; undefined where no end of it is known. */
export function lifeOf({ expiresAt, about, storedAt }: Pick<Held, 'expiresAt' | 'about' | 'storedAt'>) {
  return expiresAt === undefined ? undefined : lifeBetween(about?.createdAt ?? storedAt, expiresAt);
}

export function lifeBetween(from: EpochSeconds, until: EpochSeconds): Seconds {
  return Math.max(0, Math.round(until - from));
}

/** What the service offers that is as long as the old life; undefined leaves it to the default. */
function sameLife({ lifetimes }: Kind, oldLife: Seconds | undefined): string | undefined {
  if (oldLife === undefined) return undefined;
  return lifetimes?.allowed?.find((one) => Math.abs((secondsOf(one) ?? 0) - oldLife) <= OFFERED_SLACK);
}

function mentionsLimit(body: Readonly<Record<string, unknown>> | undefined): boolean {
  return Object.values(body ?? {}).includes('{limit}');
}
