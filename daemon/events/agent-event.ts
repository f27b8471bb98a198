/** Something that happened in the agent. Never a value, a host or the name of a person: it may be logged and told. */
export type AgentEvent =
  // A credential, by its id.
  | { readonly kind: 'stored' | 'rotated' | 'refreshed' | 'erased' | 'annotated' | 'buried'; readonly id: string }
  | { readonly kind: 'signed-in'; readonly id: string; readonly service: string | undefined }
  /** Its service does not take it any more. */
  | { readonly kind: 'ended'; readonly id: string; readonly outcome: string }
  /** Its service takes it again. */
  | { readonly kind: 'taken-again'; readonly id: string }
  /** Its service has ended it; `outcome`: what a probe showed. */
  | { readonly kind: 'revoked'; readonly id: string; readonly outcome: string }
  /** A revoked token was looked at again. */
  | { readonly kind: 'rechecked'; readonly id: string; readonly service: string | undefined; readonly outcome: string }
  | { readonly kind: 'refresh-failed'; readonly id: string; readonly outcome: string }
  | { readonly kind: 'recheck-failed' | 'verdict-failed'; readonly id: string; readonly code: string }
  // What is held as a whole.
  | { readonly kind: 'opened'; readonly backend: string; readonly held: number }
  | { readonly kind: 'locked' }
  /** A get waits for a person: to sign in in the place of `id`, or without one to unlock. */
  | { readonly kind: 'wanted'; readonly id?: string | undefined }
  /** Credentials of an earlier version were looked through. */
  | { readonly kind: 'upgraded'; readonly count: number; readonly reason: string }
  | { readonly kind: 'open-failed' | 'upgrade-failed' | 'erased-failed' | 'approved-failed'; readonly code: string }
  /** A backend that was left kept some of what was carried. */
  | { readonly kind: 'farewell-failed'; readonly backend: string; readonly count: number }
  /** What a cut migrate had left was finished or undone. */
  | {
      readonly kind: 'migrate-recovered';
      readonly backend: string;
      readonly state: string;
      readonly count: number;
      readonly outcome: string;
    }
  | { readonly kind: 'migrate-journal'; readonly code: string }
  // Callers, services and children.
  | { readonly kind: 'refused'; readonly pid: number; readonly uid: number }
  | { readonly kind: 'upstream'; readonly service: string; readonly operation: string; readonly outcome: string }
  | { readonly kind: 'attendant-failed'; readonly reason: string; readonly code: string }
  // The audit log.
  | { readonly kind: 'audit-failed'; readonly code: string }
  | { readonly kind: 'audit-written' }
  | { readonly kind: 'audit-pruned'; readonly count: number };

export type EventKind = AgentEvent['kind'];

/** Says that something has happened. It never throws, and nothing waits for it. */
export type Emit = (event: AgentEvent) => void;
