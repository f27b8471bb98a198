import { KeyholdError } from '../../protocol/errors.ts';
import { toWire } from '../../protocol/text.ts';
import type { AttributesNamed } from '../../protocol/wire/attribute-names.ts';
import { wholeIn } from '../../protocol/wire/reading.ts';
import type { Head } from '../history/audit/entry.ts';
import { action } from './action.ts';
import { headDetails } from './audit-list.ts';
import type { Parts } from './parts.ts';

export const auditVerify = action(
  'audit-verify',
  ({ attributes }) => exportedHead(attributes),
  async (against, { audit }: Pick<Parts, 'audit'>) => {
    const verdict = await audit.verify(against);
    if (!verdict.sound) {
      const { number, why } = verdict;
      return {
        status: 'ok',
        details: [
          ['sound', 'false'],
          ['number', String(number)],
          ['why', toWire(why)],
        ],
      };
    }
    const { entries, first, head } = verdict;
    return {
      status: 'ok',
      details: [['sound', 'true'], ['entries', String(entries)], ['first', String(first)], ...headDetails(head)],
    };
  },
);

/** The head to compare with, if one was named. Throws `bad_request` for half a one. */
function exportedHead(attributes: AttributesNamed<'number' | 'hash'>): Head | undefined {
  const number = wholeIn(attributes, 'number');
  const hash = attributes.text('hash');
  if (number === undefined && hash === undefined) return undefined;
  if (number === undefined || hash === undefined || !/^[0-9a-f]{64}$/.test(hash)) {
    throw new KeyholdError('bad_request', 'cannot verify: a head is number and hash, 64 hexadecimal digits');
  }
  return { number, hash: Buffer.from(hash, 'hex') };
}
