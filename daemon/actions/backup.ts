import { isSet } from '../../protocol/wire/reading.ts';
import { type BackingUp, backUp, beginBackup, continueBackup } from '../backends/backup-pages.ts';
import { action } from './action.ts';
import { passphraseIn } from './passphrase.ts';

export const backup = action(
  'backup',
  ({ attributes }) => {
    const handle = attributes.text('backup');
    if (handle !== undefined) return { handle };
    return { passphrase: passphraseIn(attributes, 'back up'), isPaged: isSet(attributes, 'paged') };
  },
  (asked, parts: BackingUp, caller) => {
    if ('handle' in asked) return continueBackup(parts, asked.handle, caller);
    return (asked.isPaged ? beginBackup : backUp)(parts, asked.passphrase, caller);
  },
);
