import { type Command, Option } from 'commander';
import type { Seconds, Target } from '../../protocol/credential.ts';
import { frontOf } from '../../protocol/fronts.ts';
import { adapters } from '../../protocol/tools/index.ts';
import type { Connection } from '../dial.ts';
import { holdingsOf } from '../doctor/compare.ts';
import type { GitHelper } from '../doctor/git.ts';
import { gitChain, gitTakesAuthtype } from '../doctor/git-chain.ts';
import { inWords, shadowsFor } from '../doctor/services.ts';
import type { Shadow } from '../doctor/shadows.ts';
import { MARKER } from '../exec/plan.ts';
import { serviceOf } from '../services/named.ts';
import { ask, detail, documents, type Ok, requestOf, withAgent } from './agent.ts';
import { type Page, show } from './page.ts';
import { localTime } from './status.ts';
import { targetDocument, targetOf, urlOf } from './target.ts';
import { addVerb, FOR, type VerbOptions } from './verb.ts';

type ExplainOptions = VerbOptions & { readonly for: string; readonly username?: string; readonly tool?: string };

/** What stands around the agent: what a tool would take in its place, or ask before it. */
type Surroundings = {
  readonly service: string | undefined;
  /** git's helpers for this target in its order; undefined where git is not meant or cannot be asked. */
  readonly helpers: readonly GitHelper[] | undefined;
  readonly shadows: readonly Shadow[];
};

/** `keyhold token explain`: asks nobody and extends no lease; a backend is read only to compare what wins over it. */
export function addExplain(token: Command): void {
  addVerb(token, 'explain', 'which token would be given and why; never a value')
    .requiredOption('--for <url>', FOR)
    .option('--username <name>', 'whose it is')
    .addOption(new Option('--tool <name>', 'who asks').choices(adapters.map(({ name }) => name)))
    .action(explain);
}

async function explain({ for: url, username, tool, json }: ExplainOptions): Promise<void> {
  const target = targetOf(url, username);
  const [answer, around] = await withAgent(async (agent) => {
    const answered = await answerFor(tool, target, agent);
    return [answered, await surroundingsOf(target, tool, agent)] as const;
  });
  show(json, documentOf(target, tool, answer, around), (page) => draw(page, target, tool, answer, around));
}

/** As the tool's adapter would ask: for the very path, and then for the whole host where it serves that. */
async function answerFor(tool: string | undefined, target: Target, agent: Connection): Promise<Ok> {
  const asks = adapters.find(({ name }) => name === tool)?.asks;
  if (!asks) return question(agent, target, takesAuthtype(tool));
  const more = { attributes: { exact_path: '1' }, front: frontOf(tool), minTtl: asks.minTtl };
  const exact = await question(agent, target, asks.authtype, more);
  const isMiss = detail(exact.details, 'outcome') === 'not-found';
  if (!isMiss || !asks.wholeHost || target.path === undefined) return exact;
  return question(agent, { ...target, path: undefined }, asks.authtype, more);
}

async function question(
  agent: Connection,
  target: Target,
  authtype: boolean,
  more: {
    attributes?: Readonly<Record<string, string>>;
    front?: string | undefined;
    minTtl?: Seconds | undefined;
  } = {},
): Promise<Ok> {
  const { attributes = {}, front, minTtl } = more;
  const request = requestOf('explain', { target, attributes });
  const reply = await agent({ ...request, front, minTtl, capabilities: { ...request.capabilities, authtype } });
  // The same refusal as any other question's.
  return reply.status === 'ok' ? reply : await ask(agent, 'explain', { target });
}

/** git from 2.46 on, and our own line protocol; of any other tool only what its adapter says would be known. */
function takesAuthtype(tool: string | undefined): boolean {
  if (tool === undefined || tool === 'keyhold') return true;
  return tool === 'git' && gitTakesAuthtype();
}

async function surroundingsOf(target: Target, tool: string | undefined, agent: Connection): Promise<Surroundings> {
  const manifest = serviceOf(target);
  const holdings = manifest && (() => holdingsOf(agent, manifest.id));
  return {
    service: manifest?.id,
    helpers: tool === undefined || tool === 'git' ? gitChain(target) : undefined,
    shadows: manifest ? await shadowsFor(manifest, process.env, agent, holdings) : [],
  };
}

const DETAILS = ['outcome', 'rule', 'profile', 'profile_by', 'profile_folder', 'account', 'backend', 'state', 'human'];

function documentOf(target: Target, tool: string | undefined, { details }: Ok, around: Surroundings) {
  return {
    ...targetDocument(target),
    tool,
    ...Object.fromEntries(DETAILS.map((key) => [key, detail(details, key)])),
    held: Number(detail(details, 'candidates')),
    candidates: documents(details, 'candidate[]'),
    service: around.service,
    helpers: around.helpers,
    shadows: around.shadows,
    insideExec: process.env[MARKER] !== undefined,
  };
}

function draw(
  page: Page,
  target: Target,
  tool: string | undefined,
  { details }: Ok,
  { service, helpers, shadows }: Surroundings,
): void {
  const of = (key: string) => detail(details, key);
  const outcome = of('outcome') ?? '?';
  const account = of('account');
  const candidates = documents(details, 'candidate[]');
  const refresh = refreshInWords(
    candidates.find(({ verdict }) => verdict === 'given' || verdict === 'expired')?.refresh,
  );
  page.facts([
    ['for', `${urlOf(target)}${service === undefined ? '' : ` (${service})`}`],
    ['outcome', outcome, outcome === 'ok' ? 'green' : 'yellow'],
    ...(of('rule') === undefined ? [] : [['rule', rules[of('rule')!] ?? of('rule')!] as const]),
    ['profile', profileInWords(of, account)],
    ['backend', `${of('backend')}, ${of('state')}`],
    ['a person', `would be asked: ${of('human')}`],
    ...(refresh === undefined ? [] : [['refresh', refresh] as const]),
  ]);
  const front = frontOf(tool);
  if (candidates.length > 0) {
    page.table(
      ['', 'PATH', 'USERNAME', 'SINCE', ...(front === undefined ? [] : ['LISTED']), 'WHY'],
      candidates.map((candidate, at) => [
        candidate.verdict === 'given' ? '>' : `${at + 1}`,
        textOf(candidate.path),
        textOf(candidate.username),
        typeof candidate.storedAt === 'number' ? localTime(candidate.storedAt) : '',
        ...(front === undefined ? [] : [isListed(candidate, front) ? 'yes' : 'no']),
        whyOf(candidate),
      ]),
    );
  }
  const more = Number(of('candidates')) - candidates.length;
  if (more > 0) page.line(`and ${more} more for this host.`);
  for (const line of helperLines(helpers)) page.line(line, 'yellow', '  ');
  for (const shadow of shadows) {
    page.line(inWords(shadow), 'yellow', '  ');
    page.line(`  ${shadow.fix}`, undefined, '  ');
  }
}

const rules: Readonly<Record<string, string>> = {
  only: 'nothing else matches',
  profile: 'the account of the profile comes first',
  refused: 'the one that comes first was refused in this folder a moment ago',
  remembered: 'the account that was used before in this folder comes first',
  front: 'docker is given its own first, and other tools what docker alone has not brought',
  scope: 'one that is kept for the whole host comes before one for a path',
  purpose: 'a login comes before a token that was made for a purpose',
  last: 'of several that match, the one stored last',
};

const verdicts: Readonly<Record<string, string>> = {
  given: 'would be given',
  next: 'would be next',
  expired: 'is past its expiry',
  'other-path': 'has another path',
  'other-username': 'has another username',
  'authtype-not-offered': 'is of a kind that the tool does not take',
};

/** How the refresh of a login stands: what the agent says of the one that is meant. */
function refreshInWords(refresh: unknown): string | undefined {
  if (typeof refresh !== 'object' || refresh === null) return undefined;
  const { state, refreshedAt, dueAt, retryAt, command } = refresh as Record<string, unknown>;
  const at = (before: string, time: unknown) => (typeof time === 'number' ? [`${before} ${localTime(time)}`] : []);
  const next = { well: typeof dueAt === 'number' ? [] : ['next when it is asked for'], 'under-way': ['under way'] };
  return [
    ...at('the token is of', refreshedAt),
    ...(next[state as keyof typeof next] ?? []),
    ...(state === 'ended' ? ['the login has ended'] : []),
    ...(state === 'unknown' ? ['one was cut off, and its outcome is not known'] : []),
    ...at('next due', dueAt),
    ...at('its provider failed and is left alone until', retryAt),
    ...(typeof command === 'string' ? [`run: ${command}`] : []),
  ].join('; ');
}

function whyOf({ verdict, leaseLeft, memoryOnly }: Record<string, unknown>): string {
  const why = verdicts[String(verdict)] ?? String(verdict);
  if (verdict !== 'given' && verdict !== 'next') return why;
  if (typeof leaseLeft !== 'number') return `${why}, after it is read`;
  return `${why}, in memory${memoryOnly === true ? ' only' : ''} for ${Math.ceil(leaseLeft / 60)} min`;
}

function isListed({ fronts }: Record<string, unknown>, front: string): boolean {
  return Array.isArray(fronts) && fronts.includes(front);
}

function profileInWords(of: (key: string) => string | undefined, account: string | undefined): string {
  const name = of('profile');
  if (name === undefined) return 'none is in force';
  const folder = of('profile_folder');
  const by = folder === undefined ? `by ${of('profile_by')}` : `by the folder ${folder}`;
  return `${name}, ${by}${account === undefined ? '' : `: account ${account}`}`;
}

function helperLines(helpers: readonly GitHelper[] | undefined): string[] {
  if (helpers === undefined) return [];
  const ours = helpers.findIndex((helper) => helper.ours);
  if (ours < 0) return ['git does not ask keyhold for this; run: keyhold setup git'];
  return helpers.flatMap(({ program, origin, ours: isOurs }, at) =>
    isOurs ? [] : [`git asks ${program} ${at < ours ? 'before' : 'after'} keyhold (${origin})`],
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
