import { KeyholdError } from '../../protocol/errors.ts';
import { action, done } from './action.ts';
import { isVault } from './backend-passphrase.ts';
import type { Parts } from './parts.ts';

export const backendUndo = action(
  'backend-undo',
  ({ attributes }) => ({ isDropped: attributes.text('drop') === '1' }),
  async ({ isDropped }, { custody }: Pick<Parts, 'custody'>) => {
    await custody.settled();
    const { backend } = custody;
    if (!backend || !isVault(backend) || !(await backend.undoPassphrase(isDropped))) {
      throw new KeyholdError(
        'unsupported',
        'cannot undo: the key of the backend in use was not changed within the last day; see: keyhold audit list',
      );
    }
    custody.rekeyed();
    if (!isDropped) await custody.unlock({ mayPrompt: false });
    return done;
  },
);
