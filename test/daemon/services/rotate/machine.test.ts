import { describe, expect, test } from 'vitest';
import {
  type Happening,
  type State,
  type Step,
  stateIn,
  steps,
  taskIn,
  transition,
  type Unended,
  type Way,
} from '../../../../daemon/services/rotate/machine.ts';

/** The steps through which a rotation goes when these things happen, from `asked` on. */
function stepsOf(way: Way, ...happenings: readonly Happening[]): Step[] {
  const states = [stateIn({ step: 'asked', way }, true)];
  for (const happened of happenings) states.push(transition(states.at(-1)!, happened));
  return states.map(({ step }) => step);
}

const judged = (way: Way, isVerified = true): Happening => ({ kind: 'judged', way, isVerified });
const revoked: Happening = { kind: 'revoked', upstream: 'revoked' };

describe('a rotation', () => {
  test('goes through every step where a call makes the new token', () => {
    const all = [{ kind: 'kept' }, judged('create'), { kind: 'swapped' }, { kind: 'revoking' }, revoked] as const;
    expect(stepsOf('create', ...all)).toEqual(steps);
  });

  test('is past revoking once it is swapped, where a trade has ended the old token', () => {
    expect(stepsOf('trade', { kind: 'kept' }, judged('trade'), { kind: 'swapped' })).toEqual([
      'asked',
      'made',
      'probed',
      'revoked',
    ]);
  });

  test('becomes a trade where the service put another value under the id of the old token', () => {
    expect(stepsOf('create', { kind: 'kept' }, judged('trade'), { kind: 'swapped' }).at(-1)).toBe('revoked');
  });

  test('never revokes the old token before the new one is verified', () => {
    const unverified = stateIn({ step: 'swapped', way: 'create' }, false);
    expect(taskIn(unverified as Unended, false)).toBe('verify');
    expect(taskIn(transition(unverified, { kind: 'verified' }) as Unended, false)).toBe('note-revoking');
  });

  test('stops where the new token serves and its service has just given no answer', () => {
    const probed = stateIn({ step: 'probed', way: 'create' }, false);
    expect(taskIn(transition(probed, { kind: 'swapped' }) as Unended, false)).toBe('stop');
  });

  test('waits for its person where no call ends the old token', () => {
    const state = stateIn({ step: 'swapped', way: 'page' }, true);
    expect(taskIn(state as Unended, true)).toBe('by-hand');
    expect(taskIn(state as Unended, false)).toBe('note-revoking');
  });

  const happenings: readonly Happening[] = [
    { kind: 'kept' },
    judged('create'),
    { kind: 'swapped' },
    { kind: 'verified' },
    { kind: 'revoking' },
    revoked,
  ];

  test.each(steps)('that is %s never goes back, and what cannot happen then is refused', (step) => {
    const state: State = stateIn({ step, way: 'create' }, false);
    const next = happenings.flatMap((happened) => {
      try {
        return [transition(state, happened).step];
      } catch (error) {
        expect((error as Error).message).toBe(`a rotation that is ${step} cannot have been ${happened.kind}`);
        return [];
      }
    });
    const at = steps.indexOf(step);
    for (const one of next) expect([at, at + 1]).toContain(steps.indexOf(one));
    expect(next.length).toBe(step === 'revoked' ? 0 : step === 'swapped' ? 2 : 1);
  });
});
