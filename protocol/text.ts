/**
 * Values on the wire are bytes. Here they are latin1 text, one character a byte, so that equal strings are equal bytes
 * and no two different values can meet in one replacement character.
 */

/** Human text as a wire value: its UTF-8 bytes. */
export function toWire(text: string): string {
  if (ASCII.test(text)) return text;
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** A wire value as human text; bytes that are not UTF-8 become U+FFFD. For display only, never for a key. */
export function fromWire(value: string): string {
  if (ASCII.test(value)) return value;
  return Buffer.from(value, 'latin1').toString('utf8');
}

/**
 * Text that is safe on a terminal and in a log: control characters, bidi marks and line separators become `\u{…}`, so
 * that a host or label cannot steer what shows it (CVE-2024-50349).
 */
export function printable(text: string): string {
  // Nearly all text is this, and a look is cheaper than a search for what is not there.
  if (HARMLESS.test(text)) return text;
  return text.replace(STEERING, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** What could steer a terminal: control characters, marks of direction and of nothing, line separators, tags. */
const STEERING =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** Text that is its own wire value: nearly all of it, and looking costs less than two copies. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are ASCII, too
const ASCII = /^[\u0000-\u007f]*$/;
const HARMLESS = /^[ -~]*$/;
const HARMLESS_JSON = /^[ -~\n]*$/;

/** `printable` for a wire value. */
export function printableWire(value: string): string {
  return printable(fromWire(value));
}

/** JSON in which what could steer a terminal is escaped: JSON.stringify leaves most of it as it is. */
export function inert(json: string): string {
  if (HARMLESS_JSON.test(json)) return json;
  return json.replace(STEERING, (character) => {
    // In a string it is escaped already, and between two values it is white space.
    if (character < ' ') return character;
    // Beyond U+FFFF JSON has two escapes for one character.
    const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  });
}
