/** What a proof is run with. Without a size it has that of its acceptance. */
export type ProofOptions = {
  readonly seed: number;
  /** Kills, in each of what the proof tells apart. */
  readonly kills?: number | undefined;
  /** Credentials that are held. */
  readonly held?: number | undefined;
  /** One backend alone. */
  readonly only?: string | undefined;
  /** Where to say how far it has come. */
  readonly say: (line: string) => void;
};

/** What was wrong, a line each, and what was counted on the way. */
export type ProofResult = { readonly wrong: readonly string[]; readonly counts: Readonly<Record<string, number>> };

export type Proof = (options: ProofOptions) => Promise<ProofResult>;
