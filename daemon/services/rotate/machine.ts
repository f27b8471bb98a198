/**
 * How far a rotation has come, in order; the journal has these words. `asked`: the service is asked for a new token, or will be;
 * `made`: it lies beside; `probed`: it may serve; `swapped`: it serves; `revoking`: the service is asked to end the old one;
 * `revoked`: it has. Up to `swapped` everything can be taken back, and from `revoking` on if a probe shows that the old one lives.
 */
export const steps = ['asked', 'made', 'probed', 'swapped', 'revoking', 'revoked'] as const;
export type Step = (typeof steps)[number];

/** How the new token comes: by a call that makes one, by one call that trades the old one for it, or from a person. */
export type Way = 'create' | 'trade' | 'page';

/** How the old token ended at its service: by our call, before it, by the trade, or as a person said. */
export type Upstream = 'revoked' | 'gone' | 'traded' | 'said';

/** Where a rotation stands, once both values lie beside the credential. */
export type State =
  | { readonly step: 'asked' | 'made'; readonly way: Way }
  /** `isVerified`: the service has confirmed the new token, or cannot be asked about it. */
  | { readonly step: 'probed'; readonly way: Way; readonly isVerified: boolean }
  /** `wasAsked`: the service was asked about the new token in this run, and gave no answer. */
  | { readonly step: 'swapped'; readonly way: Way; readonly isVerified: boolean; readonly wasAsked: boolean }
  | { readonly step: 'revoking'; readonly way: Way }
  | { readonly step: 'revoked'; readonly way: Way; readonly upstream: Upstream };

/** One in which something is left to do before the old token is shown to be dead. */
export type Unended = Exclude<State, { readonly step: 'revoked' }>;

/** What has happened; each takes a rotation from one state to the next. */
export type Happening =
  | { readonly kind: 'kept' }
  | { readonly kind: 'judged'; readonly way: Way; readonly isVerified: boolean }
  | { readonly kind: 'swapped' }
  | { readonly kind: 'verified' }
  | { readonly kind: 'revoking' }
  | { readonly kind: 'revoked'; readonly upstream: Upstream };

/** What is to be done in a state. `stop`: a later run goes on; `by-hand`: the person ends the old token on the service's page. */
export type Task = 'note-kept' | 'judge' | 'swap' | 'stop' | 'verify' | 'by-hand' | 'note-revoking' | 'revoke';

/** The state that a journal tells of. `isVerified` is noted beside the new token. */
export function stateIn({ step, way }: { readonly step: Step; readonly way: Way }, isVerified: boolean): State {
  switch (step) {
    case 'asked':
    case 'made':
    case 'revoking':
      return { step, way };
    case 'probed':
      return { step, way, isVerified };
    case 'swapped':
      return { step, way, isVerified, wasAsked: false };
    case 'revoked':
      return { step, way, upstream: way === 'trade' ? 'traded' : 'gone' };
  }
}

/** What is done next. `waitsForPerson`: no call ends the old token, and nobody has said that it is deleted. */
export function taskIn(state: Unended, waitsForPerson: boolean): Task {
  switch (state.step) {
    case 'asked':
      return 'note-kept';
    case 'made':
      return 'judge';
    case 'probed':
      return 'swap';
    case 'swapped':
      if (!state.isVerified) return state.wasAsked ? 'stop' : 'verify';
      return waitsForPerson ? 'by-hand' : 'note-revoking';
    case 'revoking':
      return 'revoke';
  }
}

/** The state after what has happened. Throws where it cannot happen in that state, which is an error of ours. */
export function transition(state: State, happened: Happening): State {
  const { way } = state;
  switch (happened.kind) {
    case 'kept':
      if (state.step === 'asked') return { step: 'made', way };
      break;
    case 'judged':
      // A service that put another value under the id of the old token has traded it, whatever was asked for.
      if (state.step === 'made') return { step: 'probed', way: happened.way, isVerified: happened.isVerified };
      break;
    case 'swapped':
      if (state.step !== 'probed') break;
      // A trade has ended the old one already.
      if (way === 'trade') return { step: 'revoked', way, upstream: 'traded' };
      return { step: 'swapped', way, isVerified: state.isVerified, wasAsked: true };
    case 'verified':
      if (state.step === 'swapped') return { ...state, isVerified: true };
      break;
    case 'revoking':
      if (state.step === 'swapped') return { step: 'revoking', way };
      break;
    case 'revoked':
      if (state.step === 'revoking') return { step: 'revoked', way, upstream: happened.upstream };
  }
  throw new Error(`a rotation that is ${state.step} cannot have been ${happened.kind}`);
}

/** Whether the new token serves or has served, so that the old one may be ended. */
export function hasServed(step: Step): boolean {
  return step === 'swapped' || step === 'revoking' || step === 'revoked';
}
