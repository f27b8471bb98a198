import { expect, it } from 'vitest';
import { corpus } from './corpus.ts';
import { chanceFrom, mutate } from './mutate.ts';
import { tryInput } from './run.ts';

it('5,000 changed conversations from the transcripts end, and harm nothing', async () => {
  const inputs = corpus();
  expect(inputs.length).toBeGreaterThan(100);
  for (let at = 0; at < 5_000; at++) expect(await tryInput(inputs, 2, at)).toBeUndefined();
});

it('a seed gives the same input again', () => {
  const inputs = corpus();
  expect(mutate(inputs, chanceFrom(7))).toEqual(mutate(inputs, chanceFrom(7)));
});
