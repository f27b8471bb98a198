/** How a request ended, what a command then exits with, and what the caller should do next. PROTOCOL.md §5 is this table. */

type Outcome = {
  /** Exit code of `keyhold` and `keyhold-helper`. */
  readonly exitCode: number;
  readonly meaning: string;
  readonly remedy: string;
};

export const statuses = {
  ok: { exitCode: 0, meaning: 'done', remedy: '' },
  'bad-request': {
    exitCode: 2,
    meaning: 'the request was not understood; nothing was done',
    remedy: 'mend the request',
  },
  locked: { exitCode: 3, meaning: 'the credentials are locked', remedy: 'run: keyhold unlock' },
  'not-found': { exitCode: 4, meaning: 'no such credential', remedy: 'ask elsewhere, or: keyhold token set --for URL' },
  denied: { exitCode: 5, meaning: 'refused to this caller', remedy: 'do not ask again' },
  'interaction-required': { exitCode: 6, meaning: 'a human is needed', remedy: 'run the command named in the message' },
  expired: { exitCode: 7, meaning: 'the credential is past its expiry', remedy: 'store a new one' },
  revoked: { exitCode: 8, meaning: 'the credential was revoked', remedy: 'store a new one' },
  'limit-reached': { exitCode: 9, meaning: 'a limit is reached', remedy: 'free what the message names' },
  unavailable: {
    exitCode: 10,
    meaning: 'a part that is needed did not answer in time',
    remedy: 'try again; run: keyhold doctor',
  },
  unsupported: { exitCode: 11, meaning: 'not offered here', remedy: 'do not ask again' },
} as const satisfies Record<string, Outcome>;

export type Status = keyof typeof statuses;

export function isStatus(text: string): text is Status {
  return Object.hasOwn(statuses, text);
}

/** The exit code that tells `status` to a shell. */
export function exitCodeOf(status: Status): number {
  return statuses[status].exitCode;
}
