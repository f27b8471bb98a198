import { KeyholdError } from '../../../protocol/errors.ts';
import { type ChildOptions, KeyringProcess } from './keyring-process.ts';

/**
 * Whether a keyring can be used now, without a prompt, for choosing a backend at start. `absent` is known at once where
 * there is no session bus; whatever takes longer than `deadline` milliseconds is `hung`.
 */
export async function probeKeyring(
  deadline: number,
  options: ChildOptions,
): Promise<'usable' | 'locked' | 'hung' | 'absent'> {
  const burst = new KeyringProcess(options);
  try {
    const { outcome } = await burst.request('probe', [], deadline);
    return outcome === 'ok' ? 'usable' : outcome === 'locked' ? 'locked' : 'absent';
  } catch (error) {
    const isHung = error instanceof KeyholdError && error.code === 'backend_hung';
    // Our own child was too late: nothing is known of the keyring.
    return isHung || burst.late ? 'hung' : 'absent';
  } finally {
    await burst.dispose();
  }
}
