import { describe, expect, test } from 'vitest';
import { type Fault, faults } from '../../fakes/services/faults.ts';
import type { StandIn } from '../../fakes/services/stand-in.ts';
import type { Rig } from './rig.ts';

export type FaultyService = {
  readonly rig: Rig;
  readonly standIn: StandIn;
  readonly service: string;
  /** A held token that may be revoked in vain. */
  readonly label: string;
  /** What `token create` needs beside a name; absent where there is no call for it. */
  readonly create?: readonly string[];
};

/** How each fault may end. 404 of a deletion is done only once a probe has shown it; in these tests the probe fails too. */
const codes: Readonly<Record<string, readonly number[]>> = {
  401: [6, 7, 8],
  402: [5],
  // 9: where it is what a service says to a token too many.
  403: [5, 9],
  404: [4],
  429: [10],
  500: [10],
};

/** Whatever goes wrong at the service: each verb ends with a code and words of its own, and nothing is lost here. */
export function testServiceFaults(open: () => FaultyService, some: readonly Fault[] = faults): void {
  describe('the service goes wrong', () => {
    test.each(some)('by %s', async (fault) => {
      const { rig, standIn, service, label, create } = open();
      const verbs: (readonly string[])[] = [
        ['token', 'list', '--remote', '--service', service],
        // Silence costs its whole deadline each time: of it one verb that reads and one that changes something are enough.
        ...(fault === 'timeout'
          ? []
          : [
              ['auth', 'whoami', '--service', service],
              ['token', 'show', label, '--remote'],
              ...(create ? [['token', 'create', 'in-vain', '--service', service, ...create]] : []),
            ]),
        ...(fault === 404 ? [] : [['token', 'revoke', label, '--yes']]),
      ];
      const before = await rig.json(['token', 'list']);
      standIn.fail(fault);
      try {
        for (const verb of verbs) {
          const { code, stderr } = await rig.run(verb);
          expect(codes[String(fault)] ?? [10], `${verb.join(' ')}: ${stderr}`).toContain(code);
          expect(stderr).toMatch(/^keyhold: cannot /m);
        }
      } finally {
        standIn.recover();
      }
      expect(standIn.elsewhere).toEqual([]);
      const after = await rig.json(['token', 'list']);
      expect(idsIn(after)).toEqual(idsIn(before));
    });
  });
}

function idsIn({ items }: Record<string, unknown>): string[] {
  return (items as { id: string }[]).map(({ id }) => id).sort();
}
