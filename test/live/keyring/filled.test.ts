import { expect, it } from 'vitest';
import { startKeyringSession } from '../../fakes/keyring-session.ts';
import { type ProofAgent, startProofAgent } from '../../proofs/agent.ts';
import { fillKeyring, keyringFile } from '../../proofs/filled-keyring.ts';
import { configure } from '../../proofs/home.ts';
import { Ledger } from '../../proofs/ledger.ts';
import { temporaryFolder } from '../../temporary.ts';
import { needKeyring } from './need.ts';

const TEMPLATE = 'h0.test';

it.skipIf(!needKeyring())(
  'a keyring that is filled by a file serves each item, and takes changes of them',
  async () => {
    const { path: home, remove } = temporaryFolder('filled');
    await using session = await startKeyringSession();
    configure(home, 'keyring');
    const ledger = new Ledger('f');
    let agent: ProofAgent | undefined;
    try {
      agent = await startProofAgent(home, session.env);
      await ledger.store(agent, TEMPLATE);
      agent.kill();
      await agent.ended;
      const values = new Map(Array.from({ length: 99 }, (_, at) => [`h${at + 1}.test`, ledger.fresh()]));
      await fillKeyring(home, session, TEMPLATE, values);
      for (const [host, value] of values) ledger.know(host, value);

      agent = await startProofAgent(home, session.env);
      expect(await ledger.check(agent)).toEqual([]);
      expect(ledger.held).toBe(100);
      await ledger.store(agent, 'h7.test');
      await ledger.erase(agent, 'h8.test');
      expect(ledger.acknowledged).toBe(3);
      agent.kill();
      await agent.ended;

      // What gnome-keyring itself has written since is read by the next one.
      await session.kill();
      await session.start();
      agent = await startProofAgent(home, session.env);
      expect(await ledger.check(agent)).toEqual([]);
      expect(ledger.held).toBe(99);
    } finally {
      agent?.kill();
      await agent?.ended;
      remove();
    }
  },
);

it('a ledger tells a value that is lost, and one that is back', async () => {
  const ledger = new Ledger('f');
  const serves = (answer: string) => ({ ask: async () => answer }) as unknown as ProofAgent;
  ledger.know('kept.test', 'f-EXAMPLE');
  expect(await ledger.check(serves('status=not-found'))).toEqual(['kept.test: served nothing, acknowledged f-EXAMPLE']);
  await ledger.erase(serves('status=ok'), 'kept.test');
  expect(await ledger.check(serves('status=ok\npassword=f-EXAMPLE'))).toEqual([
    'kept.test: served f-EXAMPLE, acknowledged an erase',
  ]);
});

it('the file has the beginning that gnome-keyring looks for, and no secret in the open', () => {
  const file = keyringFile('Login', 'password-EXAMPLE', [
    { service: 'https://h.test', account: 'ada', secret: 's-EXAMPLE' },
  ]);
  expect(file.subarray(0, 16).toString('latin1')).toBe('GnomeKeyring\n\r\0\n');
  expect(file.includes('s-EXAMPLE')).toBe(false);
  expect(file.includes('h.test')).toBe(false);
});
