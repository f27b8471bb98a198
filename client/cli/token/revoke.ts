import type { Command } from 'commander';
import { exitCodeOf } from '../../../protocol/status.ts';
import { fromWire, toWire } from '../../../protocol/text.ts';
import type { Connection } from '../../dial.ts';
import { detail, requestOf, withAgent } from '../agent.ts';
import { confirm } from '../confirm.ts';
import { CommandFailure } from '../failure.ts';
import { type Page, show } from '../page.ts';
import { addDestructiveVerb, type DestructiveOptions } from '../verb.ts';
import { type Doomed, type DoomedOptions, doomedOf, hasList, isWordAlone, nameOfDoomed } from './doomed.ts';
import { type TokenItem, tokenItems } from './item.ts';
import { resolveToken } from './resolve.ts';
import { addServicePlace, SERVICE_DEADLINE } from './service-place.ts';
import { usesOf } from './uses.ts';

type RevokeOptions = DoomedOptions & DestructiveOptions & { readonly reason?: string; readonly as?: string };

/** How it ended for one of them. */
type Result = {
  readonly token: Doomed;
  readonly exitCode: number;
  readonly message?: string;
  readonly upstream?: string | undefined;
  readonly probe?: string | undefined;
  readonly recheck?: readonly string[];
  readonly note?: string | undefined;
  /** The agent looks again by itself. */
  readonly watched?: boolean;
};

/** `keyhold token revoke`: at the service, then here; a probe shows that it is dead. */
export function addRevoke(token: Command): void {
  addServicePlace(addDestructiveVerb(token, 'revoke', 'end tokens at their service, and here'))
    .argument('[tokens...]', 'labels, ids, or beginnings of ids')
    .option('--all', 'every token of the service; with --user every one of that user')
    .option('--user <id>', "another user's tokens, by their id (for administrators)")
    .option('--kind <kind>', 'tokens of this kind')
    .option('--reason <text>', 'why, for the log and the tombstone')
    .option('--as <token>', 'the held token that makes the call')
    .action(revoke);
}

async function revoke(words: readonly string[], options: RevokeOptions): Promise<void> {
  await withAgent(async (agent) => {
    const held = await tokenItems(agent);
    const doomed = await doomedOf(agent, words, held, options);
    await revokeAll(agent, doomed, held, options);
  }, SERVICE_DEADLINE);
}

/** Shows who used them, asks, and revokes one after the other; the first that fails gives the exit code. */
export async function revokeAll(
  agent: Connection,
  doomed: readonly Doomed[],
  held: readonly TokenItem[],
  options: DestructiveOptions & Pick<RevokeOptions, 'reason' | 'as' | 'kind'>,
): Promise<void> {
  const asked = options.as === undefined ? undefined : resolveToken(options.as, held);
  const able = await thoseThatCan(agent, doomed, asked?.id);
  const uses = await usesOf(agent, able.doomed);
  if (!options.json && uses.length > 0) show(false, undefined, (page) => drawUses(page, uses));
  const what = able.doomed.length === 1 ? nameOfDoomed(able.doomed[0]!) : `these ${able.doomed.length} tokens`;
  if (able.doomed.length > 0)
    await confirm(`Revoke ${what}? It cannot be undone, and what uses it fails at its next call.`, options);
  const results: Result[] = [];
  for (const one of able.doomed) results.push(await revokeOne(agent, one, asked?.id, options));
  results.push(...able.refused);
  const failed = results.find(({ exitCode }) => exitCode !== 0);
  const document = results.map(({ token: { place: _, ...token }, ...rest }) => ({ token, ...rest }));
  show(options.json, { results: document, uses }, (page) => {
    for (const result of results) drawResult(page, result);
  });
  if (failed)
    throw new CommandFailure(failed.exitCode, results.length === 1 && !options.json ? (failed.message ?? '') : '');
}

/** Before anybody is asked: what cannot be revoked is said first. An agent of before does not know the question, and says so later. */
async function thoseThatCan(
  agent: Connection,
  doomed: readonly Doomed[],
  as: string | undefined,
): Promise<{ readonly doomed: readonly Doomed[]; readonly refused: readonly Result[] }> {
  const able: Doomed[] = [];
  const refused: Result[] = [];
  for (const token of doomed) {
    // What only the service knows, and what is revoked anew, has its id already.
    if (token.place || token.id === undefined || 'revokedAt' in token) {
      able.push(token);
      continue;
    }
    const reply = await agent(requestOf('revoke', { attributes: { id: token.id, as, check: '1' } }));
    if (reply.status === 'ok') able.push(token);
    else refused.push({ token, exitCode: exitCodeOf(reply.status), message: reply.message });
  }
  return { doomed: able, refused };
}

async function revokeOne(
  agent: Connection,
  token: Doomed,
  as: string | undefined,
  { reason, kind }: Pick<RevokeOptions, 'reason' | 'kind'>,
): Promise<Result> {
  const common = { as, reason: reason && toWire(reason), actor: process.env['USER'] && toWire(process.env['USER']) };
  const { place } = token;
  const request = place
    ? requestOf('revoke', {
        target: place.target,
        attributes: {
          ...common,
          service: place.manifest.id,
          token_id: toWire(token.tokenId ?? ''),
          kind: kind ?? token.kind,
        },
      })
    : requestOf('revoke', { attributes: { ...common, id: token.id } });
  const reply = await agent(request);
  if (reply.status !== 'ok') return { token, exitCode: exitCodeOf(reply.status), message: reply.message };
  const { details = [] } = reply;
  const probe = detail(details, 'probe');
  return {
    token,
    // It was confirmed, and it still works: somebody must look at that.
    exitCode: probe === 'alive' ? 1 : 0,
    ...(probe === 'alive' && { message: `${nameOfDoomed(token)} still works although its service confirmed the end` }),
    upstream: detail(details, 'upstream'),
    probe,
    recheck: details.filter(([key]) => key === 'recheck[]').map(([, value]) => fromWire(value)),
    note: detail(details, 'note'),
    watched: detail(details, 'watched') === '1',
  };
}

/** Who used tokens lately, before they die. */
export function drawUses(page: Page, uses: Awaited<ReturnType<typeof usesOf>>): void {
  page.line('Used in the last days:', 'bold');
  for (const { name, text } of uses) page.line(`- ${name}: ${text}`, undefined, '  ');
}

function drawResult(page: Page, { token, exitCode, message, upstream, probe, ...later }: Result): void {
  const name = nameOfDoomed(token);
  if (exitCode !== 0) return void page.line(`${name}: ${message}`, 'red');
  const proof = probe === 'dead' ? '; a probe shows that it is dead' : '';
  page.line(upstream === 'gone' ? `${name} was gone there already${proof}.` : `Revoked ${name}${proof}.`, 'green');
  // A mistyped id looks the same: some services answer 404 to it, and others confirm every id that has the right form.
  if (isWordAlone(token) && (upstream === 'gone' || hasList(token.place)))
    page.line('No list shows it; if the name may be mistyped, see: keyhold token list --remote', 'yellow');
  drawRecheck(page, later);
}

/** When to look whether it stays dead, where the service may forget that. */
export function drawRecheck(page: Page, { recheck = [], note, watched }: Pick<Result, 'recheck' | 'note' | 'watched'>) {
  if (recheck.length === 0) return;
  const times = recheck.join(', ');
  const what = watched
    ? `The agent looks again after ${times}; keyhold status says if it works once more.`
    : `Look again after ${times}.`;
  page.line(`${note} ${what}`, 'yellow');
}
