import { faultOf } from './items.ts';
import { CALL_DEADLINE, type ChildOptions, KeyringProcess, UNLOCK_DEADLINE } from './keyring-process.ts';

/**
 * Unlocks the person's keyring, where `mayPrompt` allows it by the desktop's prompt, for at most 120 s. Throws
 * `backend_locked` (it may not ask), `backend_dismissed`, `backend_hung` and `backend_absent`.
 */
export async function unlockKeyring(options: ChildOptions): Promise<void> {
  const burst = new KeyringProcess(options);
  try {
    await unlockBy(burst, options.mayPrompt ?? false);
  } finally {
    await burst.dispose();
  }
}

/** The same by a child that the caller can abandon. Asks nobody when the keyring is open, or does not answer. */
export async function unlockBy(burst: KeyringProcess, mayPrompt: boolean, deadline = CALL_DEADLINE): Promise<void> {
  let { outcome } = await burst.request('probe', [], deadline);
  if (outcome === 'locked' && mayPrompt) ({ outcome } = await burst.request('unlock', [], UNLOCK_DEADLINE));
  if (outcome !== 'ok' && outcome !== 'missing') throw faultOf(outcome);
}
