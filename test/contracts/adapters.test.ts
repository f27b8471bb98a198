import { describe, expect, it } from 'vitest';
import { KeyholdError } from '../../protocol/errors.ts';
import type { CredentialReply, CredentialRequest, Handler } from '../../protocol/handler.ts';
import { expose, secretFromText } from '../../protocol/secret.ts';
import { type Status, statuses } from '../../protocol/status.ts';
import { adapters } from '../../protocol/tools/index.ts';
import type { Call, Told } from '../../protocol/tools/probe.ts';
import { converse } from '../protocol/converse.ts';
import { readFrames } from '../transcripts/play.ts';

/** Every outcome that is neither what was asked for nor a plain miss. */
const trouble = (Object.keys(statuses) as Status[]).filter((status) => status !== 'ok' && status !== 'not-found');

const why = (status: Status) => `why it is ${status}`;
const refusing =
  (status: Status): Handler =>
  async () =>
    ({ status, message: why(status) }) as CredentialReply;
const hanging: Handler = async () => {
  throw new KeyholdError('backend_hung', 'the keyring did not answer in time; run: keyhold doctor');
};
const giving =
  (secret: string, username = 'ada'): Handler =>
  async () => ({
    status: 'ok',
    credential: { protocol: 'https', host: 'h', username, secret: secretFromText(secret) },
  });

/** Runs one call of a helper against what answers as the agent does. */
async function run(program: string, call: Call, handler: Handler): Promise<Required<Told>> {
  const { arguments: words, input = '', environment = {} } = call;
  const lines = ['action=run', `name=${call.program ?? program}`, ...words.map((word) => `argument[]=${word}`)];
  for (const [name, value] of Object.entries(environment)) lines.push(`env[]=${name}=${value}`);
  const frames = input === '' ? '' : `i${Buffer.byteLength(input)}\n${input}`;
  const answered = await converse([Buffer.from(`${lines.join('\n')}\n\n${frames}i0\n`)], handler);
  const { stdout, stderr, exitCode } = readFrames(answered);
  return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode: exitCode! };
}

/** The text in any form in which a helper may write it. */
const formsOf = (text: string) => [text, Buffer.from(text).toString('base64').replace(/=+$/, '').slice(0, -1)];

describe.each(adapters.map((adapter) => [adapter.name, adapter] as const))('the adapter %s', (_, adapter) => {
  const { probe, programs } = adapter;
  const ask = (call: Call, handler: Handler) => run(programs[0]!, call, handler);
  const beside = new Set(probe.besideMiss?.statuses);
  const silent = new Set(probe.asMiss?.statuses);
  /** Whether its protocol has words for a failure at all. */
  const hasWords = !beside.has('unavailable');

  describe.each(probe.get.map((form) => [JSON.stringify(form.arguments), form] as const))(
    'asked by %s',
    (_form, form) => {
      const miss = { stderr: '', ...form.miss };
      const missed = { stdout: miss.stdout, exitCode: miss.exitCode };

      it('gives what is held, and says nothing beside', async () => {
        const isPair = adapter.name === 'kubectl' || adapter.name === 'aws';
        const told = await ask(form, giving('probe-EXAMPLE'));
        expect({ stderr: isPair ? '' : told.stderr, exitCode: told.exitCode }).toEqual({ stderr: '', exitCode: 0 });
        const inBasic = Buffer.from('ada:probe-EXAMPLE').toString('base64');
        expect([...formsOf('probe-EXAMPLE'), inBasic].some((text) => told.stdout.includes(text))).toBe(true);
      });

      it('tells a miss in its own words, and nothing beside', async () => {
        const told = await ask(form, async () => ({ status: 'not-found', message: 'there is none' }));
        expect(told).toEqual(miss);
      });

      it.each(trouble)('never tells %s as a plain miss', async (status) => {
        const told = await ask(form, refusing(status));
        if (silent.has(status)) {
          expect(told).toEqual(miss);
          return;
        }
        expect(`${told.stdout}${told.stderr}`).toContain(why(status));
        expect(told).not.toEqual(miss);
        const { stdout, exitCode } = told;
        if (beside.has(status)) expect({ stdout, exitCode }).toEqual(missed);
        else if (miss.exitCode === 0 || miss.stdout !== '') expect({ stdout, exitCode }).not.toEqual(missed);
      });

      it('never tells a keyring that hangs as a plain miss', async () => {
        const told = await ask(form, hanging);
        expect(`${told.stdout}${told.stderr}`).toContain('the keyring did not answer in time');
        const { stdout, exitCode } = told;
        if (hasWords && miss.exitCode === 0) expect({ stdout, exitCode }).not.toEqual(missed);
      });

      it.each(['a\r\nX-Evil: 1', 'a\u0000b', 'a\u007f', 'a\u001b[31m'])(
        'gives no byte of a value with %j',
        async (text) => {
          const told = await ask(form, giving(text));
          expect(told.stdout).not.toContain('X-Evil');
          expect(told.stdout.replaceAll('\n', '')).not.toMatch(/[^\x20-\x7e]/);
          expect(`${told.stdout}${told.stderr}`).toContain('control byte');
          expect(Buffer.from(told.stdout, 'utf8').toString('base64')).not.toContain(
            Buffer.from(text).toString('base64'),
          );
        },
      );

      it('gives no byte of a username that would begin another line', async () => {
        const told = await ask(form, giving('s-EXAMPLE', 'ada\nX-Evil: 1'));
        expect(told.stdout).not.toMatch(/X-Evil|EXAMPLE/);
        expect(`${told.stdout}${told.stderr}`).toContain('control byte');
      });
    },
  );

  const changes = (['store', 'erase'] as const).flatMap((name) => (probe[name] ? [[name, probe[name]] as const] : []));
  describe.each(changes)('told to %s', (name, call) => {
    it('hands it on for the same target', async () => {
      const asked: { action: string; host?: string | undefined; secret?: string }[] = [];
      const handler: Handler = async ({ action, target, secret }: CredentialRequest) => {
        const value = secret && Buffer.from(expose(secret)).toString();
        asked.push({
          action,
          host: `${target?.protocol}://${target?.host}`,
          ...(value !== undefined && { secret: value }),
        });
        return { status: 'ok' };
      };
      const { stderr, exitCode } = await ask(call, handler);
      expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
      // cargo has a scheme of its own for an index.
      expect(asked).toMatchObject([{ action: name, host: expect.stringMatching(/^(sparse\+)?https:\/\/h$/) }]);
      if (name === 'store') expect(asked[0]!.secret).toMatch(/EXAMPLE/);
    });

    it.each(trouble)('never tells %s as done', async (status) => {
      const [done, told] = [await ask(call, async () => ({ status: 'ok' })), await ask(call, refusing(status))];
      expect(`${told.stdout}${told.stderr}`).toContain(why(status));
      expect(told).not.toEqual(done);
      if (hasWords) expect({ ...told, stderr: '' }).not.toEqual({ ...done, stderr: '' });
    });
  });
});

describe('the registry of adapters', () => {
  it('names each program once, and each adapter once', () => {
    for (const names of [adapters.map(({ name }) => name), adapters.flatMap(({ programs }) => programs)]) {
      expect(names.toSorted()).toEqual([...new Set(names)].sort());
    }
  });

  it('says why, where an outcome is told as a miss', () => {
    for (const { besideMiss, asMiss } of adapters.map(({ probe }) => probe)) {
      for (const said of [besideMiss, asMiss]) if (said) expect(said.because.length).toBeGreaterThan(20);
    }
  });
});
