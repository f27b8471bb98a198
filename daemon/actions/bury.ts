import { textIn } from '../../protocol/wire/reading.ts';
import { entryById } from '../credentials/entry-by-id.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const bury = action(
  'bury',
  ({ attributes }) => ({
    id: attributes.text('id'),
    reason: textIn(attributes, 'reason'),
    actor: textIn(attributes, 'actor'),
  }),
  async (
    { id, reason, actor },
    { credentials, tombstones, emit }: Pick<Parts, 'credentials' | 'tombstones' | 'emit'>,
  ) => {
    await credentials.lifecycle.ready();
    const entry = entryById(credentials.entries, id, 'bury');
    await tombstones.bury(entry, { reason, actor });
    emit({ kind: 'buried', id: entry.id });
    return { status: 'ok', ids: [entry.id] };
  },
);
