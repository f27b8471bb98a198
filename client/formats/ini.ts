import { type Leaf, lineAt, Malformed, type Read, reading } from './leaf.ts';

/** An INI file as Python's configparser and aws read it. */
export function readIni(text: string): Read {
  return read(text, { separators: '=:', continued: true });
}

/** npm's configuration: `=` alone separates, because names hold colons. */
export function readNpmrc(text: string): Read {
  return read(text, { separators: '=', continued: false });
}

type Dialect = {
  /** What stands between a name and its value: `=` alone where names hold colons (npmrc). */
  readonly separators: '=' | '=:';
  /** Whether an indented line carries the value of the line above it on (Python's configparser, aws). */
  readonly continued: boolean;
};

/**
 * The lines `name = value` of an INI file, each under its section if it has one. A name that stands there twice is
 * there twice: which one counts is the tool's affair.
 */
function read(text: string, { separators, continued }: Dialect): Read {
  return reading(() => {
    const leaves: Leaf[] = [];
    let section: readonly string[] = [];
    for (let at = 0; at < text.length; ) {
      const { end } = lineAt(text, at);
      const line = text.slice(at, end).trimEnd();
      const isMore = continued && /^[ \t]/.test(line) && leaves.length > 0;
      if (line.trim() === '' || /^[ \t]*[#;]/.test(line)) {
        // Nothing is said by it.
      } else if (isMore) {
        const { path, value, cuts } = leaves.pop()!;
        leaves.push({ path, value: `${value}\n${line.trim()}`, cuts: [...cuts!, { start: at, end }] });
      } else if (/^[ \t]*\[/.test(line)) {
        const name = /^[ \t]*\[([^\]]+)\][ \t]*(?:[#;].*)?$/.exec(line)?.[1];
        if (name === undefined) throw new Malformed(text, at, 'a section has no "]"');
        section = [name.trim()];
      } else {
        const separator = line.search(separators === '=' ? /=/ : /[=:]/);
        if (separator < 0) throw new Malformed(text, at, `it is neither a section nor "name = value"`);
        const path = [...section, line.slice(0, separator).trim()];
        leaves.push({ path, value: line.slice(separator + 1).trim(), cuts: [{ start: at, end }] });
      }
      at = end;
    }
    return leaves;
  });
}
