import { protectChild } from '../native/child-walls.ts';
import { frame, framesOf, partsOf, REPLY_KEY_LENGTH, sealReply } from '../processes/frames.ts';
import { REQUEST_MAX } from './limits.ts';
import { call, type Secrets } from './operations/call.ts';
import { oauth } from './operations/oauth.ts';
import type { SecretName } from './plan.ts';

/**
 * The upstream child: the only program that speaks to a service. It does one thing that it is told on its standard input,
 * with the secrets that this needs and no others, answers on its standard output and ends. Whatever copies of them lie
 * in its memory end with it. It is killed from outside when it takes too long.
 */

/** What it can be told to do, each in a file of its own: a plan without secrets, and the secrets by name. */
type Performed = { readonly reply: object; readonly secrets: ReadonlyMap<SecretName, Buffer> };
const operations: Readonly<Record<string, (plan: never, secrets: Secrets) => Promise<Performed>>> = {
  call,
  oauth,
};

let input: Buffer | undefined = Buffer.alloc(0);
process.stdin.on('data', (bytes: Buffer) => {
  // One request, and nothing behind it.
  if (!input) return;
  input = Buffer.concat([input, bytes]);
  const next = framesOf(input, REQUEST_MAX).next();
  if (next.done) return;
  input = undefined;
  void perform(partsOf(next.value));
});
// Whoever started this has ended or given up: nobody would hear the answer.
process.stdin.on('end', () => process.exit(1));
process.stdout.on('error', () => process.exit(1));

// Everything is loaded, from here on time is the service's. No secret has come before this frame.
process.stdout.write(frame(protectChild()));

/** `[operation, reply key, plan, name, secret, name, secret, …]` */
async function perform([name, key, plan, ...named]: readonly Buffer[]): Promise<void> {
  const operation = operations[String(name)];
  if (!operation || key?.length !== REPLY_KEY_LENGTH || !plan) process.exit(1);
  const secrets = new Map<string, Buffer>();
  for (let at = 0; at + 1 < named.length; at += 2) secrets.set(String(named[at]), named[at + 1]!);
  const { reply, secrets: found } = await operation(JSON.parse(plan.toString('utf8')) as never, secrets);
  const parts = [
    Buffer.from(JSON.stringify(reply)),
    ...[...found].flatMap(([one, value]) => [Buffer.from(one), value]),
  ];
  process.stdout.write(sealReply(key, parts), () => process.exit(0));
}
