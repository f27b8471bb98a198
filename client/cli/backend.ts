import { Argument, type Command } from 'commander';
import type { CredentialReply } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import { heapSecret } from '../../protocol/secret.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { ask, detail, documents, requestOf, withAgent } from './agent.ts';
import { followBackend } from './config.ts';
import { confirm } from './confirm.ts';
import { CommandFailure } from './failure.ts';
import { show } from './page.ts';
import { withProgress } from './progress.ts';
import { addSecretOptions, isPiped, readSecret, readSecretLines, type SecretOptions } from './secret-input.ts';
import { hasPerson, nobodyToAsk, readHidden } from './terminal.ts';
import { addDestructiveVerb, addNoun, addVerb, type DestructiveOptions, type VerbOptions } from './verb.ts';

/** Milliseconds for what touches every credential: 10,000 of them in a keyring, a few milliseconds each, and a key. */
const LONG = 600_000;
const names = ['keyring', 'vault', 'memory'];

/** `keyhold backend`: where credentials rest. */
export function addBackend(program: Command): void {
  const backend = addNoun(program, 'backend', 'where tokens rest');
  addVerb(backend, 'list', 'the backends, and which could serve').action(list);
  addVerb(backend, 'use', 'rest tokens elsewhere from now on').addArgument(backendName()).action(use);
  addDestructiveVerb(backend, 'migrate', 'carry everything to another backend, then use that')
    .addArgument(backendName())
    .action(migrate);
  addSecretOptions(
    addVerb(backend, 'passphrase', "set or change the vault's passphrase"),
    'the passphrases, one a line',
  )
    .option('--remove', 'back to a key file beside the vault')
    .option('--keyring', 'no passphrase: the key rests in your keyring')
    .action(passphrase);
  addDestructiveVerb(backend, 'undo', "undo a change of the vault's key, or a migrate to the memory, within a day")
    .option('--drop', 'make the change final now instead')
    .action(undo);
}

async function undo(options: DestructiveOptions & { readonly drop?: boolean }): Promise<void> {
  const question = options.drop
    ? 'Make the change final: the former key opens the vault no more, or the copies of what is in memory are removed?'
    : 'Go back: let the former key open the vault, and no passphrase, or carry what is in memory back to where it was?';
  await confirm(question, options);
  const attributes = options.drop ? { drop: '1' } : {};
  await withAgent((agent) => ask(agent, 'backend-undo', { attributes }), LONG);
  show(options.json, { undone: !options.drop }, (page) =>
    page.line(options.drop ? 'The change is final.' : 'The change is undone.'),
  );
}

function backendName(): Argument {
  return new Argument('<name>', 'which one').choices(names);
}

async function list({ json }: VerbOptions): Promise<void> {
  const { details } = await withAgent((agent) => ask(agent, 'backend-list'));
  const items = documents(details, 'item[]');
  show(json, { items }, (page) => {
    page.table(
      ['BACKEND', 'IN USE', 'USABLE', 'WHAT'],
      items.map((item) => [text(item.name), mark(item.inUse), mark(item.usable), text(item.what)]),
      true,
    );
  });
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function mark(value: unknown): string {
  return value === true ? 'yes' : 'no';
}

async function use(name: string, { json }: VerbOptions): Promise<void> {
  await withAgent((agent) => ask(agent, 'backend-use', { attributes: { name } }), LONG);
  if (name !== 'memory') await followBackend(name);
  show(json, { backend: name }, (page) => page.line(`New tokens rest in the backend ${name} from now on.`));
}

async function migrate(name: string, options: DestructiveOptions): Promise<void> {
  const question =
    name === 'memory'
      ? 'Hold everything in memory only? What is stored from then on ends with the agent.'
      : `Carry everything to the backend ${name}, and remove it from where it rests now?`;
  await confirm(question, options);
  const { details, message } = await withProgress(
    withAgent((agent) => ask(agent, 'backend-migrate', { attributes: { name } }), LONG),
  );
  if (name !== 'memory') await followBackend(name);
  const carried = Number(detail(details, 'carried') ?? 0);
  const left = documents(details, 'left[]');
  const more = Number(detail(details, 'left_more') ?? 0);
  const staying = left.length > 0 && { left, ...(more > 0 && { leftMore: more }) };
  show(options.json, { backend: name, carried, ...staying }, (page) => {
    page.line(
      `Carried ${carried} ${carried === 1 ? 'token' : 'tokens'} to the backend ${name}, which is used from now on.`,
    );
    if (message !== undefined) page.line(`Note: ${message}`);
    if (left.length === 0) return;
    page.line('These stay where they were:');
    page.table(
      ['TOKEN', 'SERVER', 'WHY'],
      left.map((one) => [
        text(one.label) || text(one.username) || text(one.id),
        `${text(one.protocol)}://${text(one.host)}`,
        one.why === 'not-removed'
          ? 'its copy could not be removed; run: keyhold doctor --repair'
          : 'its record is damaged',
      ]),
      true,
    );
    if (more > 0) page.line(`and ${more} more`);
  });
}

type PassphraseOptions = SecretOptions & {
  readonly remove?: boolean | undefined;
  readonly keyring?: boolean | undefined;
};

async function passphrase(chosen: PassphraseOptions): Promise<void> {
  const options = { ...chosen, remove: chosen.remove || chosen.keyring };
  // Where there is no passphrase until now, none need be asked for to have none.
  let reply = options.remove ? await change({}, options) : undefined;
  if (reply === undefined || reply.status === 'interaction-required') {
    const words = isPiped(options) ? await readGiven(options) : await askBoth(options);
    try {
      reply = await change(words, options);
      if (reply.status === 'interaction-required' && !words.old) throw oldOneMissing(options);
    } finally {
      words.old?.dispose();
      words.new?.dispose();
    }
  }
  if (reply.status !== 'ok') throw new CommandFailure(exitCodeOf(reply.status), reply.message);
  show(options.json, { passphrase: !options.remove }, (page) => page.line(outcomeOf(options)));
}

function change(words: Passphrases, { remove, keyring }: PassphraseOptions): Promise<CredentialReply> {
  const key = remove ? { key: keyring ? 'keyring' : 'file' } : {};
  const attributes = { passphrase: words.old, new_passphrase: words.new, ...key };
  return withAgent((agent) => agent(requestOf('backend-passphrase', { attributes })), LONG);
}

function outcomeOf({ remove, keyring }: PassphraseOptions): string {
  if (keyring) return "The vault's key rests in your keyring now.";
  return remove ? 'The key lies in a file beside the vault now.' : 'The vault opens with that passphrase now.';
}

function oldOneMissing(options: SecretOptions): CommandFailure {
  const how = isPiped(options) ? 'give it on a line before the new one' : 'enter it when it is asked for';
  return new CommandFailure(
    exitCodeOf('interaction-required'),
    `cannot change the passphrase: the one until now is needed; ${how}`,
  );
}

type Passphrases = { readonly old?: Secret | undefined; readonly new?: Secret | undefined };

/** One line: the new one (with --remove the old one). Two lines: the old one, then the new one. */
async function readGiven(options: PassphraseOptions): Promise<Passphrases> {
  const lines = await readSecretLines(options, 'the passphrase', options.remove ? 1 : 2);
  if (options.remove) return { old: lines[0] };
  return lines.length === 2 ? { old: lines[0], new: lines[1] } : { new: lines[0] };
}

async function askBoth(options: PassphraseOptions): Promise<Passphrases> {
  if (!hasPerson(options.input)) throw nobodyToAsk('the passphrase', 'pass --stdin or --fd N');
  const bytes = await readHidden('the passphrase', 'The passphrase until now (Enter if there is none)');
  const old = bytes.length > 0 ? heapSecret(bytes) : undefined;
  bytes.fill(0);
  return { old, new: options.remove ? undefined : await readSecret(options, 'the new passphrase', true) };
}
