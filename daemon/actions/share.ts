import { documentLine } from '../../protocol/document-line.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import { readFront } from '../../protocol/fronts.ts';
import { isSet } from '../../protocol/wire/reading.ts';
import { entryById, notHeld } from '../credentials/entry-by-id.ts';
import { heldItem } from '../credentials/held-item.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const share = action(
  'share',
  ({ attributes }) => ({
    id: attributes.text('id'),
    front: readFront(attributes.text('front') ?? '')!,
    isUndone: isSet(attributes, 'undo'),
  }),
  async ({ id, front, isUndone }, { credentials, emit }: Pick<Parts, 'credentials' | 'emit'>) => {
    await credentials.lifecycle.ready();
    const entry = entryById(credentials.entries, id, 'share');
    await credentials.queue.run(entry, async () => {
      const now = credentials.entries.at(entry);
      if (now?.id !== entry.id) throw notHeld('share');
      if (now.front !== undefined) {
        const remedy = `it is kept for ${now.front} alone; to remove it: keyhold token remove ${now.id}`;
        throw new KeyholdError('bad_request', `cannot share: ${remedy}`);
      }
      const others = (now.fronts ?? []).filter((one) => one !== front);
      await credentials.changes.amend(now, { fronts: isUndone ? others : [...others, front] });
    });
    emit({ kind: 'annotated', id: entry.id });
    const item = documentLine(heldItem(credentials.entries.at(entry) ?? entry));
    return { status: 'ok', ids: [entry.id], details: [['item[]', item]] };
  },
);
