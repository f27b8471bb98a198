import { mergeAbout, readAbout } from '../../protocol/about.ts';
import type { Attributes } from '../../protocol/attributes.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import { entryById, notHeld } from '../credentials/entry-by-id.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const annotate = action(
  'annotate',
  ({ attributes }) => ({ id: attributes.text('id'), change: readAbout(attributes as Attributes) }),
  async ({ id, change }, { credentials, emit }: Pick<Parts, 'credentials' | 'emit'>) => {
    if (!change) throw new KeyholdError('bad_request', 'cannot annotate: it says nothing, such as label');
    await credentials.lifecycle.ready();
    const entry = entryById(credentials.entries, id, 'annotate');
    await credentials.queue.run(entry, async () => {
      const now = credentials.entries.at(entry);
      if (now?.id !== entry.id) throw notHeld('annotate');
      await credentials.changes.annotate(now, mergeAbout(now.about, change));
    });
    emit({ kind: 'annotated', id: entry.id });
    return { status: 'ok', ids: [entry.id] };
  },
);
