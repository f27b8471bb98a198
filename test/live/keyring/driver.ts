import type { Held } from '../../../daemon/backends/backend.ts';
import { ownTarget } from '../../../daemon/history/tombstones/own-records.ts';
import { heapSecret, secretFromText, wipeable } from '../../../protocol/secret.ts';
import { keyringIn } from './harness.ts';

/**
 * A process that uses the keyring of its environment, for tests that watch or kill one. `once FOLDER`: keeps the secret
 * on its standard input, and asks for it. `loop FOLDER SEED`: puts and removes until it is killed, and tells each time.
 * `move FOLDER SEED`: puts, moves into the restore bin and back until it is killed. `hold FOLDER SEED`: keeps a secret made of the seed, asks for it many times, and stays when all is disposed of.
 */
const [mode, home, seed] = process.argv.slice(2) as [string, string, string];
const backend = await keyringIn({ env: process.env as Record<string, string>, home });

if (mode === 'once') {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const secret = heapSecret(Buffer.concat(chunks));
  try {
    await backend.unlock({ mayPrompt: true });
    await backend.put(aHeld('once'), { secret, refreshToken: secret });
    (await backend.get(aHeld('once')))?.secret?.dispose();
    say('kept');
  } catch (error) {
    say((error as { code: string }).code);
  }
  await backend.dispose();
} else if (mode === 'hold') {
  const bytes = wipeable(seed.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = seed.charCodeAt(i) ^ 0x55;
  const secret = heapSecret(bytes);
  bytes.fill(0);
  await backend.put(aHeld('hold'), { secret, refreshToken: secret });
  secret.dispose();
  for (let i = 0; i < 20; i++) {
    const found = (await backend.get(aHeld('hold')))!;
    found.secret!.dispose();
    found.refreshToken!.dispose();
  }
  say('held');
  setTimeout(() => {}, 30_000);
} else if (mode === 'move') {
  await backend.list();
  const bin = { ...ownTarget('erased', 'one'), id: 'one', storedAt: 1 };
  for (let i = 0; ; i++) {
    const value = `${seed}-${i}-EXAMPLE`;
    say(`begin put ${value}`);
    await backend.put(aHeld('moved'), { secret: secretFromText(value), refreshToken: secretFromText(`r-${value}`) });
    say(`end put ${value}`);
    for (const [step, from, to] of [
      ['erase', aHeld('moved'), bin],
      ['restore', bin, aHeld('moved')],
    ] as const) {
      say(`begin ${step} ${value}`);
      await backend.move(from, to);
      say(`end ${step} ${value}`);
    }
  }
} else {
  await backend.list();
  for (let i = 0; ; i++) {
    const username = `u${i % 3}`;
    const value = `${seed}-${i}-EXAMPLE`;
    say(`begin ${username} ${value}`);
    await backend.put({ ...aHeld(username), expiresAt: i }, { secret: secretFromText(value) });
    say(`put ${username} ${value}`);
    if (i % 4 !== 3) continue;
    say(`begin ${username} nothing`);
    await backend.remove(aHeld(username));
    say(`put ${username} nothing`);
  }
}

function aHeld(username: string): Held {
  return { protocol: 'https', host: 'loop.example.com', username, id: username, storedAt: 1 };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
