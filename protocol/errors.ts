import { getSystemErrorMessage } from 'node:util';
import type { Status } from './status.ts';

/**
 * Every fault that crosses a boundary, with the status it is answered as. Ordinary outcomes are statuses of a reply;
 * these are thrown. Messages say what could not be done, why and what to do next, and name attributes, never values.
 */
const faults = {
  // the wire
  bad_request: 'bad-request',
  line_too_long: 'bad-request',
  request_too_long: 'bad-request',
  bad_reply: 'unavailable',
  closed: 'unavailable',
  deadline: 'unavailable',
  // secrets
  secret_disposed: 'not-found',
  secret_unfit: 'bad-request',
  // the agent
  locked: 'locked',
  denied: 'denied',
  not_found: 'not-found',
  token_revoked: 'revoked',
  unsupported: 'unsupported',
  interaction_required: 'interaction-required',
  agent_unreachable: 'unavailable',
  agent_running: 'unavailable',
  offline: 'unavailable',
  foreign_listener: 'unavailable',
  unsafe_place: 'denied',
  socket_path_too_long: 'bad-request',
  bad_config: 'bad-request',
  // backends
  backend_absent: 'unavailable',
  backend_locked: 'locked',
  backend_hung: 'unavailable',
  backend_dismissed: 'interaction-required',
  backend_full: 'unavailable',
  backend_failed: 'unavailable',
  // the vault
  vault_truncated: 'unavailable',
  vault_corrupt: 'unavailable',
  vault_wrong_key: 'unavailable',
  vault_key_missing: 'unavailable',
  vault_newer: 'unavailable',
  vault_in_use: 'unavailable',
  vault_missing: 'unavailable',
  wrong_passphrase: 'denied',
  // the audit log
  audit_damaged: 'unavailable',
  audit_newer: 'unavailable',
  audit_unwritable: 'unavailable',
} as const satisfies Record<string, Status>;

export type FaultCode = keyof typeof faults;

export class KeyholdError extends Error {
  override readonly name = 'KeyholdError';
  readonly code: FaultCode;

  constructor(code: FaultCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** How this fault is answered on the wire. */
  get status(): Exclude<Status, 'ok'> {
    return faults[this.code];
  }
}

/**
 * The fault itself if it is one of ours. A failed system call is told with its path and the system's own words; of any other
 * error nothing is shown but its name.
 */
export function asFault(error: unknown): KeyholdError {
  if (error instanceof KeyholdError) return error;
  const { code, errno, syscall, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (code !== undefined && errno !== undefined && syscall !== undefined && path !== undefined) {
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    const remedy = isFull ? 'make room there and try again' : 'see: keyhold logs';
    const text = `cannot ${syscall} ${path}: ${getSystemErrorMessage(errno)} (${code}); ${remedy}`;
    return new KeyholdError(isFull ? 'backend_full' : 'backend_failed', text, { cause: error });
  }
  const kind = error instanceof Error ? (code ?? error.name) : typeof error;
  return new KeyholdError('backend_failed', `cannot answer: an unexpected ${kind}; see: keyhold logs`, {
    cause: error,
  });
}
