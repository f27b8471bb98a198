import { mkdirSync, readFileSync } from 'node:fs';
import { noProfiles, type Profiles, profilesProperties, readProfiles } from '../../protocol/profiles.ts';
import { CommandFailure } from '../cli/failure.ts';
import { locate } from '../locate.ts';

/** The document of profiles.json, for those who change it: what a newer version wrote stays in it. */
export type ProfilesDocument = {
  default?: string | undefined;
  profiles?: Record<string, Record<string, string>>;
  folders?: Record<string, string>;
};

export function profilesFile(): string {
  return `${locate().config}/profiles.json`;
}

/** The person's profiles. Throws `bad_config` for a file that cannot be used. */
export function loadProfiles(): Profiles {
  const document = readDocument();
  return document === undefined ? noProfiles : readProfiles(document);
}

function readDocument(): unknown {
  const file = profilesFile();
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw new CommandFailure(1, `cannot read ${file}: it is not JSON`);
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new CommandFailure(1, `cannot read ${file}: ${code}`, { cause: error });
  }
}

/**
 * Changes the profiles: `change` gets the document as it is and changes it. What would break a rule is thrown as
 * `bad_config`, and nothing is written.
 */
export async function changeProfiles(change: (document: Required<ProfilesDocument>) => void): Promise<Profiles> {
  const before = readDocument() ?? {};
  readProfiles(before);
  const document = { default: undefined, profiles: {}, folders: {}, ...(before as ProfilesDocument) };
  change(document);
  const kept = JSON.parse(JSON.stringify(document)) as ProfilesDocument;
  const profiles = readProfiles(kept);
  const { config: folder } = locate();
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { default: Configuration } = await import('conf');
    const conf = new Configuration<Record<string, unknown>>({
      cwd: folder,
      configName: 'profiles',
      projectName: 'keyhold',
      projectSuffix: '',
      configFileMode: 0o600,
      accessPropertiesByDotNotation: false,
      clearInvalidConfig: false,
      schema: profilesProperties,
    });
    conf.store = kept as Record<string, unknown>;
  } catch (error) {
    throw new CommandFailure(1, `cannot write ${profilesFile()}: ${(error as NodeJS.ErrnoException).code}`, {
      cause: error,
    });
  }
  return profiles;
}
