// node failing-disk.ts FOLDER: fills a vault, says `ready`, waits for a line on stdin while its disk is made to fail,
// then changes it and says in JSON how each change ended and what the vault shows afterwards. It lives until it is
// killed or its stdin ends; then it closes the vault properly.
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { openVault } from '../../../daemon/backends/vault/vault.ts';
import type { KeyholdError } from '../../../protocol/errors.ts';
import { expose, heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { heldOf } from './play.ts';

export type Tried = { readonly target: number; readonly wanted: string | null; readonly fault: string | null };
export type Report = {
  readonly tried: Tried[];
  readonly shown: Record<string, string>;
  readonly messages: string[];
  readonly degraded: string[];
};

const vault = await openVault({ folder: process.argv[2]!, keep: heapSecret });
const put = async (target: number, value: string) => {
  const secret = secretFromText(value);
  await vault.put(heldOf(target), { secret });
  secret.dispose();
};
for (let target = 0; target < 4; target++) await put(target, `kept-${target}-EXAMPLE`);
writeSync(1, 'ready\n');
await once(process.stdin, 'data');

const tried: Tried[] = [];
const messages: string[] = [];
const changes: [number, string | null][] = [
  [10, 'new-EXAMPLE'],
  [0, 'replaced-EXAMPLE'],
  [1, null],
  [11, `${'x'.repeat(9_000)}-EXAMPLE`],
  [12, 'last-EXAMPLE'],
];
for (const [target, wanted] of changes) {
  try {
    if (wanted === null) await vault.remove(heldOf(target));
    else await put(target, wanted);
    tried.push({ target, wanted, fault: null });
  } catch (error) {
    tried.push({ target, wanted, fault: (error as KeyholdError).code ?? String(error) });
    messages.push((error as Error).message);
  }
}
const shown: Record<string, string> = {};
for (const held of await vault.list()) {
  const { secret } = (await vault.get(held))!;
  shown[held.storedAt] = Buffer.from(expose(secret!)).toString();
}
const degraded = vault.degradations().map(({ code }) => code);
writeSync(1, `${JSON.stringify({ tried, shown, messages, degraded } satisfies Report)}\n`);
await once(process.stdin, 'end');
await vault.dispose();
