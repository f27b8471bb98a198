import { KeyholdError } from '../errors.ts';
import { fromWire } from '../text.ts';
import type { AttributesNamed } from './attribute-names.ts';

/** Most characters of one text that a person gives: a reason, a name, a scope. */
export const TEXT_MAX = 256;

/** The text of an attribute; undefined where it is absent or empty. Throws `bad_request` for what is no text of that length. */
export function textIn<Key extends string>(
  attributes: AttributesNamed<Key>,
  key: Key,
  max = TEXT_MAX,
): string | undefined {
  const value = attributes.text(key);
  if (value === undefined || value === '') return undefined;
  const text = fromWire(value);
  if (text.includes('\ufffd') || text.length > max) {
    throw new KeyholdError('bad_request', `cannot read ${key}: it is not UTF-8 of at most ${max} characters`);
  }
  return text;
}

/** The texts of an attribute, separated by spaces. */
export function wordsIn<Key extends string>(
  attributes: AttributesNamed<Key>,
  key: Key,
  max = TEXT_MAX,
): readonly string[] | undefined {
  return textIn(attributes, key, max)
    ?.split(' ')
    .filter((word) => word !== '');
}

/** Whether an attribute is 1. */
export function isSet<Key extends string>(attributes: AttributesNamed<Key>, key: Key): boolean {
  return attributes.text(key) === '1';
}

/** The whole number of an attribute, of at most 15 digits. Throws `bad_request` for what is none. */
export function wholeIn<Key extends string>(attributes: AttributesNamed<Key>, key: Key): number | undefined {
  const text = attributes.text(key);
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,15}$/.test(text)) throw new KeyholdError('bad_request', `cannot read ${key}: it is not a number`);
  return Number(text);
}
