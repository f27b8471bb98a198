import { KeyholdError } from '../../protocol/errors.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import { heapSecret, type Secret } from '../../protocol/secret.ts';
import { printable } from '../../protocol/text.ts';
import { detail, documents, requestOf, withAgent } from '../cli/agent.ts';
import { hasPerson, readHidden } from '../cli/terminal.ts';
import { type Finding, fine, mend } from './finding.ts';

/** Milliseconds for a removal of 10,000 copies from a keyring, a few milliseconds each. */
const DEADLINE = 600_000;

/**
 * Lets the agent remove what a migrate that was cut left over, and says what it did. A vault that needs its passphrase for
 * that is asked for where a person is there. The agent is started if none answers.
 */
export async function repair({ input }: { readonly input: boolean }): Promise<Finding[]> {
  try {
    let reply = await ask();
    if (reply.status === 'interaction-required' && hasPerson(input)) {
      const bytes = await readHidden('the passphrase', "The vault's passphrase");
      using passphrase = disposed(heapSecret(bytes));
      bytes.fill(0);
      reply = await ask(passphrase.secret);
    }
    if (reply.status !== 'ok') return [unrepaired(reply.message ?? reply.status)];
    const removed = Number(detail(reply.details, 'removed') ?? 0);
    const left = Number(detail(reply.details, 'left') ?? 0);
    if (left > 0) return [unrepaired(stillLeft(left, documents(reply.details, 'item[]')))];
    if (removed === 0) return [fine('repair', 'nothing was left over')];
    return [fine('repair', `removed ${removed} ${removed === 1 ? 'copy' : 'copies'} that a migrate left over`)];
  } catch (error) {
    if (!(error instanceof KeyholdError)) throw error;
    return [unrepaired(error.message)];
  }
}

/** Most that are named. */
const NAMED_MAX = 5;

function stillLeft(left: number, items: readonly Record<string, unknown>[]): string {
  const names = items.slice(0, NAMED_MAX).map(({ protocol, host, username }) => {
    return printable(`${username === undefined ? '' : `${username}@`}${protocol}://${host}`);
  });
  const which = names.length > 0 ? ` (${names.join(', ')}${items.length > NAMED_MAX ? ', …' : ''})` : '';
  return `${left} ${left === 1 ? 'copy' : 'copies'} of a migrate could not be removed${which}; run it again: keyhold doctor --repair`;
}

function ask(passphrase?: Secret): Promise<CredentialReply> {
  return withAgent((agent) => agent(requestOf('repair', { attributes: { passphrase } })), DEADLINE);
}

function disposed(secret: Secret): Disposable & { readonly secret: Secret } {
  return { secret, [Symbol.dispose]: () => secret.dispose() };
}

function unrepaired(message: string): Finding {
  const [what = message, remedy = ''] = message.split(/; (?=[^;]*$)/);
  return mend('repair', what, remedy);
}
