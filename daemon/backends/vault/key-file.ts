import { closeSync, fsyncSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { createDurably, sizeOfOwnFile, syncFolder } from '../../../platform/durable.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import { withBytes } from '../secrets.ts';
import { KEY_LENGTH, randomKey } from './cipher.ts';
import { storageFault } from './storage-fault.ts';

/**
 * The key in `file`; undefined if there is no such file. Throws `unsafe_place` if others may read or write it, and
 * `vault_truncated` if it does not hold 32 bytes; such a file is never replaced.
 */
export function readKeyFile(file: string, keep: SecretKeeper): Secret | undefined {
  const size = sizeOfOwnFile(file);
  if (size === undefined) return undefined;
  if (size !== KEY_LENGTH) {
    throw new KeyholdError(
      'vault_truncated',
      `cannot read ${file}: it holds ${size} bytes where a key has ${KEY_LENGTH}; restore it from a backup`,
    );
  }
  const bytes = new Uint8Array(KEY_LENGTH);
  try {
    onOpen(file, 'r', (descriptor) => readSync(descriptor, bytes));
    return keep(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Puts a fresh random key into a new `file`, durably. Throws `vault_in_use` rather than replace one. */
export function createKeyFile(file: string, keep: SecretKeeper): Secret {
  const key = randomKey(keep);
  try {
    withBytes(key, (bytes) => createDurably(file, bytes));
    return key;
  } catch (error) {
    key.dispose();
    throw storageFault(error, 'create', file).fault;
  }
}

/** Removes a key file that nothing is sealed with any more: zeroes in place first, for disks that write in place. */
export function removeKeyFile(file: string): void {
  if (sizeOfOwnFile(file) === undefined) return;
  onOpen(file, 'r+', (descriptor) => {
    writeSync(descriptor, new Uint8Array(KEY_LENGTH), 0, KEY_LENGTH, 0);
    fsyncSync(descriptor);
    unlinkSync(file);
    syncFolder(dirname(file));
  });
}

function onOpen(file: string, flags: string, work: (descriptor: number) => void): void {
  try {
    const descriptor = openSync(file, flags);
    try {
      work(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw storageFault(error, 'use', file).fault;
  }
}
