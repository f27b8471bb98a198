import type { About } from '../../../protocol/about.ts';
import type { EpochSeconds, Seconds } from '../../../protocol/credential.ts';
import { asFault } from '../../../protocol/errors.ts';
import type { CredentialReply } from '../../../protocol/handler.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { callOf, type Read, type Values } from '../../../protocol/services/index.ts';
import type { Entry } from '../../credentials/unlocked/set.ts';
import { setInSlices } from '../../slices.ts';
import { actorFor } from '../actor.ts';
import { call, disposeAll, type Heard } from '../call.ts';
import { askForToken, takeBack, valuesFor, type Wanted } from '../create.ts';
import { givenToken } from '../given.ts';
import { aboutIn, expiryIn } from '../keep.ts';
import { fullReply } from '../limit.ts';
import { mayHaveHappened, refused } from '../outcomes.ts';
import { kindOfToken, mayMake } from '../planning.ts';
import { probe, probeLife } from '../probe.ts';
import { listRemote } from '../remote.ts';
import type { RotationPlan } from './plan.ts';
import { bearerOf, type Rotation } from './rotation.ts';
import { asideOf } from './steps.ts';
import { type Turn, type TurnOfHeld, ways } from './turn.ts';

/** What somebody wishes of the new token. */
export type RotationWish = {
  readonly plan: RotationPlan;
  readonly scopes?: readonly string[] | undefined;
  readonly limit?: string | undefined;
  /** The new value, which a person has made. Borrowed. */
  readonly pasted?: Secret | undefined;
};

/** Ids of a name that are noted before another is made under it. Where there are more, none is: what is not noted would pass for new. */
const BEFORE_MAX = 64;
/** Seconds by which a service's clock may be off ours, with the time that a question takes. */
const CLOCKS_APART: Seconds = 300;
const DAY: Seconds = 86_400;

/**
 * Has a new token made and keeps it beside the old one: the journal first, then both values. Answers the rotation that goes on
 * from there, or why there is none; then nothing has changed here, or the journal says what is not known.
 */
export async function begin(turn: TurnOfHeld, wish: RotationWish): Promise<Rotation | CredentialReply> {
  const { parts, entry, manifest, book } = turn;
  const { plan, pasted } = wish;
  const { way, kind, label } = plan;
  const wanted = wantedOf(turn, wish);
  // A trade ends one and makes one.
  const full = way === 'trade' ? undefined : await fullReply(parts, wanted, way === 'create');
  if (full) return full;
  const listed = way === 'create' ? await namesakes(turn, label) : undefined;
  const { holder, tokenId: ownId } = await probe(parts, manifest, { as: entry });
  const rotation = await book.write({
    credential: entry.id,
    target: { protocol: entry.protocol, host: entry.host, path: entry.path, username: entry.username },
    service: manifest.id,
    kind: kind.name,
    label,
    way,
    step: 'asked',
    beganAt: parts.clock.now(),
    before: listed && listed.length <= BEFORE_MAX ? listed.map(({ tokenId }) => tokenId) : undefined,
    holder,
  });
  const [namesake, another] = listed ?? [];
  const tokenId = entry.about?.tokenId ?? ownId ?? (another ? undefined : namesake?.tokenId);
  const isParked = await asideOf(turn, (old) =>
    book.keep('rotation-old', entry.id, { ...old, about: { ...old.about, tokenId } }),
  );
  if (!isParked) {
    await book.close(entry.id);
    return refused('not-found', 'rotate', 'the token is gone');
  }
  if (way === 'page') {
    await book.keep('rotation-new', entry.id, aside(turn, wish, pasted!, {}));
    return book.write({ ...rotation, step: 'made' });
  }
  return way === 'create' ? created(turn, wish, wanted, rotation) : traded(turn, wish, rotation);
}

async function created(turn: TurnOfHeld, wish: RotationWish, wanted: Wanted, rotation: Rotation) {
  const { parts, entry, book } = turn;
  const { heard, actor } = await askForToken(parts, wanted);
  if (!heard.ok) {
    // What may have been made is looked for now, and else when it is run again.
    const isUnsure = heard.failure !== undefined && mayHaveHappened('create', heard.failure);
    if (!isUnsure || (await settle(turn, rotation)) === undefined) await book.close(entry.id);
    return heard.reply;
  }
  return kept(turn, wish, rotation, heard, async () => {
    const isOld = heard.read.id !== undefined && heard.read.id === (await parkedId(turn));
    const undone = isOld
      ? 'nothing was revoked: it has the id of the old token'
      : await takeBack(parts, wanted, heard.read.id, actor);
    await book.close(entry.id).catch(() => {});
    return undone;
  });
}

/** Puts a new value beside the old one. Where that cannot be, `unkept` sees to what was made and says so. */
async function kept(
  turn: TurnOfHeld,
  wish: RotationWish,
  rotation: Rotation,
  heard: Extract<Heard, { ok: true }>,
  unkept: () => Promise<string>,
): Promise<Rotation | CredentialReply> {
  const { entry, manifest, book } = turn;
  try {
    const secret = givenToken(manifest, rotation.kind, heard, 'rotate');
    await book.keep('rotation-new', entry.id, aside(turn, wish, secret, heard.read));
  } catch (error) {
    const { message, status } = asFault(error);
    return { status, message: `${message}; ${await unkept()}` };
  } finally {
    disposeAll(heard.secrets);
  }
  return book.write({ ...rotation, step: 'made' });
}

async function traded(turn: TurnOfHeld, wish: RotationWish, rotation: Rotation): Promise<Rotation | CredentialReply> {
  const { parts, entry, manifest, book } = turn;
  const actor = traderOf(turn, wish.plan) ?? entry;
  const { about } = entry;
  const values: Values = {
    ...valuesFor(rotation.label, wish.plan.lifetime, parts.clock.now(), {}),
    ...(about?.tokenId !== undefined && { id: about.tokenId }),
  };
  const question = { manifest, operation: 'rotate', kind: wish.plan.kind.name, target: entry, values } as const;
  const heard = await call(parts, { ...question, as: actor });
  if (!heard.ok) {
    const isUnsure = heard.failure !== undefined && mayHaveHappened('rotate', heard.failure);
    if (!isUnsure) await book.close(entry.id);
    return heard.reply;
  }
  return kept(turn, wish, rotation, heard, async () => {
    const isAlive = await probeLife(parts, manifest, { as: entry });
    if (isAlive === undefined) return ways(entry);
    await book.close(entry.id);
    return isAlive
      ? 'the old token still works and stays'
      : 'the service has ended the old token: make a new one there';
  });
}

/** The id of the old token, as it was noted at the beginning. */
async function parkedId({ book, entry }: Turn): Promise<string | undefined> {
  return (await book.value('rotation-old', entry.id))?.about.tokenId;
}

/** Whose token asks for the trade: one that manages it; undefined: the one that is traded, where it may or no other is held. */
function traderOf({ parts, entry, manifest, as }: Turn, { kind }: Pick<RotationPlan, 'kind'>): Entry | undefined {
  const choice = callOf(manifest, 'rotate', kind);
  const itself = parts.credentials.entries.byId(entry.id);
  if (as) return as === itself ? undefined : as;
  if (choice.status === 'ok' && mayMake(choice.call, kind)) return undefined;
  const question = { manifest, operation: 'rotate', kind: kind.name, target: entry } as const;
  return actorFor(parts, question, undefined, itself);
}

/**
 * Finds out what became of a question whose answer nobody has kept. Answers undefined where things are as they were: what was
 * made meanwhile and nobody has is revoked. Else why they are not, or may not be.
 */
export async function settle(turn: Turn, rotation: Rotation): Promise<CredentialReply | undefined> {
  if (rotation.way === 'trade') return settleTrade(turn);
  return rotation.way === 'create' ? settleCreate(turn, rotation) : undefined;
}

/** A trade happened if the old one is dead. Whoever else may trade it does so again. */
async function settleTrade(turn: Turn): Promise<CredentialReply | undefined> {
  const { parts, entry, manifest, book } = turn;
  const kind = kindOfToken(manifest, entry);
  if (traderOf(turn, { kind })) return undefined;
  const old = await book.value('rotation-old', entry.id);
  const isAlive = old && (await probeLife(parts, manifest, bearerOf(entry, old)));
  if (isAlive === true || !old) return undefined;
  if (isAlive === undefined) {
    return refused('unavailable', 'rotate', `whether ${manifest.title} has traded the token could not be found out`);
  }
  await book.close(entry.id);
  const why = `${manifest.title} has ended the old token, and its answer with the new one was lost`;
  return refused('revoked', 'rotate', `${why}; make a new one: keyhold token create, or keyhold auth login`);
}

async function settleCreate(turn: Turn, rotation: Rotation): Promise<CredentialReply | undefined> {
  const { parts, manifest, entry, as } = turn;
  if (rotation.before === undefined) return undefined;
  const listed = await namesakes(turn, rotation.label, true);
  if (!Array.isArray(listed)) return listed;
  const held = await setInSlices(parts.credentials.entries.all(), ({ about }) => about?.tokenId);
  const isNew = ({ tokenId }: Namesake) => !rotation.before!.includes(tokenId) && !held.has(tokenId);
  const lost = listed.filter((one) => isNew(one) && mayBeMadeAt(rotation.beganAt, one.createdAt));
  const [one, another] = lost;
  if (!one) return undefined;
  const isLate = parts.clock.now() - rotation.beganAt > CLOCKS_APART;
  if (another || (isLate && isVague(one.createdAt))) {
    const ids = lost.map(({ tokenId }) => tokenId).join(', ');
    const count = another ? `${lost.length} new tokens` : 'a new token';
    const why = `${manifest.title} lists ${count} of that name, and nobody here can say who made ${another ? 'them' : 'it'}`;
    return refused('denied', 'rotate', `${why}; revoke what is nobody's: ${ids}`);
  }
  const values = { id: one.tokenId };
  const question = { manifest, operation: 'revoke', kind: rotation.kind, target: entry, values } as const;
  const heard = await call(parts, { ...question, as: actorFor(parts, question, as) });
  if (heard.ok) disposeAll(heard.secrets);
  return heard.ok || heard.cause?.outcome === 'done' ? undefined : heard.reply;
}

/** Whether a token that its service dates so may be what was asked for then. */
function mayBeMadeAt(asked: EpochSeconds, createdAt: EpochSeconds | undefined): boolean {
  if (createdAt === undefined) return true;
  const until = isVague(createdAt) ? createdAt + DAY : createdAt;
  return until >= asked - CLOCKS_APART && createdAt <= asked + CLOCKS_APART;
}

/** Of some tokens a service tells no date, or the day alone. */
function isVague(createdAt: EpochSeconds | undefined): boolean {
  return createdAt === undefined || createdAt % DAY === 0;
}

type Namesake = { readonly tokenId: string; readonly createdAt: EpochSeconds | undefined };

/** What the service lists under a name; undefined where it has no list. With `isNeeded` also why it did not answer. */
async function namesakes(turn: Turn, name: string): Promise<Namesake[] | undefined>;
async function namesakes(turn: Turn, name: string, isNeeded: true): Promise<Namesake[] | CredentialReply | undefined>;
async function namesakes(turn: Turn, name: string, isNeeded = false) {
  const { parts, manifest, entry, as } = turn;
  const kind = kindOfToken(manifest, entry);
  if (callOf(manifest, 'list', kind).status !== 'ok') return undefined;
  const listed = await listRemote(parts, manifest, { place: entry, kind: kind.name, as });
  if (!('remotes' in listed)) return isNeeded ? listed : undefined;
  return listed.remotes.flatMap(({ name: its, tokenId, createdAt }) =>
    its === name && tokenId ? [{ tokenId, createdAt }] : [],
  );
}

function wantedOf({ parts, entry, manifest, as }: TurnOfHeld, { plan, scopes, limit }: RotationWish): Wanted {
  const { kind, label, lifetime } = plan;
  const { about } = entry;
  return {
    manifest,
    kind,
    place: { protocol: entry.protocol, host: entry.host, path: entry.path },
    label,
    lifetime,
    warnings: [],
    as,
    values: valuesFor(label, lifetime, parts.clock.now(), {
      scopes: scopes ?? about?.scopes,
      limit,
      username: about?.account,
      tenant: about?.tenant,
    }),
  };
}

/** What lies beside: the value, and all that is known of it from now on. */
function aside({ parts, entry }: TurnOfHeld, { plan }: RotationWish, secret: Secret, read: Read) {
  const now = parts.clock.now();
  const { label, account, tenant } = entry.about ?? {};
  const known = {
    service: plan.manifest.id,
    kind: plan.kind.name,
    label,
    account,
    tenant,
    origin: 'rotated by keyhold',
  };
  const about = Object.fromEntries(
    Object.entries({ ...known, createdAt: Math.floor(now), ...aboutIn(read) }).filter(
      ([, value]) => value !== undefined,
    ),
  ) as About;
  const { seconds } = plan.lifetime;
  const wished = plan.way === 'page' && seconds !== undefined && Number.isFinite(seconds) ? now + seconds : undefined;
  return { secret, about, expiresAt: expiryIn(read, now) ?? wished };
}
