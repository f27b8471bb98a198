import { route } from '../route.ts';
import { listOf, mapOf, type Of, object, text, whole } from '../schema.ts';
import { documents, Refused } from '../view.ts';

const use = {
  credential: text('its id'),
  first: whole('epoch seconds of the first use that is known'),
  last: whole('epoch seconds of the last'),
  count: whole('gets that were answered with it'),
};
const total = object(use);
const counts = (by: string) => mapOf(whole('gets'), `gets by ${by}`);
const detailed = object({
  ...use,
  tools: counts('tool'),
  programs: counts('program, as far as it could be told'),
  projects: counts('working directory'),
  days: counts('day, in UTC'),
});

/** When each token was used, and how often. */
export const usage = route({
  path: '/usage',
  id: 'usage',
  summary: 'First use, last use and count of every token.',
  parameters: object({}),
  answer: object({ usage: listOf(total, 'tokens that were used') }),
  async respond({ view }) {
    return { usage: documents<Of<typeof total>>((await view('usage')).details, 'item[]') };
  },
});

/** How one token was used. */
export const usageOf = route({
  path: '/usage/{id}',
  id: 'usageOf',
  summary: 'Use of one token by tool, program, working directory and day. 404 where none is known.',
  parameters: object({ id: text("the token's id", { pattern: '^[0-9a-z-]{1,64}$' }) }),
  answer: detailed,
  async respond({ view, parameters: { id } }) {
    const [found] = documents<Of<typeof detailed>>((await view('usage', { id })).details, 'item[]');
    if (!found) throw new Refused('not-found', 'no use of such a token is known');
    return found;
  },
});
