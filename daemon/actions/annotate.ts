import { mergeAbout, readAbout } from '../../protocol/about.ts';
import type { Attributes } from '../../protocol/attributes.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import { action } from './action.ts';
import { entryById, notHeld } from './entry-by-id.ts';
import type { Parts } from './parts.ts';

export const annotate = action(
  'annotate',
  ({ attributes }) => ({ id: attributes.text('id'), change: readAbout(attributes as Attributes) }),
  async ({ id, change }, { custody, emit }: Pick<Parts, 'custody' | 'emit'>) => {
    if (!change) throw new KeyholdError('bad_request', 'cannot annotate: it says nothing, such as label');
    await custody.ready();
    const entry = entryById(custody, id, 'annotate');
    await custody.inTurn(entry, async () => {
      const now = custody.at(entry);
      if (now?.id !== entry.id) throw notHeld('annotate');
      await custody.annotate(now, mergeAbout(now.about, change));
    });
    emit({ kind: 'annotated', id: entry.id });
    return { status: 'ok', ids: [entry.id] };
  },
);
