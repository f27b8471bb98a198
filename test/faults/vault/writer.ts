// node writer.ts FOLDER SEED: stores and erases in the vault of FOLDER until it is killed, and says of each change
// when it begins and when it is acknowledged: `begin TARGET VALUE` (an erase: `begin TARGET -`), then
// `done NANOSECONDS` of CLOCK_MONOTONIC.
import { writeSync } from 'node:fs';
import { openVault } from '../../../daemon/backends/vault/vault.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { changes, heldOf } from './play.ts';

const [folder, seed] = process.argv.slice(2) as [string, string];
const vault = await openVault({ folder, keep: heapSecret });
writeSync(1, 'ready\n');
for (const { target, value } of changes(Number(seed))) {
  writeSync(1, `begin ${target} ${value ?? '-'}\n`);
  if (value === undefined) await vault.remove(heldOf(target));
  else {
    const secret = secretFromText(value);
    await vault.put(heldOf(target), { secret });
    secret.dispose();
  }
  writeSync(1, `done ${process.hrtime.bigint()}\n`);
}
