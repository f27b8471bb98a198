import { backUp } from '../back-up.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';
import { passphraseIn } from './passphrase.ts';

export const backup = action(
  'backup',
  ({ attributes }) => passphraseIn(attributes, 'back up'),
  (passphrase, parts: Pick<Parts, 'custody' | 'keep' | 'backupCost'>, caller) => backUp(parts, passphrase, caller),
);
