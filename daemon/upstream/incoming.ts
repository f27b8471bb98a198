import { SECRET_MAX } from '../../protocol/limits.ts';
import type { Secret } from '../../protocol/secret.ts';
import { checkFormat, type Manifest, type Read } from '../../protocol/services/index.ts';
import { withBytes } from '../backends/secrets.ts';
import type { SecretName } from './plan.ts';

/**
 * What may be taken over from a service's answer. Everything that a service gives passes here before anything else sees it: a
 * value that cannot be kept must never take the place of one that works, and an id that is not whole names another token.
 */

/** Characters of a text that identifies something; as many as an attribute of the wire takes. */
const ID_MAX = 256;
/** Characters of a text that is only shown, and members of a list. */
const TEXT_MAX = 1_024;
const LIST_MAX = 128;
/** What stands in the place of a secret that an answer gives back, and how short a secret is looked for. */
const MASK = '[token]';
const MASKED_MIN = 6;

/** Texts that name a token, a user or a tenant. Part of one would name another. */
const identifying: ReadonlySet<string> = new Set(['id', 'tokenId', 'user', 'account', 'tenant']);
const secretFields: ReadonlySet<string> = new Set(['value', 'refreshToken', 'challenge']);

/**
 * Why a secret cannot be kept, in words that fit behind "it answered a token that cannot be kept: "; undefined where it can.
 * Nothing of the secret is in them.
 */
export function whyUnfitSecret(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return 'it is empty';
  if (bytes.length > SECRET_MAX) return `it has ${bytes.length} bytes, and at most ${SECRET_MAX} can be kept`;
  const control = bytes.find(isControl);
  return control === undefined
    ? undefined
    : `it holds a control character (0x${control.toString(16).padStart(2, '0')})`;
}

/** The secrets of an answer that can be kept, and why the others cannot. Those are disposed of. */
export function siftSecrets(secrets: ReadonlyMap<SecretName, Secret>): {
  readonly secrets: ReadonlyMap<SecretName, Secret>;
  readonly unfit: ReadonlyMap<SecretName, string>;
} {
  const kept = new Map<SecretName, Secret>();
  const unfit = new Map<SecretName, string>();
  for (const [name, secret] of secrets) {
    const why = withBytes(secret, whyUnfitSecret);
    if (why === undefined) kept.set(name, secret);
    else {
      unfit.set(name, why);
      secret.dispose();
    }
  }
  return { secrets: kept, unfit };
}

/** Why a value is none of a kind; undefined where it is, or where the service has no such kind. */
export function whyUnfitForm(manifest: Manifest, bytes: Uint8Array, kind: string | undefined): string | undefined {
  const isKnown = kind !== undefined && manifest.kinds.some(({ name }) => name === kind);
  const checked = checkFormat(manifest, bytes, isKnown ? kind : undefined);
  if (checked.status === 'unfit') return checked.why;
  checked.canonical.fill(0);
  checked.value.fill(0);
  return checked.trimmed ? 'it has white space at its ends' : undefined;
}

/**
 * Texts, numbers, truths and lists of texts of an answer, without its secrets. A text that identifies something is taken whole or
 * not at all; any other is cut where it is longer than a person would read. A secret of `sent`, what the call was made with, that
 * the service gives back in such a text is masked.
 */
export function readable(read: Read, sent: readonly string[] = []): Read {
  const secrets = sent.filter((secret) => secret.length >= MASKED_MIN);
  const masked = (text: string) => secrets.reduce((rest, secret) => rest.replaceAll(secret, MASK), text);
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(read)) {
    if (secretFields.has(name)) continue;
    if (identifying.has(name)) {
      const text = identifierIn(value);
      if (text !== undefined && masked(text) === text) kept[name] = text;
    } else if (typeof value === 'string') kept[name] = masked(value).slice(0, TEXT_MAX);
    else if (typeof value === 'number' || typeof value === 'boolean') kept[name] = value;
    else if (Array.isArray(value)) {
      // Part of a scope would be another scope.
      const whole = value.filter((one) => typeof one === 'string' && isWhole(one)).slice(0, LIST_MAX);
      kept[name] = whole.map(masked);
    }
  }
  return kept;
}

/** Why the id of an answer was left out; undefined where it has none, or a good one. */
export function whyUnfitId({ id }: Read): string | undefined {
  if (id === undefined || id === null || identifierIn(id) !== undefined) return undefined;
  if (typeof id === 'number') return 'its id is a number that JSON does not carry exactly';
  if (typeof id !== 'string' || id === '') return 'its id is no text';
  return id.length > ID_MAX ? `its id is longer than ${ID_MAX} characters` : 'its id holds a control character';
}

/** A number beyond 2^53 has lost its last digits on the way through JSON. */
function identifierIn(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  return typeof value === 'string' && value !== '' && isWhole(value) ? value : undefined;
}

function isWhole(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be in it
  return text.length <= ID_MAX && !/[\u0000-\u001f\u007f-\u009f]/.test(text);
}

function isControl(byte: number): boolean {
  return byte < 0x20 || byte === 0x7f;
}
