/**
 * A background job that keeps a file in step with a token, for a program that reads nothing but files:
 * `node examples/follow-token.ts git.example /run/user/1000/token`. It follows what happens to the token and rewrites
 * the file, whole or not at all; where there is no token any more the file goes. A program outside this repository
 * imports from 'keyhold'.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { dial, expose, get, KeyholdError, watch } from '../client/index.ts';

const [host, file] = process.argv.slice(2);
if (host === undefined || file === undefined) {
  console.error('usage: follow-token.ts HOST FILE');
  process.exit(2);
}
const concerns = new Set(['hello', 'stored', 'rotated', 'refreshed', 'erased', 'revoked', 'unlocked']);

try {
  // `hello` comes first, and again after each restart of the agent: what was missed is looked up then.
  for await (const { event } of watch({ patience: Number.POSITIVE_INFINITY })) if (concerns.has(event)) await rewrite();
} catch (error) {
  if (!(error instanceof KeyholdError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function rewrite(): Promise<void> {
  using agent = await dial();
  const reply = await get(agent, { protocol: 'https', host: host! });
  if (reply.status === 'ok' && reply.credential?.secret) {
    const bytes = expose(reply.credential.secret);
    writeFileSync(`${file}.new`, bytes, { mode: 0o600 });
    renameSync(`${file}.new`, file!);
    bytes.fill(0);
    reply.credential.secret.dispose();
    // Locked is not gone: the file stays until something is known.
  } else if (reply.status === 'not-found' || reply.status === 'revoked') rmSync(file!, { force: true });
  console.log(reply.status);
}
