import { setTimeout as sleep } from 'node:timers/promises';
import { secretFromText } from '../../protocol/secret.ts';
import { fakeAgent } from './agent.ts';

/** A fake agent as a program, for autostart: it listens in KEYHOLD_HOME and ends by itself. */
await using _agent = await fakeAgent({
  socket: `${process.env['KEYHOLD_HOME']}/run/agent.sock`,
  handler: async () => ({
    status: 'ok',
    credential: { protocol: 'https', host: 'example.com', username: 'ada', secret: secretFromText('started-EXAMPLE') },
  }),
});
await sleep(Number(process.argv[2] ?? 10_000));
