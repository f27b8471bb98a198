import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openVault } from '../../daemon/backends/vault/vault.ts';
import { heapSecret, secretFromText } from '../../protocol/secret.ts';
import { type ProofAgent, startProofAgent } from '../proofs/agent.ts';
import { configure } from '../proofs/home.ts';
import { temporaryFolder } from '../temporary.ts';

/** As many as once kept an agent from coming up again: listing them blocked the loop in which it looked who listens. */
const HELD = 8_000;

async function aHome() {
  const { path: home, remove } = temporaryFolder('after-kill');
  configure(home, 'vault');
  const vault = await openVault({ folder: join(home, 'state'), keep: heapSecret });
  await vault.putAll!(
    Array.from({ length: HELD }, (_, index) => ({
      held: {
        protocol: 'https',
        host: `h${index}.test`,
        username: 'ada',
        id: `id${index}`,
        storedAt: 1_700_000_000 + index,
      },
      secrets: { secret: secretFromText(`${index}-EXAMPLE`) },
    })),
  );
  await vault.dispose();
  return { home, remove };
}

const get = (agent: ProofAgent, host: string) =>
  agent.ask('action=get', 'capability[]=keyhold', 'protocol=https', `host=${host}`);

it.each([
  ['that served', (agent: ProofAgent) => get(agent, 'h1.test')],
  ['that was still opening its vault', async () => {}],
])('behind kill -9 of an agent with 8,000 credentials %s the next one comes up and serves', async (_, before) => {
  const { home, remove } = await aHome();
  try {
    for (let life = 0; life < 3; life++) {
      const agent = await startProofAgent(home);
      await before(agent);
      agent.kill();
      await agent.ended;
    }
    const agent = await startProofAgent(home);
    try {
      for (const at of [0, 4_000, HELD - 1])
        expect(await get(agent, `h${at}.test`)).toMatch(new RegExp(`^password=${at}-EXAMPLE$`, 'm'));
      expect(await agent.ask('action=status', 'capability[]=keyhold')).toMatch(new RegExp(`^held=${HELD}$`, 'm'));
    } finally {
      agent.kill();
      await agent.ended;
    }
  } finally {
    remove();
  }
});
