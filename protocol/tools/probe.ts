import type { Status } from '../status.ts';

/** One run of a helper, as its tool starts it. */
export type Call = {
  /** The name that it is called by. @default the first of the adapter's programs */
  readonly program?: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
};

/** What a tool reads of a run. */
export type Told = { readonly stdout: string; readonly stderr?: string; readonly exitCode: number };

/**
 * How the contract of all adapters (test/contracts/adapters.test.ts) asks one of them: the calls of its tool for the credential of
 * `https://h`, user `ada` where the call names one.
 */
export type Probe = {
  /** How the tool asks, in each form that it has, and what it reads where nothing is held: exactly that. */
  readonly get: readonly (Call & { readonly miss: Told })[];
  /** How it hands over `probe-EXAMPLE`; absent where it never does. */
  readonly store?: Call;
  /** How it takes a credential back; absent where it never does. */
  readonly erase?: Call;
  /**
   * What the protocol has no words for but those of a miss, as the reason says: on standard output and by its exit code it is told
   * as one, and beside that, on standard error, in full.
   */
  readonly besideMiss?: { readonly statuses: readonly Status[]; readonly because: string };
  /** What is told as a miss and in no other way, as the reason says. */
  readonly asMiss?: { readonly statuses: readonly Status[]; readonly because: string };
};
