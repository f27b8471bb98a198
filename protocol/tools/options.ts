/**
 * The options behind a helper's positional arguments, each with a value and each at most once; undefined for anything else.
 */
export function optionsIn<Name extends string>(
  words: readonly string[],
  names: readonly Name[],
): Partial<Record<Name, string>> | undefined {
  const found: Partial<Record<Name, string>> = {};
  for (let at = 0; at < words.length; at += 2) {
    const name = names.find((one) => `--${one}` === words[at]);
    const value = words[at + 1];
    if (name === undefined || value === undefined || found[name] !== undefined) return undefined;
    found[name] = value;
  }
  return found;
}
