import { argon2, randomBytes } from 'node:crypto';
import { KeyholdError } from '../../../protocol/errors.ts';
import { expose, type Secret, type SecretKeeper } from '../../../protocol/secret.ts';
import { Serial } from '../../credentials/serial.ts';
import { KEY_LENGTH } from './cipher.ts';

/** What Argon2id may cost (RFC 9106): memory in KiB, passes over it, lanes. */
export type Argon2Params = { readonly memory: number; readonly passes: number; readonly parallelism: number };

/** How a key comes from a passphrase; it stands in the header. The salt is base64. */
export type Kdf = Argon2Params & { readonly salt: string };

/** About a second and 256 MiB on a small machine. */
export const defaultArgon2: Argon2Params = { memory: 256 * 1024, passes: 3, parallelism: 1 };

// A header is readable and writable without a key, and a backup may come from a stranger: what it asks for is bounded
// before it is done, below what would make the kernel end the agent (1 GiB; we ask for a quarter of that).
const MEMORY_MAX = 1024 * 1024;
const PASSES_MAX = 64;
const LANES_MAX = 16;

/** Each takes a quarter of a GiB and a processor for a second: several at once would have the kernel end the agent. */
const oneAtATime = new Serial();

/** New parameters with a fresh salt. */
export function newKdf({ memory, passes, parallelism }: Argon2Params = defaultArgon2): Kdf {
  return { memory, passes, parallelism, salt: randomBytes(16).toString('base64') };
}

/** The key that belongs to a passphrase, off the main thread. Throws `vault_corrupt` for parameters out of bounds. */
export async function keyFromPassphrase(passphrase: Secret, kdf: Kdf, keep: SecretKeeper): Promise<Secret> {
  const { memory, passes, parallelism } = kdf;
  const nonce = Buffer.from(String(kdf.salt), 'base64');
  const fits = (value: number, max: number) => Number.isSafeInteger(value) && value >= 1 && value <= max;
  if (!fits(memory, MEMORY_MAX) || !fits(passes, PASSES_MAX) || !fits(parallelism, LANES_MAX) || nonce.length < 8) {
    throw new KeyholdError('vault_corrupt', 'cannot derive the key: the parameters of Argon2id are out of bounds');
  }
  const message = expose(passphrase);
  try {
    const key = await oneAtATime.run(
      'argon2',
      () =>
        new Promise<Buffer>((resolve, reject) => {
          argon2(
            'argon2id',
            { message, nonce, memory, passes, parallelism, tagLength: KEY_LENGTH },
            (error, derived) => (error ? reject(error) : resolve(derived)),
          );
        }),
    );
    try {
      return keep(key);
    } finally {
      key.fill(0);
    }
  } catch (cause) {
    if (cause instanceof KeyholdError) throw cause;
    throw new KeyholdError(
      'backend_failed',
      `cannot derive the key: Argon2id needs ${Math.ceil(memory / 1024)} MiB of memory and did not get it`,
      { cause },
    );
  } finally {
    message.fill(0);
  }
}
