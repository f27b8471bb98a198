import type { AboutChange } from '../../protocol/about.ts';
import type { Target } from '../../protocol/credential.ts';
import type { Secret } from '../../protocol/secret.ts';
import { heapSecret, wipeable } from '../../protocol/secret.ts';
import { checkFormat, type Manifest } from '../../protocol/services/index.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { requestOf } from '../cli/agent.ts';
import { CommandFailure } from '../cli/failure.ts';
import type { Connection } from '../dial.ts';

/** A value that has the form of one of its service's kinds, without the white space that was pasted along. */
export type Fit = { readonly secret: Secret; readonly kind: string; readonly expiresAt: number | undefined };

/** Checks a pasted value, which is disposed of. Throws a `CommandFailure` with 2 for what is none of the service's. */
export function fitSecret(manifest: Manifest, pasted: Secret, kind: string | undefined): Fit {
  const bytes = wipeable(pasted.length);
  pasted.copyTo(bytes);
  pasted.dispose();
  try {
    const checked = checkFormat(manifest, bytes, kind);
    if (checked.status !== 'ok') {
      throw new CommandFailure(exitCodeOf('bad-request'), `cannot take the token: ${checked.why}; nothing was changed`);
    }
    const secret = heapSecret(checked.value);
    checked.value.fill(0);
    checked.canonical.fill(0);
    return { secret, kind: checked.kind.name, expiresAt: checked.expiresAt };
  } finally {
    bytes.fill(0);
  }
}

/** Keeps a token with what is known of it. Any answer but `ok` is a `CommandFailure`. */
export async function keep(
  agent: Connection,
  target: Target,
  { secret, expiresAt }: Omit<Fit, 'kind'>,
  about: AboutChange,
): Promise<void> {
  const reply = await agent({ ...requestOf('store', { target, secret }), about, expiresAt });
  if (reply.status !== 'ok') throw new CommandFailure(exitCodeOf(reply.status), reply.message);
}
