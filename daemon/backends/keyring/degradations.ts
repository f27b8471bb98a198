import type { FaultCode } from '../../../protocol/errors.ts';
import type { Degradation } from '../backend.ts';
import type { Rebuilt } from './rebuild.ts';

/** What the last call's fault means to the person, for as long as no call succeeded since. */
export function degradationsOf(fault: FaultCode | undefined): readonly Degradation[] {
  const trouble = fault === undefined ? undefined : troubles[fault];
  return trouble ? [trouble] : [];
}

/** What a lost index has cost: told until the agent ends. */
export function rebuiltDegradation(file: string, { credentials, left }: Rebuilt): Degradation {
  const others = left > 0 ? `; ${left} items could not be told and stay in the keyring as they are` : '';
  return {
    code: 'keyring-rebuilt',
    what: `${file} was gone and was made anew from the keyring: ${credentials} credentials are held again, without their labels, expiry, refreshes and restore bin; one that was erased while the keyring kept its item is held again, too${others}`,
    remedy: 'look at: keyhold token list; sign in again where a login was refreshed: keyhold auth login',
  };
}

const troubles: Partial<Record<FaultCode, Degradation>> = {
  backend_locked: { code: 'keyring-locked', what: 'the keyring is locked', remedy: 'run: keyhold unlock' },
  backend_hung: {
    code: 'keyring-hung',
    what: 'the keyring does not answer',
    remedy: 'restart your keyring, or your session',
  },
  backend_absent: {
    code: 'keyring-absent',
    what: 'no keyring answers on the session bus',
    remedy: 'start your keyring, or do without it: keyhold help backends',
  },
};
