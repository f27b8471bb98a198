import type { EpochSeconds } from '../../protocol/credential.ts';
import { type Manifest, winnerOf } from '../../protocol/services/index.ts';
import type { Sighting } from './sightings.ts';

/**
 * What a token beside ours is: a `copy` of one that keyhold holds; `older` than what it holds, and another; `another`, of
 * which nobody can tell the age; `unheld`, where keyhold holds none for the service; `unknown`, where it could not be
 * asked.
 */
export type Relation = 'copy' | 'older' | 'another' | 'unheld' | 'unknown';

/** What keyhold says of a sighting: whether it holds the same, and since when what it holds instead. */
export type Comparison =
  | { readonly status: 'same' }
  | { readonly status: 'differs'; readonly storedAt: EpochSeconds }
  | { readonly status: 'unheld' }
  | { readonly status: 'unknown' };

/** Something of a service's own from which its program could take a token in place of ours. */
export type Shadow = {
  readonly service: string;
  readonly source: 'environment' | 'file' | 'keyring';
  /** A variable's name, a path, or an item. Never a value. */
  readonly name: string;
  /** The same in words. */
  readonly what: string;
  /** Whether it is what the service's program takes, as things stand. */
  readonly wins: boolean;
  /** Whether it would win even over the variable that `keyhold exec` sets. */
  readonly winsOverExec: boolean;
  readonly relation: Relation;
  /** Why a file could not be looked into. */
  readonly trouble?: string | undefined;
  /** Permission bits that a file has and must not have, as in `chmod`. */
  readonly excess?: string | undefined;
  /** Where documents say it otherwise. */
  readonly deviation?: string | undefined;
  readonly fix: string;
};

/** Decides, from what was seen and what keyhold says of each, who wins and what is to be done. Pure. */
export function judge(
  manifest: Manifest,
  sightings: readonly Sighting[],
  comparisons: readonly Comparison[] = [],
): Shadow[] {
  const present = sightings.filter(({ secrets, trouble }) => secrets.length > 0 || trouble !== undefined);
  const winner = winnerOf(manifest, placesOf(present));
  const underExec = winnerOf(manifest, [...placesOf(present), 'environment']);
  const firstVariable = present.find(({ source }) => source === 'environment');
  const shadows = present.map((sighting): Shadow => {
    const { source, name, trouble } = sighting;
    const isFirst = source === 'file' || sighting === firstVariable;
    const wins = winner === source && isFirst;
    const winsOverExec = source === 'file' && underExec === 'file';
    const relation = relationOf(sighting, comparisons[sightings.indexOf(sighting)]);
    return {
      service: manifest.id,
      source,
      name,
      what: source === 'file' ? `the file ${name}` : `the variable ${name}`,
      wins,
      winsOverExec,
      relation,
      trouble,
      excess: excessOf(sighting),
      deviation: deviationOf(manifest, source, winsOverExec),
      fix: fixOf(manifest, sighting, winsOverExec),
    };
  });
  return [...shadows, ...keyringOf(manifest, winner)];
}

function placesOf(sightings: readonly Sighting[]): Sighting['source'][] {
  return sightings.map(({ source }) => source);
}

function relationOf({ changedAt, secrets }: Sighting, comparison: Comparison = { status: 'unknown' }): Relation {
  if (secrets.length === 0) return 'unknown';
  if (comparison.status === 'same') return 'copy';
  if (comparison.status !== 'differs') return comparison.status;
  return changedAt !== undefined && changedAt < comparison.storedAt ? 'older' : 'another';
}

function excessOf({ mode = 0, allowed = 0o777 }: Sighting): string | undefined {
  const excess = mode & ~allowed;
  return excess === 0 ? undefined : excess.toString(8).padStart(3, '0');
}

/** What a document says of the one that wins, where the program does otherwise. */
function deviationOf({ env }: Manifest, source: Sighting['source'], winsOverExec: boolean): string | undefined {
  const names = (env?.variables ?? []).map(({ name }) => name);
  const about = env?.deviations?.find(({ documented }) => names.some((name) => documented.includes(name)));
  return about && (winsOverExec || source === 'environment') ? `${about.documented}; really: ${about.real}` : undefined;
}

/** Services whose file `import` knows by the name of the tool. */
const importedAs: Readonly<Record<string, string>> = { 'crates-io': 'cargo', 'docker-hub': 'docker', github: 'gh' };

function fixOf(manifest: Manifest, { source, name }: Sighting, winsOverExec: boolean): string {
  const { id, env, hosts, files = [] } = manifest;
  const runIt = `run its program by: keyhold exec --service ${id} -- COMMAND`;
  if (source === 'environment') {
    return `run: unset ${name}, and take it out of what sets it; ${runIt}`;
  }
  const its = winsOverExec
    ? env?.deviations?.find(({ fix, real }) => fix !== undefined && real.includes('file'))?.fix
    : undefined;
  if (its !== undefined) return its;
  const isKnown = hosts.length > 0 && files.some(({ fields }) => fields?.['value'] !== undefined);
  const takeOut = isKnown
    ? `run: keyhold import --only ${importedAs[id] ?? id} --remove`
    : `take the token out of ${name}`;
  return `${takeOut}; ${runIt}`;
}

/** The item of a keyring that the program would take. It is not opened for this. */
function keyringOf({ id, keyring, env }: Manifest, winner: Sighting['source'] | undefined): Shadow[] {
  if (!keyring || !env?.precedence?.includes('keyring')) return [];
  const order = env.precedence;
  const wins = winner === undefined || order.indexOf('keyring') < order.indexOf(winner);
  const name = `${keyring.service}, ${keyring.account}`;
  return [
    {
      service: id,
      source: 'keyring',
      name,
      what: `the keyring's item ${name}, if there is one`,
      wins,
      winsOverExec: !order.includes('environment') || order.indexOf('keyring') < order.indexOf('environment'),
      relation: 'unknown',
      fix: `see what its own program keeps there; keyhold does not open it`,
    },
  ];
}
