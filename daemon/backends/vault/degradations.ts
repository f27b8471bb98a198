import type { Seconds } from '../../../protocol/credential.ts';
import type { Degradation } from '../backend.ts';

/** How a vault is. */
export type VaultFacts = {
  readonly file: string;
  /** Its key is in a file in the same folder. */
  readonly isKeyBeside: boolean;
  /** What happened to the file while it was open; undefined if nothing. */
  readonly trouble: string | undefined;
  /** How long the key from before a change still opens it; undefined where there is none. */
  readonly formerKeyLeft: Seconds | undefined;
  readonly isReadOnly: boolean;
  /** The numbers of its damaged records. */
  readonly damaged: readonly number[];
  readonly isWipePending: boolean;
};

/** What is worse about a vault than it could be, and how to better it. */
export function vaultDegradations(facts: VaultFacts): readonly Degradation[] {
  const { file, isKeyBeside, trouble, formerKeyLeft, isReadOnly, damaged, isWipePending } = facts;
  const found: Degradation[] = [];
  if (isKeyBeside) {
    found.push({
      code: 'key-beside-vault',
      what: 'the key lies beside the vault',
      remedy: 'run: keyhold backend passphrase, or use the keyring',
    });
  }
  if (trouble !== undefined) {
    found.push({
      code: 'vault-file-gone',
      what: `${file} cannot be written to: ${trouble} while the agent had it open`,
      remedy: 'put the file back, then run: keyhold restart',
    });
  }
  if (formerKeyLeft !== undefined) {
    found.push({
      code: 'key-change',
      what: `the vault's key was changed, and the former one opens it for ${Math.ceil(formerKeyLeft / 3_600)} h more`,
      remedy: 'to undo the change: keyhold backend undo; to make it final now: keyhold backend undo --drop',
    });
  }
  if (isReadOnly) {
    found.push({
      code: 'vault-read-only',
      what: 'the disk failed, and the vault takes no changes',
      remedy: 'mend the disk, then run: keyhold restart',
    });
  }
  if (damaged.length > 0) {
    found.push({
      code: 'damaged-records',
      what: `${damaged.length} of the records in ${file} ${damaged.length === 1 ? 'is' : 'are'} damaged: number ${shortened(damaged)}; all others are served`,
      remedy: 'store these tokens anew, or restore a backup: keyhold restore FILE',
    });
  }
  if (isWipePending) {
    found.push({
      code: 'wipe-pending',
      what: 'sealed bytes of what was erased are still on the disk',
      remedy: 'make room on the disk; the next change wipes them',
    });
  }
  return found;
}

/** The first numbers of a list, which may be long. */
function shortened(numbers: readonly number[]): string {
  const first = numbers.slice(0, 10).join(', ');
  return numbers.length > 10 ? `${first} and ${numbers.length - 10} more` : first;
}
