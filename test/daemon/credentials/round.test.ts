import { expect, it } from 'vitest';
import { RoundState } from '../../../daemon/credentials/round.ts';

it('gives each credential a state of its own, the same at each asking, and hears no other', () => {
  const round = new RoundState();
  const ids = Array.from({ length: 1_500 }, (_, at) => `id-${at}`);
  const states = ids.map((id) => round.of(id));
  expect(new Set(states).size).toBe(ids.length);
  expect(ids.map((id) => round.of(id))).toEqual(states);
  expect(states.map((state) => round.read(['other:1', state]))).toEqual(ids);
  expect(new RoundState().read(states)).toBeUndefined();
  expect(round.read([states[0]!.replace('id-0', 'id-1'), `${states[1]}x`, 'keyhold:'])).toBeUndefined();
});
