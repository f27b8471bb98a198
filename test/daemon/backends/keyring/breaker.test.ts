import { expect, test } from 'vitest';
import { Breaker } from '../../../../daemon/backends/keyring/breaker.ts';

test('a breaker opens for longer after each hang, up to a minute, and closes at an answer', () => {
  let now = 1_000;
  const breaker = new Breaker({ sinceBoot: () => now });
  expect(breaker.open).toBe(false);
  for (const pause of [5, 10, 20, 40, 60, 60]) {
    breaker.hung();
    now += pause - 0.001;
    expect(breaker.open).toBe(true);
    now += 0.002;
    expect(breaker.open).toBe(false);
  }
  breaker.answered();
  breaker.hung();
  now += 5.001;
  expect(breaker.open).toBe(false);
});
