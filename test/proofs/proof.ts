/** What a proof is run with. Without a size it has that of its acceptance. */
export type ProofOptions = {
  readonly seed: number;
  /** Kills, in each of what the proof tells apart. */
  readonly kills?: number | undefined;
  /** Credentials that are held. */
  readonly held?: number | undefined;
  /** The number of the first kill, for a run that goes on with another or shares its kills. */
  readonly from?: number | undefined;
  /** `kills`: one backend alone. */
  readonly backend?: string | undefined;
  /** `migrate`: the backend that is migrated from, and one phase alone. */
  readonly direction?: string | undefined;
  readonly phase?: string | undefined;
  /** Asked between two kills: whether to come to the end, with the last looks and the sums, before all are made. */
  readonly isStopped?: (() => boolean) | undefined;
  /** Where to say how far it has come. */
  readonly say: (line: string) => void;
};

/** What was wrong, a line each, and what was counted on the way. */
export type ProofResult = { readonly wrong: readonly string[]; readonly counts: Readonly<Record<string, number>> };

export type Proof = (options: ProofOptions) => Promise<ProofResult>;
