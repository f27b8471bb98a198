import { documentLine } from '../../protocol/document-line.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Detail } from '../../protocol/handler.ts';
import { wholeIn } from '../../protocol/wire/reading.ts';
import type { Head } from '../history/audit/entry.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

/** Entries of one answer: as many lines as a request may have. */
const LIMIT_MAX = 1_000;
const LIMIT_DEFAULT = 200;

export const auditList = action(
  'audit-list',
  ({ attributes }) => ({
    filter: {
      since: wholeIn(attributes, 'since'),
      until: wholeIn(attributes, 'until'),
      credential: attributes.text('id'),
      tool: attributes.text('tool'),
      event: attributes.text('event'),
    },
    page: {
      before: wholeIn(attributes, 'before'),
      after: wholeIn(attributes, 'after'),
      limit: Math.min(wholeIn(attributes, 'limit') ?? LIMIT_DEFAULT, LIMIT_MAX),
    },
  }),
  async ({ filter, page }, { audit }: Pick<Parts, 'audit'>) => {
    if (page.limit === 0) throw new KeyholdError('bad_request', 'cannot list: limit is at least 1');
    const { found, head } = await audit.list(filter, page);
    const items = found.map(({ number, hash, entry }): Detail => {
      return ['item[]', documentLine({ number, hash: hex(hash), ...entry })];
    });
    return { status: 'ok', details: [...items, ...headDetails(head)] };
  },
);

/** The head of the log, so that a later `audit-verify` can be told it. */
export function headDetails({ number, hash }: Head): Detail[] {
  return [
    ['number', String(number)],
    ['hash', hex(hash)],
  ];
}

function hex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex');
}
