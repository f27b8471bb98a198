import { Malformed } from './leaf.ts';

/** A place in a text that a reader goes through from front to end. */
export class Cursor {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** What a sticky pattern finds at this very place, which is then behind it; undefined, and no step, if it is not there. */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    this.at += found?.length ?? 0;
    return found;
  }

  malformed(rule: string): Malformed {
    return new Malformed(this.text, this.at, rule);
  }
}
