import { prometheusOf, type Series } from '../prometheus.ts';
import { route } from '../route.ts';
import { object, text } from '../schema.ts';
import { documents, said } from '../view.ts';

/** What Prometheus scrapes. */
export const metrics = route({
  path: '/metrics',
  id: 'metrics',
  summary: "What the agent counts, in Prometheus' text format.",
  parameters: object({}),
  answer: text("Prometheus' text format, version 0.0.4"),
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
  async respond({ view }) {
    const { details } = await view('metrics');
    const number = (key: string) => Number(said(details, key));
    return prometheusOf({
      held: number('held'),
      unlocked: number('unlocked'),
      connections: number('connections'),
      startedAt: number('started_at'),
      turnedAway: number('turned_away'),
      bounds: said(details, 'bounds').split(' ').map(Number),
      series: documents<Series>(details, 'item[]'),
    });
  },
});
