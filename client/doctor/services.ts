import { KeyholdError } from '../../protocol/errors.ts';
import { belongsTo, type Manifest } from '../../protocol/services/index.ts';
import { type Connection, dial } from '../dial.ts';
import { readCatalogue } from '../services/catalogue.ts';
import { compareSightings, type Holding, holdingsFor, holdingsOf } from './compare.ts';
import { type Finding, mend, note } from './finding.ts';
import { checkPlaintext } from './plaintext.ts';
import { judge, type Shadow } from './shadows.ts';
import { disposeSightings, type Environment, sightingsOf } from './sightings.ts';
import { checkWorkplace } from './workplace.ts';

/** Milliseconds that the agent may take for each answer; a keyring is read for some. */
const DEADLINE = 5_000;

export type Shadowed = { readonly findings: readonly Finding[]; readonly shadows: readonly Shadow[] };

/** What of each service's own stands beside what keyhold holds for it. The agent is asked, and not started for this. */
export async function checkServices(environment: Environment = process.env): Promise<Shadowed> {
  const manifests = known();
  let agent: Connection | undefined;
  try {
    agent = await dial({ deadline: DEADLINE });
  } catch (error) {
    // That it does not answer is another check's to say.
    if (!(error instanceof KeyholdError)) throw error;
  }
  try {
    const holdings = agent && (await holdingsOf(agent));
    const findings: Finding[] = [];
    const shadows: Shadow[] = [];
    for (const manifest of manifests) {
      const mine = await shadowsFor(manifest, environment, agent, holdings);
      // Nothing is held for it and nothing lies around: whether a keyring has an item is of no interest here.
      const shown = mine.filter(
        ({ source }) => source !== 'keyring' || holdingsFor(manifest, holdings ?? []).length > 0,
      );
      shadows.push(...shown);
      findings.push(...shown.flatMap(findingsOf), ...checkEndpoints(manifest, environment));
    }
    findings.push(...(await checkPlaintext(environment, agent, holdings)), ...(await checkWorkplace(manifests)));
    return { findings, shadows };
  } finally {
    agent?.close();
  }
}

/** The shadows of one service, compared with what the agent holds where it can be asked. */
export async function shadowsFor(
  manifest: Manifest,
  environment: Environment,
  agent?: Connection,
  held?: readonly Holding[] | (() => Promise<readonly Holding[] | undefined>),
): Promise<Shadow[]> {
  const sightings = await sightingsOf(manifest, environment);
  // What is not there needs no comparison, and the agent no question.
  if (sightings.length === 0) return judge(manifest, sightings, undefined);
  try {
    const holdings = typeof held === 'function' ? await held() : held;
    const compared = agent && holdings && (await compareSightings(agent, sightings, holdingsFor(manifest, holdings)));
    return judge(manifest, sightings, compared);
  } finally {
    disposeSightings(sightings);
  }
}

const relations: Readonly<Record<Shadow['relation'], string>> = {
  copy: 'a copy of what keyhold holds, until that changes',
  older: 'another token, older than what keyhold holds',
  another: 'another token than keyhold holds',
  unheld: 'a token of which keyhold holds none',
  unknown: 'not compared with what keyhold holds',
};

/** A shadow in one line for people, and its fix in another. */
export function inWords({ what, wins, relation, trouble, deviation }: Shadow): string {
  const place = wins ? 'wins over this' : 'also there';
  const about = trouble === undefined ? relations[relation] : trouble;
  return `${place}: ${what} (${about})${deviation === undefined ? '' : `; documents say: ${deviation}`}`;
}

function findingsOf(shadow: Shadow): Finding[] {
  const { service, what, relation, trouble, wins, winsOverExec, excess, name, fix, deviation } = shadow;
  const about = trouble === undefined ? relations[relation] : trouble;
  const rank = winsOverExec ? ', and wins over keyhold exec' : wins ? ', and wins' : '';
  const otherwise = deviation === undefined ? '' : `. Documents say: ${deviation}`;
  const text = `${service}: ${what} has ${about}${rank}${otherwise}`;
  const isOther = relation === 'another' || relation === 'older';
  const found = (isOther && wins) || (winsOverExec && relation !== 'copy' && relation !== 'unheld') ? mend : note;
  const modes =
    excess === undefined
      ? []
      : [mend('shadows', `${service}: others may open ${name} (mode ${excess} too much)`, `run: chmod go= ${name}`)];
  return [
    shadow.source === 'keyring'
      ? note('shadows', `${service}: its program looks into ${what}`, fix)
      : found('shadows', text, fix),
    ...modes,
  ];
}

/** Variables that send a service's program, and its token, to another server than the service's. */
function checkEndpoints(manifest: Manifest, environment: Environment): Finding[] {
  const { id, title, env } = manifest;
  return (env?.variables ?? []).flatMap(({ name, holds }) => {
    const value = environment[name];
    if (holds !== 'endpoint' || !value) return [];
    const url = value.includes('://') ? value : `https://${value}`;
    if (belongsTo(url, manifest)) return [];
    const what = `${id}: ${name} names a server that is none of ${title}: requests there end with 401, and its token goes there`;
    return [mend('shadows', what, `run: unset ${name}; see: keyhold service show ${id}`)];
  });
}

function known(): readonly Manifest[] {
  try {
    return readCatalogue().manifests;
  } catch (error) {
    if (error instanceof KeyholdError) return [];
    throw error;
  }
}
