import { fromWire, printable } from '../../protocol/text.ts';
import type { Searched } from '../import/find.ts';
import { prefixOf } from '../import/prefix.ts';
import type { Removal } from '../import/remove.ts';
import type { Entry } from '../import/source.ts';
import type { Taking } from '../import/take.ts';
import { readCatalogue } from '../services/catalogue.ts';
import { CommandFailure } from './failure.ts';
import type { Page } from './page.ts';
import { targetDocument, urlOf } from './target.ts';
import { dropTypedAhead, hasPerson, INTERRUPTED, nobodyToAsk } from './terminal.ts';

export type SearchedWell = Extract<Searched, { status: 'ok' }>;

/** A token that was found, and in which file. */
export type Candidate = { readonly searched: SearchedWell; readonly entry: Entry };

/** What became of one that was chosen. */
export type Outcome = Candidate & { readonly taking: Taking; readonly removal?: Removal | undefined };

type TargetDocument = {
  readonly protocol: string;
  readonly host: string;
  readonly path?: string;
  readonly username?: string;
};

/** Everything that was found, and what became of it, without any value. */
export function documentOf(searched: readonly Searched[], candidates: readonly (Candidate | Outcome)[]) {
  const { manifests } = readCatalogue();
  return {
    tokens: candidates.map((candidate) => ({
      source: candidate.searched.source.name,
      file: candidate.searched.file,
      url: urlOf(candidate.entry.target),
      ...(targetDocument(candidate.entry.target) as TargetDocument),
      prefix: prefixOf(candidate.entry.secret, manifests),
      ...('taking' in candidate ? outcomeDocument(candidate) : { status: 'found' }),
    })),
    passed: searched.flatMap((one) =>
      one.status === 'ok'
        ? one.passed.map(({ path, why }) => ({ source: one.source.name, file: one.file, place: placeOf(path), why }))
        : [],
    ),
    unusable: searched.flatMap((one) =>
      one.status === 'unusable' ? [{ source: one.source.name, file: one.file, why: one.why }] : [],
    ),
  };
}

function outcomeDocument({ taking, removal }: Outcome) {
  return {
    status: taking.status,
    why: taking.status === 'refused' ? taking.why : removal?.why,
    ...(removal ? { removed: removal.removed } : {}),
  };
}

/** Names on the way to a value; a netrc's and git's have none but their number. */
function placeOf(path: readonly string[]): string {
  return path.map(fromWire).join(' › ');
}

export function drawFound(page: Page, searched: readonly Searched[], candidates: readonly Candidate[]): void {
  const { tokens } = documentOf(searched, candidates);
  if (tokens.length === 0) page.line('No tool keeps a token in plaintext, as far as keyhold knows their files.');
  else {
    page.table(
      ['FOR', 'USERNAME', 'PREFIX', 'FILE'],
      tokens.map(({ url, username = '', prefix, file }) => [url, username, prefix, shortened(file)]),
    );
    page.line('Nothing was changed.');
  }
  drawRest(page, searched);
}

export function drawOutcomes(page: Page, searched: readonly Searched[], outcomes: readonly Outcome[]): void {
  const { tokens } = documentOf(searched, outcomes);
  page.table(
    ['FOR', 'USERNAME', 'FILE', 'WHAT'],
    tokens.map(({ url, username = '', file }, at) => [url, username, shortened(file), inWords(outcomes[at]!)]),
    true,
  );
  if (outcomes.some(({ removal }) => removal?.removed)) {
    page.line('Who had read the file before may have the token: rotate what others could see.');
  }
  drawRest(page, searched);
}

function inWords({ taking, removal }: Outcome): string {
  if (taking.status === 'refused') return `not taken: ${taking.why}`;
  if (taking.status === 'differs')
    return 'not taken: another one is held for it, and both stay; pass --replace to change it';
  const taken = taking.status === 'held' ? 'held already' : 'imported';
  if (!removal) return taken;
  return removal.removed ? `${taken}, and out of the file` : `${taken}; still in the file: ${removal.why}`;
}

/** What was seen and left alone, with the reason. */
function drawRest(page: Page, searched: readonly Searched[]): void {
  for (const one of searched) {
    if (one.status === 'unusable') page.line(`Left alone: ${one.file}: ${one.why}`, 'yellow', '  ');
    else {
      for (const { path, why } of one.passed) {
        page.line(`Left in ${one.file}, ${placeOf(path)}: ${why}`, 'yellow', '  ');
      }
    }
  }
}

function shortened(file: string): string {
  const home = process.env['HOME'];
  return home !== undefined && file.startsWith(`${home}/`) ? `~${file.slice(home.length)}` : file;
}

/** Which of them are meant: all where that was said, else what the person marks. */
export async function choose(
  candidates: readonly Candidate[],
  { all, only, input }: { readonly all?: boolean; readonly only: readonly string[]; readonly input: boolean },
): Promise<readonly Candidate[]> {
  if (all) return candidates;
  if (!hasPerson(input) || !process.stderr.isTTY) {
    if (only.length > 0) return candidates;
    throw nobodyToAsk('which tokens are meant', 'pass --all, or --only NAME; to look first: --dry-run');
  }
  const { manifests } = readCatalogue();
  const { multiselect, isCancel } = await import('@clack/prompts');
  dropTypedAhead();
  const picked = await multiselect({
    message: 'Which tokens shall keyhold take in?',
    options: candidates.map(({ searched, entry }, at) => {
      const { username = '' } = targetDocument(entry.target);
      const prefix = prefixOf(entry.secret, manifests);
      const label = [urlOf(entry.target), username, prefix && `${prefix}…`].filter((word) => word !== '').join(' ');
      return { value: at, label: printable(label), hint: printable(shortened(searched.file)) };
    }),
    initialValues: candidates.map((_, at) => at),
    required: true,
    output: process.stderr,
  });
  if (isCancel(picked)) throw new CommandFailure(INTERRUPTED, 'interrupted; nothing was changed');
  return picked.map((at) => candidates[at]!);
}

/** Whether anything that was meant is not where it was meant to be. */
export function isIncomplete(searched: readonly Searched[], outcomes: readonly Outcome[]): boolean {
  return (
    searched.some(({ status }) => status === 'unusable') ||
    outcomes.some(
      ({ taking, removal }) =>
        taking.status === 'refused' || taking.status === 'differs' || (removal !== undefined && !removal.removed),
    )
  );
}
