import type { Command } from 'commander';
import { aboutAttributes } from '../../../protocol/about.ts';
import type { Target } from '../../../protocol/credential.ts';
import type { Standing } from '../../../protocol/handler.ts';
import { expose, heapSecret, type Secret } from '../../../protocol/secret.ts';
import { checkFormat, type Kind, kindOf, type Manifest, secondsOf } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { printable, toWire } from '../../../protocol/text.ts';
import { ask, withAgent } from '../agent.ts';
import { confirm } from '../confirm.ts';
import { CommandFailure } from '../failure.ts';
import { remark, show } from '../page.ts';
import { addSecretOptions, isPiped, readSecretOrStdin, type SecretOptions } from '../secret-input.ts';
import { localTime } from '../status.ts';
import { targetDocument, urlOf } from '../target.ts';
import { hasPerson } from '../terminal.ts';
import { addTarget, addVerb } from '../verb.ts';
import { matches, spoken, type TokenItem, targetOfItem, tokenItems } from './item.ts';
import { type PlaceOptions, placeOf } from './place.ts';
import { refuseLabel } from './rename.ts';
import { resolveToken } from './resolve.ts';
import { SERVICE_DEADLINE } from './service-place.ts';
import { type Stranger, verify } from './verify.ts';

/** Seconds for which a kind that may not rest is held where its manifest does not say. */
const MEMORY_ONLY = 3_600;

type SetOptions = PlaceOptions &
  SecretOptions & {
    readonly held?: string;
    readonly kind?: string;
    readonly label?: string;
    readonly account?: string;
    readonly origin?: string;
    readonly id?: string;
    readonly force?: boolean;
    /** False by `--no-verify`. */
    readonly verify?: boolean;
    readonly yes?: boolean;
  };

/** `keyhold token set`: looks where it is for, checks its form, asks before it replaces one, and keeps it. */
export function addSet(token: Command): void {
  addSecretOptions(addTarget(addVerb(token, 'set', 'keep a token (hidden prompt, or standard input)')), 'the token')
    .option('--service <name>', 'the service that it is for; else found by --for or in this folder')
    .option('--kind <name>', 'of this kind of the service')
    .option('--label <text>', 'what to call it')
    .option('--account <name>', 'who it stands for at the service')
    .option('--origin <text>', 'where it came from: an administrator, a page, a colleague')
    .option('--id <id>', "the service's own id of it, by which its service ends it")
    .option('--held <token>', 'note these of a token that is held, whose value stays')
    .option('--force', 'keep it although its form is not the usual one, or it was revoked')
    .option('--no-verify', 'keep it without asking the service whether it takes it')
    .option('--yes', 'replace one without asking')
    .action(set);
}

async function set(options: SetOptions): Promise<void> {
  const { label, origin, account, force, json } = options;
  if (label !== undefined) refuseLabel(label);
  if (options.held !== undefined) return noteHeld(options.held, options);
  const { target: place, manifest, from } = placeOf(options);
  const kind = options.kind === undefined ? undefined : kindNamed(options.kind, manifest);
  // Who it stands for tells two of one host apart; a label does so by itself.
  const username = place.username ?? (label === undefined && account !== undefined ? toWire(account) : undefined);
  const target = { ...place, username };
  if (from !== undefined) remark(`keyhold: for ${urlOf(target)} (${manifest?.title}), as ${from} says`);
  const what = `the token for ${urlOf(target)}`;
  // The token first, then whether it replaces one: a token that is pasted out of habit must not answer the question.
  const checked = checkSecret(await readSecretOrStdin(options, what), manifest, kind?.name, what, force);
  let before: TokenItem | undefined;
  let unverified: string | undefined;
  let tokenId = options.id;
  try {
    if (manifest) {
      const stranger = { manifest, target, kind: checked.kind?.name, secret: checked.secret };
      const learnt = await verified(stranger, options);
      unverified = learnt.unverified;
      tokenId ??= learnt.tokenId;
    }
    const held = await withAgent(tokenItems);
    before = replaced(held, target, label);
    if (before) await mayReplace(before, hasPerson(options.input) && !isPiped(options), options);
    const about = { service: manifest?.id, kind: kind?.name, label, origin, account, tokenId };
    const said = {
      ...Object.fromEntries(Object.entries(about).filter(([, value]) => value !== undefined)),
      // Empty takes away what was noted of the same value before.
      ...(manifest && { unverified }),
    };
    const timeout = checked.kind?.memoryOnly ? lifeOf(checked.kind) : undefined;
    const { secret, expiresAt } = checked;
    // What the question was about: what is stored between it and the answer stays.
    const onlyOver = standingOf(before, held, target, label);
    const kept = { target, secret, expiresAt, timeout, force, about: said, made: 'set', onlyOver } as const;
    await withAgent((agent) => ask(agent, 'store', kept));
  } finally {
    checked.secret.dispose();
  }
  const stored = { ...targetDocument(target), service: manifest?.id, kind: checked.kind?.name, label };
  show(json, { stored, updated: before !== undefined, expiresAt: checked.expiresAt }, (page) => {
    const who = named(target, label);
    page.line(before ? `Updated the token for ${who}.` : `Stored a token for ${who}.`);
    const facts = [
      manifest && `${manifest.title}: ${checked.kind?.title ?? checked.kind?.name ?? 'of unknown form'}`,
      checked.expiresAt !== undefined && `expires ${localTime(checked.expiresAt)}`,
      checked.kind?.memoryOnly && 'held in memory only',
      checked.trimmed && 'white space at its ends was left out',
      unverified !== undefined && 'not verified',
    ].filter((fact) => typeof fact === 'string');
    if (facts.length > 0) page.line(`${facts.join('; ')}.`);
  });
}

/** Notes what the options say of a token that is held. No value is read, and nothing else changes. */
async function noteHeld(word: string, options: SetOptions): Promise<void> {
  const { service, kind, label, origin, account, id } = options;
  if (options.for !== undefined || options.username !== undefined || options.stdin || options.fd !== undefined) {
    const why = '--held means a token that is there, so --for, --username, --stdin and --fd mean nothing with it';
    throw new CommandFailure(exitCodeOf('bad-request'), `cannot note it: ${why}`);
  }
  const said = { service, kind, label, origin, account, tokenId: id };
  const change = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  if (Object.keys(change).length === 0) {
    const why = 'say what is to be noted: --id, --label, --account, --origin, --kind or --service';
    throw new CommandFailure(exitCodeOf('bad-request'), `cannot note it: ${why}`);
  }
  const item = await withAgent(async (agent) => {
    const found = resolveToken(word, await tokenItems(agent));
    await ask(agent, 'annotate', { attributes: { id: found.id, ...Object.fromEntries(aboutAttributes(change)) } });
    return found;
  });
  const stored = { ...targetDocument(targetOfItem(item)), service: service ?? item.service, kind: kind ?? item.kind };
  show(options.json, { stored: { ...stored, label: label ?? item.label }, updated: true }, (page) =>
    page.line(`Noted of ${spoken(item)}; its value is the same.`),
  );
}

/**
 * Asks the service before anything is replaced: only a token that it refuses for certain is not kept. Answers why the service has
 * not confirmed it, absent where it has or has no call for that; and its own id of the token, where it tells that.
 */
async function verified(
  stranger: Stranger,
  { verify: isWanted, force }: SetOptions,
): Promise<{ readonly unverified?: string; readonly tokenId?: string | undefined }> {
  if (isWanted === false) return { unverified: 'it was kept with --no-verify' };
  if (force) return { unverified: 'it was kept with --force' };
  const verdict = await withAgent((agent) => verify(agent, stranger), SERVICE_DEADLINE);
  if (verdict.status === 'refused') {
    const why = `${verdict.message}; nothing was changed (--no-verify keeps it all the same)`;
    throw new CommandFailure(verdict.exitCode, why);
  }
  if (verdict.status !== 'unknown') return 'tokenId' in verdict ? { tokenId: verdict.tokenId } : {};
  remark(`keyhold: not verified: ${verdict.message}`);
  return { unverified: `${stranger.manifest.title} could not be asked when it was stored` };
}

function kindNamed(name: string, manifest: Manifest | undefined): Kind {
  const found = manifest && kindOf(manifest, name);
  if (found) return found;
  const why = manifest
    ? `${manifest.title} has ${manifest.kinds.map((kind) => kind.name).join(', ')}`
    : 'no service is known for this place; name it by --service';
  throw new CommandFailure(exitCodeOf('bad-request'), printable(`cannot keep a token of kind "${name}": ${why}`));
}

/**
 * What a store may replace, as `if_stored_at` says it. Undefined where several have that label: which of them the agent takes is
 * not known here.
 */
export function standingOf(
  before: TokenItem | undefined,
  held: readonly TokenItem[],
  target: Target,
  label: string | undefined,
): Standing | undefined {
  const isByLabel = label !== undefined && target.username === undefined;
  const namesakes = isByLabel ? held.filter((item) => item.label === label && matches(item, target)) : [];
  return namesakes.length > 1 ? undefined : { storedAt: before?.storedAt ?? 0 };
}

/** What stands where the token would go. */
function replaced(held: readonly TokenItem[], target: Target, label: string | undefined): TokenItem | undefined {
  const there = held.filter(
    (item) => item.front === undefined && matches(item, target) && toWire(item.path ?? '') === (target.path ?? ''),
  );
  if (target.username !== undefined) return there[0];
  if (label !== undefined)
    return there.find((item) => item.label === label) ?? there.find((item) => item.username === label);
  return there.find((item) => item.username === undefined);
}

/** Asks whom it can ask; a script hears of it and goes on. */
async function mayReplace(before: TokenItem, mayAsk: boolean, options: SetOptions): Promise<void> {
  const what = `${spoken(before)}, kept since ${localTime(before.storedAt).slice(0, 10)}`;
  if (options.yes) return;
  if (mayAsk) await confirm(`Replace ${what}?`, options);
  else remark(`keyhold: this replaces ${what}`);
}

export type CheckedSecret = {
  /** The caller's to dispose of. */
  readonly secret: Secret;
  readonly kind?: Kind | undefined;
  readonly expiresAt?: number | undefined;
  readonly trimmed?: boolean;
};

/** Takes the secret over. Throws a `CommandFailure` with 2, in which nothing of it stands, where it has not the service's form. */
export function checkSecret(
  given: Secret,
  manifest: Manifest | undefined,
  kindName: string | undefined,
  what: string,
  force: boolean | undefined,
): CheckedSecret {
  if (!manifest) return { secret: given };
  const bytes = expose(given);
  try {
    const checked = checkFormat(manifest, bytes, kindName);
    if (checked.status === 'unfit') {
      if (force) return { secret: heapSecret(bytes), kind: undefined };
      throw new CommandFailure(
        exitCodeOf('bad-request'),
        printable(`cannot take ${what}: ${checked.why}; nothing was changed (--force keeps it all the same)`),
      );
    }
    const { kind, value, canonical, expiresAt, trimmed } = checked;
    const secret = heapSecret(value);
    for (const memory of [value, canonical]) memory.fill(0);
    return { secret, kind, expiresAt, trimmed };
  } finally {
    bytes.fill(0);
    given.dispose();
  }
}

function lifeOf({ lifetimes }: Kind): number {
  const seconds = secondsOf(lifetimes?.default ?? lifetimes?.max ?? '');
  return seconds === undefined || seconds === Number.POSITIVE_INFINITY ? MEMORY_ONLY : seconds;
}

function named(target: Target, label: string | undefined): string {
  const { username } = targetDocument(target);
  if (label !== undefined) return `${urlOf(target)}, label ${label}`;
  return `${urlOf(target)}${username === undefined ? '' : `, username ${username}`}`;
}
