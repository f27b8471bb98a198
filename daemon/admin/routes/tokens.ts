import { allMade } from '../../../protocol/made.ts';
import { route } from '../route.ts';
import { bool, listOf, maybe, type Of, object, text, whole } from '../schema.ts';
import { documents } from '../view.ts';

const target = {
  id: text('given at the first store, never derived from the value'),
  protocol: text('of its target'),
  host: text('of its target, with the port'),
  path: maybe(text('of its target')),
  username: maybe(text('of its target')),
};
const about = {
  service: maybe(text('the manifest of where it is for')),
  kind: maybe(text("which of the service's kinds it is")),
  label: maybe(text('what the person calls it')),
  tokenId: maybe(text("the service's own id of it")),
  origin: maybe(text('where it came from')),
  account: maybe(text('who it stands for at the service')),
  tenant: maybe(text('at the service')),
  unverified: maybe(text('why the service has not confirmed the value')),
  scopes: maybe(listOf(text('a scope'), 'what it may do')),
  createdAt: maybe(whole('epoch seconds; when the service made it')),
  prefix: maybe(text('the public beginning of every token of its kind')),
  fingerprint: maybe(text('equal for equal values, and tells nothing of them')),
};
const token = object({
  ...target,
  authtype: maybe(text('scheme of the Authorization header')),
  ...about,
  shown: maybe(text('what may be displayed of the value')),
  made: maybe(text('how it came to be held', { enum: allMade })),
  fronts: maybe(listOf(text('a helper protocol that can list'), 'the helper protocols whose list shows it')),
  front: maybe(text('the helper protocol that keeps it beside another value for the same target')),
  storedAt: whole('epoch seconds'),
  expiresAt: maybe(whole('epoch seconds')),
  unlocked: bool('whether its value is in memory'),
  memoryOnly: bool('whether it rests nowhere'),
  lastUsed: maybe(whole('epoch seconds')),
  uses: whole('gets that were answered with it'),
});
const tombstone = object({
  ...target,
  ...about,
  storedAt: whole('epoch seconds'),
  expiresAt: maybe(whole('epoch seconds')),
  revokedAt: whole('epoch seconds'),
  reason: maybe(text('that was given')),
  actor: maybe(text('who revoked it, by their own word')),
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

/** What was revoked. */
export const deletedTokens = route({
  path: '/tokens/deleted',
  id: 'deletedTokens',
  summary: 'What remains of tokens that were revoked: never a value.',
  parameters: object({}),
  answer: object({ deleted: listOf(tombstone, 'in no order that means anything') }),
  async respond({ view }) {
    const { details } = await view('list', { deleted: '1' });
    return { deleted: documents<Of<typeof tombstone>>(details, 'item[]') };
  },
});
