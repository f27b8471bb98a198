import type { Command } from 'commander';
import type { Secret } from '../../protocol/secret.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { ask, detail, type Ok, ownSessionBus, requestOf, withAgent } from './agent.ts';
import { CommandFailure } from './failure.ts';
import { show } from './page.ts';
import { addSecretOptions, isPiped, readSecret, type SecretOptions } from './secret-input.ts';
import { hasPerson, nobodyToAsk } from './terminal.ts';
import { addVerb, type VerbOptions } from './verb.ts';

/** Milliseconds that an unlock may take: the desktop's own prompt is given 120 s. */
const UNLOCK_DEADLINE = 130_000;

/** `keyhold lock` and `keyhold unlock`. */
export function addLock(program: Command): void {
  addVerb(program, 'lock', 'forget everything in memory and serve nothing until unlock').action(lock);
  addSecretOptions(
    addVerb(program, 'unlock', 'serve again; what alone may raise the desktop prompt'),
    'the passphrase',
  ).action(unlock);
}

async function lock({ json }: VerbOptions): Promise<void> {
  await withAgent((agent) => ask(agent, 'lock'));
  show(json, { state: 'locked' }, (page) => page.line('Locked. To serve again: keyhold unlock'));
}

async function unlock(options: SecretOptions): Promise<void> {
  if (isPiped(options)) await unlockWith(options);
  else {
    const reply = await withAgent(
      (agent) =>
        agent(
          requestOf('unlock', { attributes: { ...ownSessionBus(), interactive: options.input ? undefined : '0' } }),
        ),
      UNLOCK_DEADLINE,
    );
    if (reply.status === 'interaction-required' && (await opensWithPassphrase())) {
      if (!hasPerson(options.input)) throw nobodyToAsk('the passphrase', 'pass --stdin or --fd N');
      await unlockWith(options);
    } else if (reply.status !== 'ok') throw new CommandFailure(exitCodeOf(reply.status), reply.message);
  }
  show(options.json, { state: 'unlocked' }, (page) => page.line('Unlocked.'));
}

/** Only the vault takes a passphrase from us; a keyring whose prompt was dismissed has another, and asks by itself. */
async function opensWithPassphrase(): Promise<boolean> {
  const { details } = await withAgent((agent) => ask(agent, 'status'));
  return detail(details, 'backend') === 'vault';
}

async function unlockWith(options: SecretOptions): Promise<Ok> {
  const passphrase: Secret = await readSecret(options, 'the passphrase');
  try {
    return await withAgent(
      (agent) => ask(agent, 'unlock', { attributes: { ...ownSessionBus(), passphrase } }),
      UNLOCK_DEADLINE,
    );
  } finally {
    passphrase.dispose();
  }
}
