import { isSet } from '../../protocol/wire/reading.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const erasedRestore = action(
  'erased-restore',
  ({ attributes }) => ({ id: attributes.text('id') ?? '', isReplacing: isSet(attributes, 'replace') }),
  async ({ id, isReplacing }, { credentials, bin, emit }: Pick<Parts, 'credentials' | 'bin' | 'emit'>) => {
    await credentials.lifecycle.ready();
    const held = await bin.restore(id, isReplacing);
    emit({ kind: 'stored', id: held.id });
    return { status: 'ok', ids: [held.id], details: [['id', held.id]] };
  },
);
