import type { Seconds } from '../credential.ts';
import type { Handler } from '../handler.ts';
import type { SecretKeeper } from '../secret.ts';
import type { ByteWriter } from '../writer.ts';
import type { Probe } from './probe.ts';

/**
 * How the thin client takes the tool's input: not at all; to its end, sent in one write with the header; or both ways
 * at once, for protocols that talk more than once.
 */
export type InputMode = 'none' | 'whole' | 'stream';

/** What the thin client says by itself when no agent answers and none can be started. */
export type Unavailable = {
  readonly stdout: string;
  /** Whether the tool tolerates one line of explanation on its standard error. */
  readonly explain: boolean;
  readonly exitCode: number;
};

/** How an adapter asks for a credential (ask.ts), which nothing in its request would show. */
export type Asking = {
  /** The tool can send any Authorization header, not only a username and a password. */
  readonly authtype: boolean;
  /** Where nothing is kept for a path, what is kept for the whole host is served. */
  readonly wholeHost: boolean;
  /** How long the secret must still live. */
  readonly minTtl?: Seconds;
};

/** One run of a foreign tool's helper, or of a program of ours that speaks through the thin client. */
export interface Invocation {
  /** The name it was called by, without folders. */
  readonly program: string;
  readonly arguments: readonly string[];
  /** Only the variables that the adapter's `environment` names. */
  readonly environment: ReadonlyMap<string, string>;
  readonly cwd: string;
  /** The thin client's version; empty if it did not say. */
  readonly version: string;
  readonly input: Input;
  /** Standard output. What is written reaches the tool when `converse` ends, and at each `flush`. */
  readonly output: ByteWriter;
  flush(): void;
  /** One line for the human on standard error; it must hold no request data that was not made printable. */
  warn(line: string): void;
  readonly keep: SecretKeeper;
}

/** Standard input of a helper run. */
export type Input = {
  /** All of it, in the mode `whole`; empty in the mode `none`. Borrowed until `converse` ends, then wiped. */
  readonly all: () => Buffer;
  /** The next piece in the mode `stream`, undefined at the end. Borrowed until the next call. */
  readonly next: () => Promise<Buffer | undefined>;
};

/**
 * Our translation of one foreign helper protocol: data that the thin client's table is made from, and one pure
 * function that the agent runs. A new tool is one such file, its line in index.ts, and its transcripts.
 */
export interface Adapter {
  readonly name: string;
  /** The executables that speak it. `…@*` stands for a name with an argument behind the `@`. */
  readonly programs: readonly string[];
  /** Its executables have a name that is also another program's: they are not linked beside the others, only where setup is asked to. */
  readonly apart?: boolean;
  /** Where the protocol is written down. */
  readonly specification: string;
  /** Names of the environment variables that the thin client forwards. */
  readonly environment: readonly string[];
  /**
   * Names of variables that the thin client forwards where they can be told by a line, and leaves out where not: folders that only
   * help to choose.
   */
  readonly folders?: readonly string[];
  /** How it asks, for `token explain`; undefined where whoever calls it says so. */
  readonly asks?: Asking;
  /** By the first argument that is no option; `*` is for all others. */
  readonly input: Readonly<Record<string, InputMode>> & { readonly '*': InputMode };
  readonly unavailable: Readonly<Record<string, Unavailable>> & { readonly '*': Unavailable };
  /**
   * What the thin client prints, with exit 0, where an argument is empty or holds a control byte: that can name nothing
   * which is held, and goes over no wire of lines. Without an entry it is a fault, told as `unavailable`.
   */
  readonly unnameable?: Readonly<Record<string, string>>;
  /** How the contract of all adapters asks it. */
  readonly probe: Probe;
  /** Speaks the tool's protocol and answers the exit code. Faults that it throws are told as `unavailable`. */
  converse(invocation: Invocation, handler: Handler): Promise<number>;
}

/** The first argument that is no option: the operation, in every helper protocol that has one. */
export function operationOf(args: readonly string[]): string | undefined {
  return args.find((argument) => !argument.startsWith('-'));
}

/** The entry of a table by operation, or its `*`. */
export function byOperation<T>(
  table: Readonly<Record<string, T>> & { readonly '*': T },
  operation: string | undefined,
): T {
  return operation !== undefined && Object.hasOwn(table, operation) ? table[operation]! : table['*'];
}
