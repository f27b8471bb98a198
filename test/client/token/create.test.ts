import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openComposed } from '../../fakes/composed-agent.ts';
import { emptyHome, keyhold } from '../keyhold.ts';

const VALUE = 'pogodoc-token-EXAMPLE';

let agent: Awaited<ReturnType<typeof openComposed>>;
let home: string;
beforeEach(async () => {
  agent = await openComposed();
  home = emptyHome();
});
afterEach(() => agent.dispose());

const run = (args: readonly string[], input?: string) =>
  keyhold(args, { home, ...(input === undefined ? {} : { input }), environment: { KEYHOLD_SOCKET: agent.socket } });

describe('token create where tokens are made on a page', () => {
  test('names the page, takes the paste, and keeps it under its name without showing it (D2, D3, D8, D9, S4)', async () => {
    const made = await run(['token', 'create', 'web-staging', '--service', 'pogodoc', '--stdin'], `  ${VALUE}\n`);
    expect(made.code).toBe(0);
    expect(made.stderr).toContain('Pogodoc makes tokens on its page only');
    expect(made.stderr).toContain('make a token named web-staging here: https://app.pogodoc.com/api-tokens');
    expect(made.stdout).toContain('Keeping web-staging, a new token of Pogodoc');
    expect(`${made.stdout}${made.stderr}`).not.toContain(VALUE);
    expect((await run(['token', 'print', 'web-staging'])).stdout).toBe(`${VALUE}\n`);
    const shown = JSON.parse((await run(['token', 'show', 'web-staging', '--json'])).stdout);
    expect(shown).toMatchObject({ label: 'web-staging', service: 'pogodoc', kind: 'pat', origin: 'made on its page' });
  });

  test('shows the value with --reveal only, and takes only lifetimes that the service has (S27)', async () => {
    const args = ['token', 'create', 'gpu-nightly', '--service', 'podstack', '--expires-in', 'never', '--reveal'];
    const made = await run(args, 'podstack_token-EXAMPLE\n');
    expect(made).toMatchObject({ code: 0, stdout: 'podstack_token-EXAMPLE\n' });
    expect(made.stderr).toContain('it never expires: somebody must remember to revoke it');
    const odd = await run(['token', 'create', 'gpu-odd', '--service', 'podstack', '--expires-in', '5d'], 'x\n');
    expect(odd).toMatchObject({ code: 2, stderr: expect.stringContaining('7d, 30d, 90d, 180d, 365d, never') });
  });

  test('refuses a name, a form and a number that the service would not take, before it asks for the paste (D6, D14)', async () => {
    const long = await run(['token', 'create', 'production-api-server', '--service', 'pogodoc'], `${VALUE}\n`);
    expect(long).toMatchObject({ code: 2, stderr: expect.stringContaining('try: production-api') });
    const wrong = await run(['token', 'create', 'gpu', '--service', 'podstack'], 'half-a-token-EXAMPLE\n');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).not.toContain('half-a-token');
    for (let at = 0; at < 5; at++) {
      const set = ['token', 'set', '--service', 'podstack', '--label', `gpu-${at}`];
      expect((await run(set, `podstack_${at}-EXAMPLE\n`)).code).toBe(0);
    }
    const sixth = await run(['token', 'create', 'gpu-5', '--service', 'podstack'], 'podstack_5-EXAMPLE\n');
    expect(sixth).toMatchObject({ code: 9, stderr: expect.stringContaining('such as gpu-0, gpu-1, gpu-2') });
    expect(JSON.parse((await run(['token', 'list', '--json'])).stdout).items).toHaveLength(5);
  });

  test('with nobody there and nothing piped ends with 6, and says where the token is made', async () => {
    const alone = await run(['token', 'create', 'web-staging', '--service', 'pogodoc', '--no-input']);
    expect(alone).toMatchObject({ code: 6, stderr: expect.stringContaining('https://app.pogodoc.com/api-tokens') });
  });
});
