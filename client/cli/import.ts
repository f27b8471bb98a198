import type { Command } from 'commander';
import { identityOf } from '../../protocol/credential.ts';
import { frontOf } from '../../protocol/fronts.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import type { Connection } from '../dial.ts';
import { searchPlaintext } from '../import/find.ts';
import { sources } from '../import/index.ts';
import { type ImportJournal, openImportJournal } from '../import/journal.ts';
import { removeTaken } from '../import/remove.ts';
import { serviceSources } from '../import/services.ts';
import { isDurable, Taker } from '../import/take.ts';
import { groundOf } from '../install/ground.ts';
import { readCatalogue } from '../services/catalogue.ts';
import { withAgent } from './agent.ts';
import { askYesNo, canAsk, confirm } from './confirm.ts';
import { CommandFailure } from './failure.ts';
import {
  type Candidate,
  choose,
  documentOf,
  drawFound,
  drawOutcomes,
  isIncomplete,
  type Outcome,
} from './import-page.ts';
import { remark, show } from './page.ts';
import { targetDocument, urlOf } from './target.ts';
import { addDestructiveVerb, type DestructiveOptions } from './verb.ts';

type ImportOptions = DestructiveOptions & {
  readonly only: readonly string[];
  readonly all?: boolean;
  readonly remove?: boolean;
  readonly replace?: boolean;
  readonly dryRun?: boolean;
};

/** `keyhold import`: tokens that tools keep in plaintext, taken into keyhold, and on request out of the files. */
export function addImport(program: Command): void {
  addDestructiveVerb(program, 'import', 'take in the tokens that other tools keep in plaintext')
    .option(
      '--only <name>',
      `only those of one tool (${sources.map(({ name }) => name).join(', ')}) or service`,
      gather,
      [],
    )
    .option('--all', 'take all that are found, without asking which')
    .option('--remove', 'then take them out of the files')
    .option('--replace', 'also where another token is held already')
    .option('--dry-run', 'show what there is, and change nothing')
    .action(importTokens);
}

function gather(name: string, before: readonly string[]): readonly string[] {
  return [...before, name];
}

async function importTokens(options: ImportOptions): Promise<void> {
  const { only, json, dryRun = false, remove = false } = options;
  const all = [...sources, ...serviceSources(readCatalogue().manifests)];
  if (!only.every((name) => all.some((source) => source.name === name))) {
    const names = [...new Set(all.map(({ name }) => name))].join(', ');
    throw new CommandFailure(exitCodeOf('bad-request'), `cannot import: --only takes one of ${names}`);
  }
  const { home, environment, places } = groundOf();
  const journal = openImportJournal(places);
  if (!dryRun) tellCutOff(journal.recover());
  const searched = await searchPlaintext({ home, environment }, only, all);
  const candidates = searched.flatMap((one): Candidate[] =>
    one.status === 'ok' ? one.entries.map((entry) => ({ searched: one, entry })) : [],
  );
  try {
    if (dryRun || candidates.length === 0) {
      show(json, { ...documentOf(searched, candidates), dryRun }, (page) => drawFound(page, searched, candidates));
      return;
    }
    const chosen = await choose(candidates, options);
    if (remove) await confirm(question(chosen), options);
    const first = await withAgent((agent) => takeAll(agent, chosen, options));
    const taken = await withReplaced(first, options);
    const outcomes = remove ? await removeAll(taken, journal) : taken;
    show(json, { ...documentOf(searched, outcomes), dryRun }, (page) => drawOutcomes(page, searched, outcomes));
    if (isIncomplete(searched, outcomes)) throw new CommandFailure(1, '');
  } finally {
    for (const { entry } of candidates) entry.secret.dispose();
    for (const one of searched) if (one.status === 'ok') one.bytes.fill(0);
  }
}

function tellCutOff(files: readonly string[]): void {
  if (files.length === 0) return;
  remark(
    `keyhold: an earlier import was cut off; every token is in its file, in keyhold, or both: ${files.join(', ')}`,
  );
}

function question(chosen: readonly Candidate[]): string {
  const files = new Set(chosen.map(({ searched }) => searched.file)).size;
  const tokens = chosen.length === 1 ? 'one token' : `${chosen.length} tokens`;
  return `Take ${tokens} in, and out of ${files === 1 ? 'its file' : `${files} files`}?`;
}

async function takeAll(
  agent: Connection,
  chosen: readonly Candidate[],
  { remove, replace = false }: ImportOptions,
): Promise<Outcome[]> {
  if (remove && !(await isDurable(agent))) {
    const why = 'what keyhold holds now rests nowhere, and would be gone with the agent; see: keyhold backend list';
    throw new CommandFailure(exitCodeOf('unsupported'), `cannot take tokens out of files: ${why}`);
  }
  const taker = await Taker.open(agent);
  const outcomes = new Map<Candidate, Outcome>();
  for (const { candidate, isFirst } of inTakingOrder(chosen)) {
    const origin = `keyhold import from ${candidate.searched.file}`;
    const front = frontOf(candidate.searched.source.name);
    const taking = await taker.take(candidate.entry, { replace: replace && isFirst, origin, front });
    outcomes.set(candidate, { ...candidate, taking });
  }
  return chosen.map((candidate) => outcomes.get(candidate)!);
}

/**
 * Asks about each token in whose place another one is held, and takes those that the person wants instead. Where that cannot be
 * asked, and at every answer but yes, both stay: the one that is held, and the one in the file.
 */
async function withReplaced(outcomes: readonly Outcome[], options: ImportOptions): Promise<readonly Outcome[]> {
  if (options.replace || options.yes || !canAsk(options.input)) return outcomes;
  const firsts = new Set(inTakingOrder(outcomes).flatMap(({ candidate, isFirst }) => (isFirst ? [candidate] : [])));
  const agreed = new Set<Candidate>();
  for (const outcome of outcomes) {
    if (outcome.taking.status !== 'differs' || !firsts.has(outcome)) continue;
    const { target } = outcome.entry;
    const { username } = targetDocument(target);
    const who = username === undefined ? urlOf(target) : `${username} at ${urlOf(target)}`;
    const question = `Another token is held for ${who}. Replace it by the one in ${outcome.searched.file}?`;
    if (await askYesNo(question)) agreed.add(outcome);
  }
  if (agreed.size === 0) return outcomes;
  return withAgent(async (agent) => {
    const again = await takeAll(agent, [...agreed], { ...options, replace: true });
    const taken = new Map([...agreed].map((outcome, at) => [outcome, again[at]!]));
    return outcomes.map((outcome) => taken.get(outcome) ?? outcome);
  });
}

/**
 * The order in which tokens are given to the agent, so that afterwards it serves what the programs used before. Of several for
 * one place and user the first found is the one; of several users the first found is stored last, because among equals the
 * agent serves the one stored last. `isFirst`: it may take the place of one that is held.
 */
export function inTakingOrder(chosen: readonly Candidate[]): { candidate: Candidate; isFirst: boolean }[] {
  const firsts = new Map<string, Candidate>();
  for (const candidate of chosen) {
    const place = identityOf(candidate.entry.target);
    if (!firsts.has(place)) firsts.set(place, candidate);
  }
  const first = new Set(firsts.values());
  return [
    ...[...first].reverse().map((candidate) => ({ candidate, isFirst: true })),
    ...chosen.filter((candidate) => !first.has(candidate)).map((candidate) => ({ candidate, isFirst: false })),
  ];
}

/** Takes those out of their files that are held for certain, and of the others nothing. */
async function removeAll(outcomes: readonly Outcome[], journal: ImportJournal): Promise<Outcome[]> {
  const safe = outcomes.filter(({ taking: { status } }) => status === 'imported' || status === 'held');
  const files = [...new Set(safe.map(({ searched }) => searched))];
  const removals = await removeTaken(
    files.map((searched) => ({
      searched,
      entries: safe.filter((outcome) => outcome.searched === searched).map(({ entry }) => entry),
    })),
    journal,
  );
  return outcomes.map((outcome) => ({ ...outcome, removal: removals.find(({ entry }) => entry === outcome.entry) }));
}
