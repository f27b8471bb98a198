import type { Command } from 'commander';
import type { Secret } from '../../../protocol/secret.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { toWire } from '../../../protocol/text.ts';
import type { Connection } from '../../dial.ts';
import { readCatalogue } from '../../services/catalogue.ts';
import { hasDisplay, openPage } from '../../services/open.ts';
import { ask, detail, type Ok, requestOf, withAgent } from '../agent.ts';
import { confirm } from '../confirm.ts';
import { CommandFailure } from '../failure.ts';
import { remark, show } from '../page.ts';
import { addSecretOptions, readSecretOrStdin, type SecretOptions } from '../secret-input.ts';
import { hasPerson } from '../terminal.ts';
import { addDestructiveVerb, type DestructiveOptions } from '../verb.ts';
import { type TokenItem, tokenItems } from './item.ts';
import { resolveToken } from './resolve.ts';
import { drawUses } from './revoke.ts';
import { calledBy, lifeIn, livesText, type Plan, planIn, type Rotated, showEnd, showPlan } from './rotate-page.ts';
import { SERVICE_DEADLINE } from './service-place.ts';
import { checkSecret } from './set.ts';
import { usesOf } from './uses.ts';

type RotateOptions = DestructiveOptions &
  SecretOptions & {
    readonly expiresIn?: string;
    readonly scopes?: string;
    readonly limit?: string;
    readonly as?: string;
    readonly dryRun?: boolean;
    readonly undo?: boolean;
  };

/** `keyhold token rotate`: a new token under the same label; the old one dies when the new one is proved. */
export function addRotate(token: Command): void {
  const command = addDestructiveVerb(token, 'rotate', 'put a new token in the place of one, and end the old one')
    .argument('<token>', 'a label, an id, or how one begins; again: go on where it stopped')
    .option('--dry-run', 'only say how it would be done')
    .option('--undo', 'go back to the old one, as long as it lives')
    .option('--expires-in <time>', 'how long the new one lives: 90d, 24h, never; else as long as the old one')
    .option('--scopes <list>', 'what it may do, separated by commas; else what the old one may')
    .option('--limit <what>', 'what it is narrowed down to')
    .option('--as <token>', 'the held token that makes the calls');
  addSecretOptions(command, 'the new token, where it is made on a page,').action(rotate);
}

async function rotate(word: string, options: RotateOptions): Promise<void> {
  await withAgent(async (agent) => {
    const held = await tokenItems(agent);
    const token = rotatedBy(word, held);
    const actor = options.as === undefined ? undefined : resolveToken(options.as, held);
    const wish = { id: token.id, as: actor?.id, actor: process.env['USER'] && toWire(process.env['USER']) };
    if (options.undo) return undo(agent, token, wish, options);
    const attributes = { ...wish, ...wishOf(options) };
    const { details } = await ask(agent, 'rotate', { attributes: { ...attributes, check: '1' } });
    const plan = planIn(details);
    if (options.dryRun) return showPlan(token, plan, options.json);
    await agree(agent, token, plan, options);
    const pasted = plan.way === 'page' && plan.step === undefined ? await paste(token, plan, options) : undefined;
    try {
      const consent = { shorter: options.yes || plan.isShorter ? '1' : undefined, deleted: deletedBy(plan) };
      const said = await perform(agent, { ...attributes, ...consent, password: pasted }, options);
      showEnd(token, said, options.json);
    } finally {
      pasted?.dispose();
    }
  }, SERVICE_DEADLINE);
}

type Attributes = Readonly<Record<string, string | Secret | undefined>>;

/** Somebody may be asked once more: what the new token's life is shows only when it is made. */
async function perform(agent: Connection, attributes: Attributes, options: RotateOptions): Promise<Ok> {
  const reply = await agent(requestOf('rotate', { attributes }));
  if (reply.status === 'ok') return reply;
  const isShorter = reply.status === 'interaction-required' && detail(reply.details, 'shorter') === '1';
  if (isShorter && hasPerson(options.input)) {
    const lives = livesText(lifeIn(reply.details, 'old_life'), lifeIn(reply.details, 'new_life'));
    await confirm(`${lives} Go on all the same? (No leaves both; see: keyhold token rotate --help)`, options);
    return ask(agent, 'rotate', { attributes: { ...attributes, shorter: '1' } });
  }
  throw new CommandFailure(exitCodeOf(reply.status), reply.message);
}

/** One that is held; else by its whole id one whose rotation outlived it. */
function rotatedBy(word: string, held: readonly TokenItem[]): Rotated {
  try {
    return resolveToken(word, held);
  } catch (error) {
    if (!(error instanceof CommandFailure && error.exitCode === exitCodeOf('not-found'))) throw error;
    if (!/^[0-9a-f]{20}$/.test(word)) throw error;
    return { id: word };
  }
}

function wishOf({ expiresIn, scopes, limit }: RotateOptions) {
  const words = scopes?.split(/[\s,]+/).filter((word) => word !== '');
  const wish = { expires_in: expiresIn, scopes: words?.join(' '), limit };
  return Object.fromEntries(Object.entries(wish).map(([key, value]) => [key, value && toWire(value)]));
}

/** Shows who used it and what is known of the new one, and asks. */
async function agree(agent: Connection, token: Rotated, plan: Plan, options: RotateOptions): Promise<void> {
  const name = calledBy(token);
  for (const warning of plan.warnings) remark(`keyhold: ${warning}`);
  if (plan.step === 'by-hand') return confirm(deletedQuestion(name, plan), options);
  if (plan.step !== undefined) {
    remark(`keyhold: going on with the rotation of ${name}: ${plan.stands}`);
    return confirm(`Go on with the rotation of ${name}? Its old token dies in the end.`, options);
  }
  const uses = await usesOf(agent, [token]);
  if (!options.json && uses.length > 0) show(false, undefined, (page) => drawUses(page, uses));
  if (plan.isShorter) remark(`keyhold: ${livesText(plan.oldLife, plan.newLife)}`);
  const end = plan.way === 'trade' ? 'The old one dies at once.' : 'The old one is revoked when the new one is proved.';
  await confirm(`Rotate ${name}? ${end}`, options);
}

function deletedQuestion(name: string, { page, why }: Plan): string {
  const where = page === undefined ? 'at its service' : `on ${page}`;
  return `Is the old token of ${name} deleted ${where}?${why === undefined ? '' : ` (${why})`}`;
}

function deletedBy({ step }: Plan): string | undefined {
  return step === 'by-hand' ? '1' : undefined;
}

/** The person makes the new one on the service's page and pastes it here. */
async function paste(token: Rotated, { why, page, kind }: Plan, options: RotateOptions): Promise<Secret> {
  if (why !== undefined) remark(`keyhold: ${why}`);
  const name = calledBy(token);
  if (page !== undefined) {
    const opened = options.input && hasDisplay() && (await openPage(page));
    remark(`keyhold: make a token named ${name} ${opened ? 'on the page that opens' : 'here'}: ${page}`);
  }
  const manifest = readCatalogue().manifests.find(({ id }) => id === token.service);
  const secret = await readSecretOrStdin(options, `the new token of ${manifest?.title ?? name}`);
  return manifest === undefined ? secret : checkSecret(secret, manifest, kind, 'the new token', false).secret;
}

async function undo(agent: Connection, token: Rotated, wish: Attributes, options: RotateOptions): Promise<void> {
  const name = calledBy(token);
  if (options.dryRun) {
    const { details } = await ask(agent, 'rotate', { attributes: { ...wish, check: '1' } });
    return showPlan(token, planIn(details), options.json);
  }
  await confirm(`Go back to the old token of ${name}? The new one is revoked.`, options);
  showEnd(token, await ask(agent, 'rotate', { attributes: { ...wish, undo: '1' } }), options.json);
}
