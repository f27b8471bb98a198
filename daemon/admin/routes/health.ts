import { route } from '../route.ts';
import { bool, listOf, type Of, object, text, whole } from '../schema.ts';
import { documents, said } from '../view.ts';

const degradation = object({
  code: text('what it is, for programs'),
  what: text('what is worse than it could be'),
  remedy: text('how to better it'),
});

/** How the agent is. */
export const health = route({
  path: '/health',
  id: 'health',
  summary: 'How the agent is, and what is degraded. 503 where it does not answer.',
  parameters: object({}),
  answer: object({
    version: text('of the agent'),
    state: text('whether it serves', { enum: ['opening', 'open', 'locked', 'failed'] }),
    backend: text('where tokens rest'),
    durable: bool('whether they survive the agent'),
    held: whole('tokens that are known'),
    unlocked: whole('tokens whose values are in memory'),
    startedAt: whole('epoch seconds'),
    memory: text('how values are kept in memory'),
    identity: text('how callers are told apart'),
    degraded: listOf(degradation, 'what is worse than it could be'),
  }),
  async respond({ view }) {
    const { details } = await view('status');
    const of = (key: string) => said(details, key);
    return {
      version: of('version'),
      state: of('state'),
      backend: of('backend'),
      durable: of('durable') === 'true',
      held: Number(of('held')),
      unlocked: Number(of('unlocked')),
      startedAt: Number(of('started_at')),
      memory: of('memory'),
      identity: of('identity'),
      degraded: documents<Of<typeof degradation>>(details, 'degraded[]'),
    };
  },
});
