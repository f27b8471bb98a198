export { type Address, addressOf, isLoopback, originOf } from './address.ts';
export { type Answer, type Cause, causeOf, isDead } from './causes.ts';
export { durationOf, type Lifetime, lifetimeOf, secondsOf } from './durations.ts';
export { type EnvironmentPlan, environmentOf, secretVariables, winnerOf } from './environment.ts';
export { belongsTo, collide, type Found, type ScopeKey, type ScopeQuestion, scopeKey, serviceFor } from './find.ts';
export { type Checked, checkFormat } from './format.ts';
export { authOf, kindOf } from './kinds.ts';
export * from './manifest.ts';
export { checkName, type NameCheck, type NameHints, proposeName } from './names.ts';
