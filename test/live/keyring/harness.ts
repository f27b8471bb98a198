import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Backend } from '../../../daemon/backends/backend.ts';
import { type KeyringOptions, openKeyring } from '../../../daemon/backends/keyring/keyring.ts';
import type { ChildOptions } from '../../../daemon/backends/keyring/keyring-process.ts';
import { openSystemClock } from '../../../daemon/clock.ts';
import { heapSecret } from '../../../protocol/secret.ts';
import { type KeyringSession, type KeyringSessionOptions, startKeyringSession } from '../../fakes/keyring-session.ts';

/** The child's program as it stands in the tree; Node runs it unbuilt. */
const childPath = fileURLToPath(new URL('../../../daemon/backends/keyring/child.ts', import.meta.url));

/** Milliseconds that calls may take where a test is not about time: the machine may be busy. */
export const PATIENT = 20_000;

/** How the keyring child is started in a session. */
export function childIn(session: Pick<KeyringSession, 'env'>): ChildOptions {
  return { childPath, env: session.env };
}

/** Opens the backend on a session's keyring, with its index in the session's home. */
export async function keyringIn(
  session: Pick<KeyringSession, 'env' | 'home'>,
  options: Partial<KeyringOptions> = {},
): Promise<Backend> {
  const folder = join(session.home, 'state');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { clock = openSystemClock(), ...others } = options;
  const defaults = { file: join(folder, 'keyring.db'), keep: heapSecret, deadline: PATIENT };
  return openKeyring({ ...childIn(session), ...defaults, ...others, clock });
}

/** A session and the backend on it; both end with the session. `strict`: calls have the bounds of real ones. */
export async function openSession(
  options: KeyringSessionOptions & { clock?: KeyringOptions['clock']; strict?: boolean } = {},
): Promise<{ session: KeyringSession; backend: Backend } & AsyncDisposable> {
  const session = await startKeyringSession(options);
  const strict = options.strict ? { deadline: undefined } : {};
  const backend = await keyringIn(session, { ...(options.clock && { clock: options.clock }), ...strict });
  // The child's start is the machine's time; what is measured then is the keyring's.
  if (options.strict && options.keyring !== false) await eventually(() => backend.list());
  return {
    session,
    backend,
    async [Symbol.asyncDispose]() {
      await backend.dispose();
      await session[Symbol.asyncDispose]();
    },
  };
}

/** The code that a call fails with and how many milliseconds that took. Throws when it does not fail. */
export async function failure(call: Promise<unknown>): Promise<{ code: string; milliseconds: number }> {
  const start = performance.now();
  try {
    await call;
  } catch (error) {
    return { code: (error as { code: string }).code, milliseconds: performance.now() - start };
  }
  throw new Error('it was expected to fail');
}

/** Calls until the answer is not `backend_hung` any more, for 10 s. */
export async function eventually<T>(call: () => Promise<T>): Promise<T> {
  const until = performance.now() + 10_000;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as { code?: string }).code !== 'backend_hung' || performance.now() > until) throw error;
      await sleep(50);
    }
  }
}
