/**
 * Prints the token for a host to standard output: `node examples/fetch-token.ts git.example [USERNAME]`. A program
 * outside this repository imports from 'keyhold'.
 */
import { dial, exitCodeOf, expose, get, KeyholdError } from '../client/index.ts';

const [host, username] = process.argv.slice(2);
if (host === undefined) {
  console.error('usage: fetch-token.ts HOST [USERNAME]');
  process.exit(2);
}

try {
  using agent = await dial();
  const reply = await get(agent, { protocol: 'https', host, username });
  if (reply.status === 'ok' && reply.credential?.secret) {
    const { secret } = reply.credential;
    const bytes = expose(secret);
    process.stdout.write(bytes, () => bytes.fill(0));
    secret.dispose();
  } else {
    console.error(reply.message);
  }
  process.exitCode = exitCodeOf(reply.status);
} catch (error) {
  if (!(error instanceof KeyholdError)) throw error;
  console.error(error.message);
  process.exitCode = exitCodeOf(error.status);
}
