import { KeyholdError } from '../../protocol/errors.ts';
import type { MemoryOver } from '../backends/memory-over.ts';
import { action, done } from './action.ts';
import { type Carrying, carryTo } from './backend-migrate.ts';
import { isVault } from './backend-passphrase.ts';

export const backendUndo = action(
  'backend-undo',
  ({ attributes }) => ({ isDropped: attributes.text('drop') === '1' }),
  async ({ isDropped }, parts: Carrying, caller) => {
    const { credentials, recovery } = parts;
    await credentials.lifecycle.settled();
    if (recovery.over) {
      if (!isDropped) await carryTo(recovery.over.before.name, parts, caller);
      else if ((await recovery.drop()) > 0) throw notDropped(recovery.over!);
      return done;
    }
    const { backend } = credentials.lifecycle;
    if (!backend || !isVault(backend) || !(await backend.undoPassphrase(isDropped))) {
      throw new KeyholdError(
        'unsupported',
        'cannot undo: within the last day neither the key of the backend in use was changed, nor everything carried to the memory; see: keyhold audit list',
      );
    }
    credentials.leases.beginKey();
    if (!isDropped) await credentials.lifecycle.unlock({ mayPrompt: false });
    return done;
  },
);

function notDropped({ copies, before }: MemoryOver): KeyholdError {
  return new KeyholdError(
    'backend_failed',
    `cannot remove ${copies} copies from the backend ${before.name}: their values are not in memory any more, or it failed; to bring them back, run: keyhold backend undo`,
  );
}
