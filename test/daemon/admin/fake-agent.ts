import type { AuditEntry } from '../../../daemon/history/audit/entry.ts';
import type { CredentialReply, CredentialRequest, Detail, Handler } from '../../../protocol/handler.ts';
import { toWire } from '../../../protocol/text.ts';

/** Stands in whatever an agent answers beyond what the views know: none of it may get out. */
export const CANARY = 'canary-9f41c7-EXAMPLE';

const ID = '11321d25e16adfe63a09';
const item = (document: object): Detail => ['item[]', toWire(JSON.stringify({ ...document, password: CANARY }))];
const token = { id: ID, protocol: 'https', host: 'a.test', storedAt: 1, unlocked: true, memoryOnly: false, uses: 3 };
const tombstone = { ...token, revokedAt: 9, reason: 'leaked', actor: 'ada', label: 'ci' };
const use = { credential: ID, first: 1, last: 2, count: 3 };
const by = { tools: { git: 3 }, programs: { '/usr/bin/git': 3 }, projects: { '/src': 3 }, days: { '2030-01-01': 3 } };
/** An entry of the audit log with all that one may have. */
export const entry = {
  number: 1,
  hash: 'ab',
  at: 1,
  action: 'store',
  outcome: 'ok',
  credential: ID,
  tool: 'git',
  uid: 1_000,
  pid: 7,
  program: '/usr/bin/git',
  cwd: '/src',
  target: 'https://a.test',
  times: 2,
  through: 1,
  reason: 'rotation',
  username: 'ada',
} satisfies Required<AuditEntry> & { number: number };
const secret: Detail = ['password', CANARY];

/** What a good agent answers to each view. */
export const answers: Readonly<Record<string, readonly Detail[]>> = {
  status: [
    ['version', '1.2.3'],
    ['state', 'open'],
    ['backend', 'vault'],
    ['durable', 'true'],
    ['held', '1'],
    ['unlocked', '1'],
    ['started_at', '1893456000'],
    ['memory', 'hidden'],
    ['identity', 'kernel'],
    ['degraded[]', JSON.stringify({ code: 'no-log', what: 'w', remedy: 'r', password: CANARY })],
    secret,
  ],
  list: [item({ ...token, username: '<img src=x onerror=alert(1)>\u202e' }), secret],
  usage: [item({ ...use, ...by }), secret],
  'audit-list': [item(entry), ['number', '1'], ['hash', 'ab'], secret],
  metrics: [
    ['held', '1'],
    ['unlocked', '1'],
    ['connections', '2'],
    ['started_at', '1893456000'],
    ['bounds', '0.001 0.01'],
    ['turned_away', '0'],
    item({ of: 'requests', action: 'get', tool: 'git', status: 'ok', count: 3 }),
    item({ of: 'latency', action: 'get', buckets: [1, 2, 3], sum: 0.5 }),
    item({ of: 'backend', call: 'get', outcome: 'ok', buckets: [0, 0, 1], sum: 0.1 }),
    item({ of: 'refreshes', outcome: 'ok', count: 0 }),
    item({ of: 'what a newer agent counts', count: 1 }),
    secret,
  ],
};

/** An agent that answers by that table, or with one reply to everything; and what it was asked. */
export function fakeAgent(reply?: CredentialReply): { readonly handler: Handler; readonly asked: CredentialRequest[] } {
  const asked: CredentialRequest[] = [];
  return {
    asked,
    async handler(request) {
      asked.push(request);
      const isDeleted = request.attributes.text('deleted') === '1';
      const details = isDeleted ? [item(tombstone)] : (answers[request.action] ?? []);
      return reply ?? { status: 'ok', details };
    },
  };
}
