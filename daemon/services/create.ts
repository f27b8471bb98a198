import type { Target } from '../../protocol/credential.ts';
import { asFault } from '../../protocol/errors.ts';
import type { CredentialReply, Refusal, Standing } from '../../protocol/handler.ts';
import {
  callOf,
  checkName,
  type Kind,
  kindOf,
  type Lifetime,
  lifetimeOf,
  type Manifest,
  type Values,
} from '../../protocol/services/index.ts';
import { fromWire } from '../../protocol/text.ts';
import { entryById } from '../credentials/entry-by-id.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import { heldItem } from '../credentials/held-item.ts';
import { slotOf } from '../credentials/slot.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { type ActorParts, actorFor, heldAt } from './actor.ts';
import { item, told } from './asking.ts';
import { type CallParts, call, disposeAll } from './call.ts';
import { givenToken } from './given.ts';
import { type KeepParts, keepGiven } from './keep.ts';
import { fullReply } from './limit.ts';
import { refused } from './outcomes.ts';
import { type KnownServices, serviceAt } from './which-service.ts';

/** What making a token needs. */
export type CreateParts = CallParts &
  ActorParts &
  KeepParts &
  KnownServices & { readonly credentials: Pick<CredentialStore, 'lifecycle'> };

/** What a person asks for. Texts are text for people; `as` is the id of the credential that makes the call. */
export type CreateRequest = {
  readonly place: Target;
  readonly service: string | undefined;
  readonly kind: string | undefined;
  readonly label: string;
  readonly expiresIn: string | undefined;
  readonly scopes: readonly string[] | undefined;
  readonly limit: string | undefined;
  readonly account: string | undefined;
  readonly tenant: string | undefined;
  readonly as: string | undefined;
  /** Only tell whether and how it could be done. */
  readonly isCheck: boolean;
};

/** What is wanted of a new token, checked as far as it can be without asking the service. */
export type Wanted = {
  readonly manifest: Manifest;
  readonly kind: Kind;
  readonly place: Target;
  readonly label: string;
  readonly lifetime: Extract<Lifetime, { status: 'ok' }>;
  readonly values: Values;
  /** What somebody should know before going on. */
  readonly warnings: readonly string[];
  readonly as?: Entry | undefined;
};

/**
 * Makes a token at its service and keeps it. Name, lifetime and the number of tokens are checked first; with `check=1` nothing
 * else is done, and `way` says how it would be made: by a `call`, or on a `page`.
 */
export async function create(parts: CreateParts, asked: CreateRequest): Promise<CredentialReply> {
  const { place, label, account, tenant, scopes, limit } = asked;
  await parts.credentials.lifecycle.ready();
  const manifest = serviceAt(parts, place, asked.service);
  const kind = kindOf(manifest, asked.kind);
  if (!kind) {
    const names = manifest.kinds.map(({ name }) => name).join(', ');
    return refused('bad-request', 'create', `${manifest.title} has no such kind; it has ${names}`);
  }
  const checked = checkWish(manifest, kind, label, asked.expiresIn);
  if ('refusal' in checked) return checked.refusal;
  const as =
    asked.as === undefined ? undefined : entryById(parts.credentials.entries, asked.as, 'find the token', 'as');
  const wanted: Wanted = {
    manifest,
    kind,
    place,
    label,
    lifetime: checked.lifetime,
    warnings: checked.warnings,
    as,
    values: valuesFor(label, checked.lifetime, parts.clock.now(), {
      scopes,
      limit,
      username: account,
      tenant,
    }),
  };
  const taken = takenReply(parts, place, label);
  if (taken) return taken;
  // The service takes its time: what is stored under that name meanwhile is newer, and stays.
  const seen = { storedAt: namesakeAt(parts, place, label)?.storedAt ?? 0 };
  const choice = callOf(manifest, 'create', kind);
  const full = await fullReply(parts, wanted, choice.status === 'ok');
  if (full) return full;
  const way = choice.status === 'ok' ? 'call' : 'page';
  if (asked.isCheck) {
    const why = choice.status === 'ok' ? undefined : choice.why;
    const page = manifest.urls?.create ?? manifest.urls?.dashboard;
    const warned = checked.warnings.flatMap((warning) => told('warning[]', warning));
    return {
      status: 'ok',
      details: [['way', way], ...told('why', why), ...told('page', page), ...told('kind', kind.name), ...warned],
    };
  }
  if (choice.status !== 'ok') return refused('unsupported', 'create', choice.why);
  const made = await make(parts, wanted, seen);
  if ('refusal' in made) return made.refusal;
  const { entry } = made;
  return {
    status: 'ok',
    ids: [entry.id],
    details: [
      item(heldItem(entry)),
      ...[...checked.warnings, ...made.warnings].flatMap((warning) => told('warning[]', warning)),
    ],
  };
}

/** Has the service make a token: what it answered, and who asked. The secrets in it are the caller's to dispose of. */
export async function askForToken(parts: CallParts & ActorParts, wanted: Wanted) {
  const { manifest, kind, place, values } = wanted;
  const question = { manifest, operation: 'create', kind: kind.name, target: place, values } as const;
  const actor = actorFor(parts, question, wanted.as);
  const tenant = values.tenant ?? actor?.about?.tenant;
  const username = values.username ?? actor?.about?.account ?? (actor?.username && fromWire(actor.username));
  const whole = { ...values, ...(tenant && { tenant }), ...(username && { username }) };
  return { heard: await call(parts, { ...question, values: whole, as: actor }), actor, tenant };
}

/**
 * Makes a token and keeps it where what was seen before still stands; what could not be kept is revoked again, as far as that can
 * be done.
 */
async function make(
  parts: CallParts & ActorParts & KeepParts,
  wanted: Wanted,
  onlyOver: Standing,
): Promise<{ readonly entry: Entry; readonly warnings: readonly string[] } | { readonly refusal: CredentialReply }> {
  const { manifest, kind, place, label } = wanted;
  const { heard, actor, tenant } = await askForToken(parts, wanted);
  if (!heard.ok) return { refusal: heard.reply };
  try {
    const secret = givenToken(manifest, kind.name, heard, 'create');
    const about = {
      label,
      kind: kind.name,
      origin: 'created with keyhold',
      ...(typeof tenant === 'string' && { tenant }),
    };
    const target = { protocol: place.protocol, host: place.host, path: place.path };
    const given = { target, secret, read: heard.read, about, made: 'created', onlyOver } as const;
    const entry = await keepGiven(parts, manifest, given);
    return { entry, warnings: heard.unfitId === undefined ? [] : [noIdWarning(manifest, heard.unfitId)] };
  } catch (error) {
    const { message, status } = asFault(error);
    const undone = await takeBack(parts, wanted, heard.read.id, actor);
    return { refusal: { status, message: `${message}; ${undone}` } };
  } finally {
    disposeAll(heard.secrets);
  }
}

function noIdWarning({ title }: Manifest, why: string): string {
  return `${title} gave the token an id that cannot be used (${why}); it is revoked by its name, or on the service's page`;
}

/** Takes back what was made and cannot be kept. */
export async function takeBack(
  parts: CallParts,
  { manifest, kind, place }: Pick<Wanted, 'manifest' | 'kind' | 'place'>,
  id: unknown,
  actor: Entry | undefined,
): Promise<string> {
  if (typeof id !== 'string') return 'the new token lives on at the service: revoke it there';
  // A service that answers an id which it gave out before means that token, too.
  const isHeld = heldAt(parts, manifest, place).some(({ about }) => about?.tokenId === id);
  if (isHeld) return `nothing was revoked: ${manifest.title} gave it the id of a token that is held (${id})`;
  const target = { protocol: place.protocol, host: place.host };
  const heard = await call(parts, {
    manifest,
    operation: 'revoke',
    kind: kind.name,
    target,
    values: { id },
    as: actor,
  }).catch(() => undefined);
  return heard?.ok
    ? 'the new token was revoked again'
    : `the new token lives on at the service: revoke it there (${id})`;
}

/**
 * Why a new token of that name cannot be kept: another one stands in its place, whose value would be gone here and alive at the
 * service. One that has expired may be replaced.
 */
function takenReply(
  parts: Pick<ActorParts, 'credentials' | 'clock'>,
  place: Target,
  label: string,
): CredentialReply | undefined {
  const { clock } = parts;
  const before = namesakeAt(parts, place, label);
  if (!before || (before.expiresAt !== undefined && before.expiresAt <= clock.now())) return undefined;
  const isNamesake = before.about?.label === label;
  return refused(
    'bad-request',
    'create',
    isNamesake
      ? `a token named ${label} is held already; choose another name, or put a new one in its place: keyhold token rotate ${before.id}`
      : `the token of the account ${label} is held under that name; choose another name`,
  );
}

/** What stands where a new token of that name would be kept. */
function namesakeAt(
  { credentials }: Pick<ActorParts, 'credentials'>,
  { protocol, host, path }: Target,
  label: string,
): Entry | undefined {
  return credentials.entries.at(slotOf(credentials.entries, { target: { protocol, host, path }, about: { label } }));
}

function checkWish(
  manifest: Manifest,
  kind: Kind,
  label: string,
  asked: string | undefined,
): { readonly refusal: Refusal } | Pick<Wanted, 'lifetime' | 'warnings'> {
  const name = checkName(manifest, label);
  if (name.status === 'unfit') {
    const hint = name.proposal === undefined ? '' : `; try: ${name.proposal}`;
    return {
      refusal: refused(
        'bad-request',
        'create',
        `${name.why.replace(/^cannot take this name: /, 'the name does not fit: ')}${hint}`,
      ),
    };
  }
  const lifetime = lifetimeOf(manifest, kind, asked);
  if (lifetime.status !== 'ok')
    return { refusal: refused('bad-request', 'create', lifetime.why.replace(/^cannot /, 'it cannot ')) };
  const poor = name.status === 'poor' ? [`the name is a poor one: ${name.why}; better: ${name.proposal}`] : [];
  return { lifetime, warnings: [...poor, ...(lifetime.warning === undefined ? [] : [lifetime.warning])] };
}

/** What a call may need to know of a new token. */
export function valuesFor(
  name: string,
  { duration, seconds }: Wanted['lifetime'],
  now: number,
  more: { readonly [Name in 'scopes' | 'limit' | 'username' | 'tenant']?: Values[Name] | undefined },
): Values {
  const finite = seconds !== undefined && Number.isFinite(seconds) ? seconds : undefined;
  const lifetime =
    finite === undefined
      ? {}
      : {
          'lifetime.days': Math.ceil(finite / 86_400),
          'lifetime.hours': Math.ceil(finite / 3_600),
          'lifetime.seconds': finite,
          expiresAt: new Date((now + finite) * 1_000).toISOString().slice(0, 10),
        };
  const known = { name, ...lifetime, ...(duration !== undefined && { lifetime: duration }), ...more };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)) as Values;
}
