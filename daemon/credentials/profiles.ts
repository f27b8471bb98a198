import { readFileSync } from 'node:fs';
import { asFault } from '../../protocol/errors.ts';
import type { DecodedRequest } from '../../protocol/handler.ts';
import {
  accountFor,
  boundFolder,
  chooseProfile,
  noProfiles,
  type ProfileChoice,
  type Profiles,
  readProfiles,
} from '../../protocol/profiles.ts';
import { fromWire, toWire } from '../../protocol/text.ts';
import type { Degradation } from '../backends/backend.ts';

/** Most bytes of a file with as many profiles as a person would make. */
const FILE_MAX = 1_048_576;

/** The profiles as they were last read. */
export type ProfileBook = {
  readonly current: () => Profiles;
  /** Reads the file again. Answers how many profiles there are; throws `bad_config` for a file that cannot be used. */
  readonly reload: () => number;
  readonly degradations: () => readonly Degradation[];
};

/**
 * The profiles that `keyhold profile` writes. They are read at the start and when we are told, never for a request. A
 * file that cannot be used counts as none, and `status` names the fault.
 */
export function openProfiles(file: string): ProfileBook {
  let profiles = noProfiles;
  let fault: string | undefined;
  const book: ProfileBook = {
    current: () => profiles,
    reload() {
      fault = undefined;
      try {
        profiles = load(file);
      } catch (error) {
        profiles = noProfiles;
        fault = asFault(error).message;
        throw error;
      }
      return profiles.profiles.size;
    },
    degradations: () =>
      fault === undefined
        ? []
        : [{ code: 'bad-profiles', what: `no profile is in use: ${fault}`, remedy: `mend or remove ${file}` }],
  };
  try {
    book.reload();
  } catch {
    // It is told by `status`.
  }
  return book;
}

function load(file: string): Profiles {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return noProfiles;
    throw error;
  }
  if (text.length > FILE_MAX) return readProfiles(undefined);
  return readProfiles(parse(text));
}

/** node's own message would quote the file. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whose credential a request prefers where it names no username itself. Accounts are wire values. */
export type Preference = {
  /** The account that the profile in force names. */
  readonly account?: string | undefined;
  /** The account that was approved before where the request comes from; it is asked for after the profile's. */
  readonly remembered?: string | undefined;
  /** Accounts that were refused there a moment ago: any other one comes before them. */
  readonly avoided?: ReadonlySet<string> | undefined;
  readonly choice?: ProfileChoice | undefined;
};

const none: Preference = {};

/**
 * The folder whose binding may choose a profile, as text: the repository's where it or one above it is bound (a clone's destination
 * may lie elsewhere than the working directory), else the working directory.
 */
export function placeOf(
  { folders }: Profiles,
  { repository, cwd }: Pick<DecodedRequest, 'repository' | 'cwd'>,
): string | undefined {
  const place = folders.size > 0 ? textOf(repository) : undefined;
  return place !== undefined && boundFolder(folders, place) !== undefined ? place : textOf(cwd);
}

/**
 * The account that the profile in force prefers for a request which names no username itself. Without any profile it
 * costs nothing. Throws `bad_request` where the caller asked for a profile that is not there.
 */
export function preferenceOf(
  profiles: Profiles,
  request: Pick<DecodedRequest, 'target' | 'profile' | 'boundary' | 'repository' | 'cwd'>,
): Preference {
  const { target, profile, boundary } = request;
  if (profiles.profiles.size === 0 && profile === undefined) return none;
  const choice = chooseProfile(profiles, textOf(profile), placeOf(profiles, request), boundary);
  if (!choice || target!.username !== undefined) return { choice };
  const account = accountFor(choice.profile, target!);
  return { choice, account: account === undefined ? undefined : toWire(account) };
}

function textOf(value: string | undefined): string | undefined {
  return value === undefined ? undefined : fromWire(value);
}
