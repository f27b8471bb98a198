import { describe, expect, it } from 'vitest';
import { need } from '../../need.ts';
import { failDisk, misbehaved } from './fail-disk.ts';

const TIMES = 8;

describe.skipIf(!need('strace', 'apt-get install strace'))('a vault on a disk that fails', () => {
  for (const [call, error] of [
    ['pwrite64', 'ENOSPC'],
    ['pwrite64', 'EIO'],
    ['fdatasync,fsync', 'EIO'],
    ['fdatasync,fsync', 'ENOSPC'],
    ['ftruncate', 'EIO'],
  ] as const) {
    for (const range of ['', '+']) {
      it(`acknowledges what is durable and shows nothing else: ${call} ${error}, ${range ? 'from' : 'at'} each call`, async () => {
        for (let when = 1; when <= TIMES; when++) {
          for (const end of ['kill', 'dispose'] as const) {
            const failed = await failDisk(`${call}:error=${error}:when=${when}${range}`, end);
            expect(misbehaved(failed), `call ${when}, ${end}: ${JSON.stringify(failed.report.tried)}`).toEqual([]);
          }
        }
      });
    }
  }
});
