import { restore as restoreBackup } from '../backends/restore.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';
import { passphraseIn } from './passphrase.ts';

export const restore = action(
  'restore',
  ({ attributes }) => ({
    passphrase: passphraseIn(attributes, 'restore'),
    header: attributes.text('header') ?? '',
    lines: attributes.list('record[]'),
    takesOlder: attributes.text('older') === '1',
  }),
  (asked, parts: Pick<Parts, 'credentials' | 'keep' | 'clock' | 'tombstones' | 'bin'>, caller) =>
    restoreBackup(parts, asked, caller),
);
