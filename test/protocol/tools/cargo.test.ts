import { describe, expect, it } from 'vitest';
import type { Handler } from '../../../protocol/handler.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { readFrames } from '../../transcripts/play.ts';
import { converse } from '../converse.ts';

const request = '{"v":1,"registry":{"index-url":"sparse+https://h/"},"kind":"get","operation":"read"}\n';

async function ask(input: string, handler: Handler) {
  const pieces = input.match(/.{1,60000}/gs) ?? [];
  const frames = `${pieces.map((piece) => `i${Buffer.byteLength(piece)}\n${piece}`).join('')}i0\n`;
  const run = 'action=run\nname=cargo-credential-keyhold\nargument[]=--cargo-plugin\n\n';
  const { stdout } = readFrames(await converse([Buffer.from(`${run}${frames}`)], handler));
  return { stdout: stdout.toString() };
}

describe('cargo', () => {
  const ok: Handler = async () => ({
    status: 'ok',
    credential: { protocol: 'https', host: 'h', secret: secretFromText('cio-EXAMPLE') },
  });

  it('looks at no header of a server, however many there are', async () => {
    const headers = Array.from({ length: 10_000 }, (_, number) => `X-${number}: \\r\\n"`.replace('"', '\\"'));
    const input = request.replace(
      '"registry":{',
      `"registry":{"headers":[${headers.map((one) => `"${one}"`).join()}],`,
    );
    const { stdout } = await ask(input, ok);
    expect(stdout).toContain('"token":"cio-EXAMPLE"');
    expect(stdout).not.toContain('X-1');
  });

  it('refuses a token that JSON cannot hold', async () => {
    const secret = heapSecret(Buffer.from([0x61, 0xff, 0x62]));
    const { stdout } = await ask(request, async () => ({
      status: 'ok',
      credential: { protocol: 'https', host: 'h', secret },
    }));
    expect(stdout).toContain('"kind":"other"');
    expect(stdout).not.toContain('token');
  });
});
