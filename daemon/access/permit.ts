import type { Permission } from '../../protocol/wire/actions.ts';
import type { Held } from '../backends/backend.ts';
import type { Caller } from '../socket/caller.ts';

/**
 * Whether a caller may do something of this kind with a credential. Everything that the kernel lets through to the socket is the
 * user's own, so the answer is yes; policy (DESIGN.md §8) will stand here.
 */
export function permit(_caller: Caller, _permission: Permission, _credential: Held): 'yes' | 'no' {
  return 'yes';
}
