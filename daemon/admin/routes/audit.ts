import { route } from '../route.ts';
import { listOf, maybe, type Of, object, text, whole } from '../schema.ts';
import { documents, said } from '../view.ts';

const entry = object({
  number: whole('its place in the chain'),
  hash: text('SHA-256 over itself and the entry before, in hexadecimal'),
  at: whole('epoch seconds'),
  action: text('what was done or asked for'),
  outcome: text('how it ended'),
  credential: maybe(text("the token's id")),
  tool: maybe(text('by which tool; wire where there was none')),
  uid: maybe(whole('of who asked')),
  pid: maybe(whole('of who asked')),
  program: maybe(text('who asked: a hint, no proof')),
  cwd: maybe(text('where they were')),
  target: maybe(text('of what was refused, or removed by an erase')),
  username: maybe(text('of what an erase removed')),
  reason: maybe(text('why, in the words of who asked')),
  times: maybe(whole('how many like it')),
  through: maybe(whole('of a prune: the last entry that was taken away')),
});
const number = (description: string) => maybe(text(description, { pattern: '^[0-9]{1,15}$' }));
const word = (description: string) => maybe(text(description, { pattern: '^[\\w.@*-]{1,64}$' }));

/** The audit log, a page at a time. */
export const audit = route({
  path: '/audit',
  id: 'audit',
  summary: 'What happened, the newest first; with `after` the oldest first. The next page begins at the last number.',
  parameters: object({
    since: number('epoch seconds'),
    until: number('epoch seconds'),
    id: word('about the token with this id'),
    tool: word('asked for by this tool'),
    action: word('of this kind'),
    before: number('entries before this number'),
    after: number('entries behind this number'),
    limit: maybe(text('entries of a page, 200 without it', { pattern: '^([1-9][0-9]{0,2}|1000)$' })),
  }),
  answer: object({
    entries: listOf(entry, 'that fit all that was asked'),
    head: object({ number: whole('of the last entry of the chain'), hash: text('its hash') }),
  }),
  async respond({ view, parameters: { action, ...rest } }) {
    const { details } = await view('audit-list', { ...rest, event: action });
    return {
      entries: documents<Of<typeof entry>>(details, 'item[]'),
      head: { number: Number(said(details, 'number')), hash: said(details, 'hash') },
    };
  },
});
