import type { FaultCode } from '../../../protocol/errors.ts';
import type { Degradation } from '../backend.ts';

/** What the last call's fault means to the person, for as long as no call succeeded since. */
export function degradationsOf(fault: FaultCode | undefined): readonly Degradation[] {
  const trouble = fault === undefined ? undefined : troubles[fault];
  return trouble ? [trouble] : [];
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
