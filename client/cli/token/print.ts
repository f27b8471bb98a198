import type { Command } from 'commander';
import { expose, type Secret } from '../../../protocol/secret.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { ask, withAgent } from '../agent.ts';
import { CommandFailure } from '../failure.ts';
import { jsonText } from '../page.ts';
import { targetDocument, targetOf } from '../target.ts';
import { addTarget, addVerb, type VerbOptions } from '../verb.ts';
import { targetOfItem, tokenItems } from './item.ts';
import { type Choice, chosenToken } from './resolve.ts';

/** `keyhold token print`: one value to standard output. */
export function addPrint(token: Command): void {
  addTarget(addVerb(token, 'print [token]', 'print one value to standard output')).action(print);
}

async function print(word: string | undefined, { json, ...choice }: Choice & VerbOptions): Promise<void> {
  const { credential } = await withAgent(async (agent) => {
    // By URL the agent chooses, as it does for every tool.
    if (word === undefined && choice.for !== undefined) {
      return ask(agent, 'get', { target: targetOf(choice.for, choice.username) });
    }
    const item = chosenToken({ ...choice, word }, await tokenItems(agent));
    return ask(agent, 'get', { target: targetOfItem(item), id: item.id });
  });
  const secret = credential?.secret;
  if (!secret) throw new CommandFailure(exitCodeOf('not-found'), 'cannot print: what is held has no value');
  try {
    if (!json) await writeSecret(secret, '', '\n');
    else {
      const rest = jsonText(targetDocument(credential));
      await writeSecret(secret, rest.replace(/\n}$/, ',\n  "secret": "'), '"\n}\n', true);
    }
  } finally {
    secret.dispose();
    credential.refreshToken?.dispose();
  }
}

/** Writes the value as bytes: what passed through JSON.stringify would stay in a string that nobody can wipe. */
export async function writeSecret(secret: Secret, before: string, after: string, quoted = false): Promise<void> {
  const bytes = expose(secret);
  const room = Buffer.allocUnsafeSlow(Buffer.byteLength(before) + bytes.length * 2 + after.length);
  let at = room.write(before);
  for (const byte of bytes) {
    // Control bytes cannot be in a secret; these two are all that JSON wants escaped besides.
    if (quoted && (byte === 0x22 || byte === 0x5c)) room[at++] = 0x5c;
    room[at++] = byte;
  }
  at += room.write(after, at);
  bytes.fill(0);
  await new Promise((resolve) => process.stdout.write(room.subarray(0, at), resolve));
  room.fill(0);
}
