import { boundFolder, chooseProfile, type ProfileChoice, type Profiles } from '../../protocol/profiles.ts';
import { toWire } from '../../protocol/text.ts';
import { type Boundary, safeFoldersFrom } from '../safe-paths.ts';

/** What `--profile` says; undefined where it was not given. */
let given: string | undefined;

/** Goes by a profile from now on, whatever the environment says; by the environment again with undefined. */
export function giveProfile(name: string | undefined): void {
  given = name;
}

/** The profile that is asked for by name: `--profile`, else KEYHOLD_PROFILE. */
export function askedProfile(): string | undefined {
  return given ?? (process.env['KEYHOLD_PROFILE'] || undefined);
}

/** The profile in force here. Throws `bad_request` where the one that is asked for is not there. */
export function profileInForce(profiles: Profiles): ProfileChoice | undefined {
  return chooseProfile(profiles, askedProfile(), workingFolder(), profileBoundary(profiles)?.path);
}

/**
 * The folder that keeps a profile, which is bound to it or above it, from being chosen here, because another user could have
 * put something into it; undefined where no binding is kept out.
 */
export function profileBoundary({ folders }: Profiles): Boundary | undefined {
  const cwd = workingFolder();
  if (cwd === undefined || boundFolder(folders, cwd) === undefined) return undefined;
  const { boundary } = safeFoldersFrom(cwd);
  return boundFolder(folders, cwd, boundary?.path) === undefined ? boundary : undefined;
}

/** What a request tells the agent, so that it chooses the same profile. */
export function hereAndNow(): { readonly profile: string | undefined; readonly cwd: string | undefined } {
  const [profile, cwd] = [askedProfile(), workingFolder()];
  return { profile: profile && toWire(profile), cwd: cwd && toWire(cwd) };
}

/** The working directory; undefined where it was removed, or cannot be told on the wire. */
export function workingFolder(): string | undefined {
  try {
    const folder = process.cwd();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
    return /[\u0000-\u001f\u007f\ufffd]/.test(folder) ? undefined : folder;
  } catch {
    return undefined;
  }
}
