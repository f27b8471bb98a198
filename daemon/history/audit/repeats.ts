import type { EpochSeconds } from '../../../protocol/credential.ts';
import type { AuditEntry } from './entry.ts';

const MINUTE = 60;
/** Kinds of refusals that are written one by one in a minute; the rest is only counted by action and outcome. */
const KINDS_MAX = 200;

/**
 * Refusals that repeat: the first of a kind in a minute is an entry, the others become one that says how many. A tool
 * that asks a locked agent a thousand times a second fills no disk. No I/O; time is an argument.
 */
export class Repeats {
  readonly #kinds = new Map<string, { readonly entry: AuditEntry; times: number }>();
  #minute = 0;

  /** The entry to write now, if it is the first of its kind in this minute. Call `take` before, at each new minute. */
  note(entry: AuditEntry): AuditEntry | undefined {
    this.#minute = Math.floor(entry.at / MINUTE);
    const { action, outcome, tool, program, target, cwd } = entry;
    let key = [action, outcome, tool, program, target, cwd].join('\0');
    let kept = entry;
    if (this.#kinds.size >= KINDS_MAX && !this.#kinds.has(key)) {
      key = `${action}\0${outcome}`;
      kept = { at: entry.at, action, outcome };
    }
    const known = this.#kinds.get(key);
    if (known) known.times++;
    else this.#kinds.set(key, { entry: kept, times: 0 });
    return known ? undefined : kept;
  }

  /** Whether anything repeated that is not an entry yet. */
  get waiting(): boolean {
    for (const { times } of this.#kinds.values()) if (times > 0) return true;
    return false;
  }

  /** Entries for what repeated, once its minute is over, or at once when it must. */
  take(now: EpochSeconds, atOnce = false): AuditEntry[] {
    if (!atOnce && Math.floor(now / MINUTE) === this.#minute) return [];
    const taken = [...this.#kinds.values()]
      .filter(({ times }) => times > 0)
      .map(({ entry, times }) => ({ ...entry, at: now, times }));
    this.#kinds.clear();
    return taken;
  }
}
