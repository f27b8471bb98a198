export { type Address, addressOf, isLoopback, originOf } from './address.ts';
export { fieldsIn, itemsIn, type Read } from './answer.ts';
export { type Answer, type Cause, causeOf, isDead } from './causes.ts';
export {
  type Catalogue,
  type CheckedManifest,
  checkManifest,
  gatherManifests,
  MANIFEST_MAX,
  type ManifestFile,
  pathText,
  problemText,
  rivalOf,
} from './check.ts';
export { conform, type Problem } from './conform.ts';
export { durationOf, type Lifetime, lifetimeOf, secondsOf } from './durations.ts';
export { type EnvironmentPlan, endpointText, environmentOf, secretVariables, winnerOf } from './environment.ts';
export {
  belongsTo,
  collide,
  type Found,
  isHostOf,
  type ScopeKey,
  type ScopeQuestion,
  scopeKey,
  serviceFor,
} from './find.ts';
export { type Checked, checkFormat } from './format.ts';
export { authOf, callOf, gitUsernameOf, kindOf } from './kinds.ts';
export * from './manifest.ts';
export { checkName, type NameCheck, type NameHints, proposeName } from './names.ts';
export { manifestSchema } from './schema.ts';
export type { Schema } from './schema-terms.ts';
export { type Shown, shownOf } from './shown.ts';
export {
  fill,
  fillMember,
  isPlaceholder,
  type Placeholder,
  placeholders,
  placeholdersIn,
  type Values,
} from './template.ts';
