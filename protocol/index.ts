export { Attributes } from './attributes.ts';
export { type Capabilities, noCapabilities } from './capabilities.ts';
export { connect } from './connect.ts';
export type { Credential, EpochSeconds, Seconds, Target } from './credential.ts';
export { type FaultCode, KeyholdError } from './errors.ts';
export type { CredentialReply, CredentialRequest, Detail, Handler } from './handler.ts';
export { expose, heapSecret, type Secret, secretFromText } from './secret.ts';
export { serve } from './serve.ts';
export { exitCodeOf, type Status, statuses } from './status.ts';
