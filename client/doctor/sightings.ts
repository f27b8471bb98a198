import { SECRET_MAX } from '../../protocol/limits.ts';
import type { Secret } from '../../protocol/secret.ts';
import { type CredentialFile, type Manifest, secretVariables } from '../../protocol/services/index.ts';
import { toWire } from '../../protocol/text.ts';
import { isControl } from '../../protocol/writer.ts';
import { openFile } from '../formats/file.ts';
import type { Leaf } from '../formats/leaf.ts';
import { pick, readLeaves } from '../formats/read.ts';
import { basicOf, secretOf } from '../import/source.ts';
import { pathsOf } from '../services/paths.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Something of a service's own in which its program looks for a token. */
export type Sighting = {
  readonly source: 'environment' | 'file';
  /** A variable's name, or a path. */
  readonly name: string;
  /** What was found in it, the finder's to dispose of; none where a file holds no token, or cannot be read. */
  readonly secrets: readonly Secret[];
  /** Why a file could not be read, or is not of its format. */
  readonly trouble?: string | undefined;
  /** Permission bits of a file, and those that its manifest allows. */
  readonly mode?: number | undefined;
  readonly allowed?: number | undefined;
  /** When a file was changed, in epoch seconds. */
  readonly changedAt?: number | undefined;
};

/** What of a service's own stands around: its variables that are set, and its files that are there. */
export async function sightingsOf(
  { files = [], ...manifest }: Manifest,
  environment: Environment,
): Promise<Sighting[]> {
  const variables = secretVariables(manifest as Manifest).flatMap((name): Sighting[] => {
    const value = environment[name];
    return value ? [{ source: 'environment', name, ...secretsIn([toWire(value)]) }] : [];
  });
  const sightings = new Map<string, Sighting>();
  for (const file of files) {
    for (const path of pathsOf(file.path, environment)) {
      const sighting = await sightingIn(path, file);
      const before = sightings.get(path);
      // Two entries of one file are two places in it.
      if (sighting)
        sightings.set(path, before ? { ...before, secrets: [...before.secrets, ...sighting.secrets] } : sighting);
    }
  }
  return [...variables, ...sightings.values()];
}

export function disposeSightings(sightings: readonly Sighting[]): void {
  for (const { secrets } of sightings) for (const secret of secrets) secret.dispose();
}

async function sightingIn(path: string, { format, fields, mode }: CredentialFile): Promise<Sighting | undefined> {
  const opened = openFile(path);
  if (opened.status === 'absent') return undefined;
  const sighting = { source: 'file', name: path, secrets: [] } as const;
  if (opened.status === 'unreadable') return { ...sighting, trouble: opened.why };
  const { bytes, stats } = opened;
  const about = {
    ...sighting,
    mode: stats.mode & 0o777,
    allowed: mode === undefined ? undefined : Number.parseInt(mode, 8),
    changedAt: stats.mtimeMs / 1_000,
  };
  if (format === 'binary') return { ...about, trouble: 'keyhold does not read its format' };
  const read = await readLeaves(format, bytes);
  if (read.status === 'malformed') return { ...about, trouble: read.why };
  const leaves = fields?.['value'] === undefined ? read.leaves.filter(isNamedSo) : pick(read.leaves, fields['value']);
  return { ...about, ...secretsIn(leaves.map(({ value }) => tokenIn(value))) };
}

/** What could be a token: one with a control byte, or longer than any, is none and would never be sent. */
function secretsIn(values: readonly string[]): Pick<Sighting, 'secrets' | 'trouble'> {
  const given = values.filter((value) => value !== '');
  const fit = given.filter((value) => value.length <= SECRET_MAX && ![...Buffer.from(value, 'latin1')].some(isControl));
  const trouble = fit.length < given.length ? 'what stands in it can be no token' : undefined;
  return { secrets: fit.map(secretOf), trouble };
}

/** Of a file whose fields no document tells, what is called a token. */
function isNamedSo({ path }: Leaf): boolean {
  return /(?:token|secret|password|key)$/i.test(path.at(-1) ?? '');
}

/** A value of Basic authentication (docker's `auth`) is a user and the token. */
function tokenIn(value: string): string {
  const basic = basicOf(value);
  return basic && /^[\x21-\x7e]+$/.test(basic.secret) ? basic.secret : value;
}
