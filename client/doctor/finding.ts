/** One thing that a doctor looked at. `note` is worth knowing and needs no mending. */
export type Finding = {
  /** Stable name of the check, for scripts. */
  readonly check: string;
  readonly state: 'ok' | 'note' | 'mend';
  readonly what: string;
  /** What to do about it; empty where nothing is to be done. */
  readonly remedy: string;
};

export function fine(check: string, what: string): Finding {
  return { check, state: 'ok', what, remedy: '' };
}

export function note(check: string, what: string, remedy = ''): Finding {
  return { check, state: 'note', what, remedy };
}

export function mend(check: string, what: string, remedy: string): Finding {
  return { check, state: 'mend', what, remedy };
}
