import { asFault, KeyholdError } from './errors.ts';
import { LINE_MAX, LINES_MAX } from './limits.ts';
import type { Secret, SecretKeeper } from './secret.ts';
import { isControl } from './writer.ts';

const LF = 0x0a;
const EQUALS = 0x3d;
const CLOSING = 0x5d;

/** Attributes whose value never becomes text. */
const secretKeys: ReadonlySet<string> = new Set([
  'password',
  'credential',
  'oauth_refresh_token',
  'passphrase',
  'new_passphrase',
  'code',
]);

/** The one list whose values may be empty: a program's argument may be. */
const ARGUMENTS = 'argument[]';

function isSecretKey(key: string): boolean {
  return secretKeys.has(key);
}

/**
 * The attributes of one message, in the order they came. `key[]` collects into a list, and an empty value clears what
 * the list held (git-credential(1)), but for `argument[]`; every other key stands once.
 */
export class Attributes {
  readonly #values = new Map<string, string | Secret | string[]>();

  text(key: string): string | undefined {
    const value = this.#values.get(key);
    return typeof value === 'string' ? value : undefined;
  }

  secret(key: string): Secret | undefined {
    const value = this.#values.get(key);
    return typeof value === 'object' && !Array.isArray(value) ? value : undefined;
  }

  list(key: string): readonly string[] {
    const value = this.#values.get(key);
    return Array.isArray(value) ? value : [];
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  keys(): Iterable<string> {
    return this.#values.keys();
  }

  /** False if the key stood already and may stand only once. */
  add(key: string, value: string | Secret): boolean {
    if (!key.endsWith('[]')) {
      if (this.#values.has(key)) return false;
      this.#values.set(key, value);
      return true;
    }
    const list = this.#values.get(key);
    const clears = value === '' && key !== ARGUMENTS;
    if (!Array.isArray(list)) this.#values.set(key, clears ? [] : [String(value)]);
    else if (clears) list.length = 0;
    else list.push(String(value));
    return true;
  }

  /** Wipes the secrets among the values. */
  dispose(): void {
    for (const value of this.#values.values()) if (typeof value === 'object' && !Array.isArray(value)) value.dispose();
  }
}

/** Attributes read, and the first thing that was wrong with them, if anything was. */
export type ReadAttributes = { readonly attributes: Attributes; readonly fault: KeyholdError | undefined };

/**
 * Reads the lines of `bytes[start, end)`, which hold no empty line. It reads to the end even when a line is wrong, so
 * that the answer can be given in the way that the caller's capabilities ask for. Lines end at LF and nowhere else. It
 * never throws; what `keep` throws is the fault. PROTOCOL.md §2; git-credential(1), IOFMT.
 */
export function readAttributes(
  bytes: Buffer,
  start: number,
  end: number,
  keep: SecretKeeper,
  linesMax = LINES_MAX,
): ReadAttributes {
  const reading = new Reading();
  for (let at = start; at < end; ) {
    const lineStart = at;
    let equals = -1;
    let control = false;
    let text: string | undefined;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === LF) break;
      if (byte === EQUALS && equals < 0) {
        equals = at;
        // A list's value is text in any case; a secret's must never be.
        if (end - at > LONG && bytes[at - 1] === CLOSING) {
          text = longText(bytes, at + 1, end);
          if (text !== undefined) at += text.length;
        }
      } else if (isControl(byte)) control = true;
    }
    const lineEnd = at++;

    reading.lines++;
    if (reading.lines > linesMax) {
      reading.wrong(`is more than the ${linesMax} lines that a request may have`);
      break;
    }
    if (lineEnd - lineStart >= LINE_MAX) reading.wrong(`is longer than ${LINE_MAX} bytes`);
    else if (control) reading.wrong('holds a control byte');
    else if (equals < 0) reading.wrong('has no "="');
    else if (!isKey(bytes, lineStart, equals)) reading.wrong('has no proper name before its "="');
    else reading.take(bytes, lineStart, equals, lineEnd, keep, text);
  }
  return reading;
}

/** Bytes of a message from which on looking for a long line costs less than going through it. */
const LONG = 8_192;
/** Characters that make it worth it. */
const LONG_LINE = 1_024;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
const CONTROL = /[\u0000-\u001f\u007f]/;

/** The rest of the line from `at` on, if it is long and without a control byte. */
function longText(bytes: Buffer, at: number, end: number): string | undefined {
  const found = bytes.indexOf(LF, at);
  const lineEnd = found < 0 || found > end ? end : found;
  if (lineEnd - at < LONG_LINE) return undefined;
  const text = bytes.toString('latin1', at, lineEnd);
  return CONTROL.test(text) ? undefined : text;
}

/** A message while it is read. Methods and not closures, which would outlive the small collections (connection.ts). */
class Reading implements ReadAttributes {
  readonly attributes = new Attributes();
  fault: KeyholdError | undefined;
  lines = 0;

  wrong(rule: string): void {
    this.fault ??= new KeyholdError('bad_request', `cannot read the request: line ${this.lines} ${rule}`);
  }

  /** Takes a line that is well formed; `text` is what stands behind its "=", where that is known already. */
  take(bytes: Buffer, start: number, equals: number, end: number, keep: SecretKeeper, text?: string): void {
    const key = nameIn(bytes, start, equals);
    if (!isSecretKey(key)) {
      if (!this.attributes.add(key, text ?? bytes.toString('latin1', equals + 1, end))) this.#twice();
      return;
    }
    try {
      const secret = keep(bytes.subarray(equals + 1, end));
      if (this.attributes.add(key, secret)) return;
      secret.dispose();
      this.#twice();
    } catch (error) {
      this.fault ??= asFault(error);
    }
  }

  /** Not told which: a secret on a line of its own may look like a name. */
  #twice(): void {
    this.wrong('gives a name a second time');
  }
}

/** Names that nearly every message has: found by their bytes, so that their text is not made anew each time. */
const familiar: readonly (readonly string[])[] = [
  'action',
  'argument[]',
  'capability[]',
  'cwd',
  'host',
  'name',
  'password',
  'path',
  'protocol',
  'timeout',
  'username',
  'version',
  'wwwauth[]',
].reduce<string[][]>((byLength, name) => {
  byLength[name.length] = [...(byLength[name.length] ?? []), name];
  return byLength;
}, []);

function nameIn(bytes: Buffer, start: number, end: number): string {
  const candidates = familiar[end - start];
  if (candidates !== undefined) {
    for (const name of candidates) if (standsAt(bytes, start, name)) return name;
  }
  return bytes.toString('latin1', start, end);
}

function standsAt(bytes: Buffer, start: number, name: string): boolean {
  for (let at = 0; at < name.length; at++) if (bytes[start + at] !== name.charCodeAt(at)) return false;
  return true;
}

const KEY = /^[A-Za-z0-9._-]+(\[\])?$/;

/** What `isKey` is for bytes, for a text. */
export function isKeyText(key: string): boolean {
  return KEY.test(key);
}

/** Letters, digits, `_`, `-`, `.`, and one `[]` at the end: nothing that could be mistaken for another key. */
function isKey(bytes: Buffer, start: number, end: number): boolean {
  const isList = end - start > 2 && bytes[end - 1] === 0x5d && bytes[end - 2] === 0x5b;
  const nameEnd = isList ? end - 2 : end;
  for (let at = start; at < nameEnd; at++) {
    const byte = bytes[at]!;
    const isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
    const isDigit = byte >= 0x30 && byte <= 0x39;
    if (!isLetter && !isDigit && byte !== 0x5f && byte !== 0x2d && byte !== 0x2e) return false;
  }
  return nameEnd > start;
}
