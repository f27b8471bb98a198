/**
 * What a caller can understand, by `capability[]`. An answer may use an ability only if the request offered it, because
 * every hop before must have understood it too (git-credential(1)).
 */
export type Capabilities = {
  /** `authtype` and `credential` in place of username and password. */
  readonly authtype: boolean;
  /** `state[]`. */
  readonly state: boolean;
  /** `status` and `message`, and our own attributes of a request. */
  readonly keyhold: boolean;
};

export const noCapabilities: Capabilities = { authtype: false, state: false, keyhold: false };
const keyholdOnly: Capabilities = { authtype: false, state: false, keyhold: true };

export function readCapabilities(offered: readonly string[]): Capabilities {
  if (offered.length === 0) return noCapabilities;
  if (offered.length === 1 && offered[0] === 'keyhold') return keyholdOnly;
  return {
    authtype: offered.includes('authtype'),
    state: offered.includes('state'),
    keyhold: offered.includes('keyhold'),
  };
}
