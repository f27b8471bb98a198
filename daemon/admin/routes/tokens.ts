import { route } from '../route.ts';
import { bool, listOf, maybe, type Of, object, text, whole } from '../schema.ts';
import { documents } from '../view.ts';

const token = object({
  id: text('given at the first store, never derived from the value'),
  protocol: text('of its target'),
  host: text('of its target, with the port'),
  path: maybe(text('of its target')),
  username: maybe(text('of its target')),
  authtype: maybe(text('scheme of the Authorization header')),
  storedAt: whole('epoch seconds'),
  expiresAt: maybe(whole('epoch seconds')),
  unlocked: bool('whether its value is in memory'),
  memoryOnly: bool('whether it rests nowhere'),
  lastUsed: maybe(whole('epoch seconds')),
  uses: whole('gets that were answered with it'),
});

/** What is held. */
export const tokens = route({
  path: '/tokens',
  id: 'tokens',
  summary: 'What is held, without any value.',
  parameters: object({}),
  answer: object({ tokens: listOf(token, 'in no order that means anything') }),
  async respond({ view }) {
    return { tokens: documents<Of<typeof token>>((await view('list')).details, 'item[]') };
  },
});
