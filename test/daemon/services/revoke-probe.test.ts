import { expect, test } from 'vitest';
import type { Reply } from '../../../daemon/upstream/plan.ts';
import { causeOf, type Operation } from '../../../protocol/services/index.ts';
import { builtIn } from '../../fakes/services/scripted.ts';
import { RotationRig } from './rotation-rig.ts';

const apkg = builtIn.find(({ id }) => id === 'apkg')!;

function answer(operation: Operation, status: number): Reply {
  return { status, cause: causeOf(apkg, { operation, status, text: '' }), read: {} };
}

/** A held token of whose id its service says that there is none, and what its `whoami` answers then. */
async function unknownThere(whoami: Reply | undefined) {
  const rig = new RotationRig();
  const id = await rig.hold('ci');
  rig.service.around = async (when, operation) => {
    if (when !== 'before') return undefined;
    if (operation === 'revoke') return answer('revoke', 404);
    return operation === 'whoami' ? whoami : undefined;
  };
  return { rig, said: await rig.ask('revoke', { id }) };
}

test.each<[string, Reply]>([
  ['late', { failure: 'late' }],
  ['unreachable', { failure: 'unreachable' }],
  ['503', answer('whoami', 503)],
  ['429', answer('whoami', 429)],
])(
  '"there is no such token" and no answer about the token (%s): it is kept, because the id may be wrong',
  async (_, whoami) => {
    const { rig, said } = await unknownThere(whoami);
    expect(said).toMatchObject({
      status: 'unavailable',
      message: expect.stringContaining('it is kept; try again later'),
    });
    expect(await rig.get('ci')).toBe('ci apkg_ci-0-EXAMPLE');
    expect(rig.core.tombstones.all()).toEqual([]);
  },
);

test.each<[string, Reply | undefined]>([
  ['that it takes it', undefined],
  ['403, which only a token that it knows gets', answer('whoami', 403)],
])('"there is no such token" and %s: it is kept', async (_, whoami) => {
  const { rig, said } = await unknownThere(whoami);
  expect(said).toMatchObject({ status: 'not-found' });
  expect(await rig.get('ci')).toBe('ci apkg_ci-0-EXAMPLE');
});

test('"there is no such token" and a 401: it is gone', async () => {
  const { rig, said } = await unknownThere(answer('whoami', 401));
  expect(said).toMatchObject({ status: 'ok', upstream: 'gone', probe: 'dead' });
  expect(await rig.get('ci')).not.toContain('EXAMPLE');
});
