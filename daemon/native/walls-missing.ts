import type { Degradation } from '../backends/backend.ts';
import type { Native } from './native.ts';

/** What protects callers and secrets less than it could here: without the addon, or in memory that is not locked. */
export function wallsMissing(native: Native | undefined, protection: string): Degradation[] {
  if (!native) {
    return [
      {
        code: 'no-addon',
        what: 'the native addon is missing: callers are told apart by the folder alone, and secrets lie in ordinary memory',
        remedy: 'install a C compiler, then run: npm run build && keyhold install',
      },
    ];
  }
  if (protection !== 'plain') return [];
  return [
    {
      code: 'no-locked-memory',
      what: 'memory could not be locked: secrets may be swapped out',
      remedy: 'raise the limit: ulimit -l, or LimitMEMLOCK= in the unit',
    },
  ];
}
