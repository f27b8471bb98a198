import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Attributes } from '../../protocol/attributes.ts';
import type { CredentialReply, CredentialRequest, Detail } from '../../protocol/handler.ts';
import { expose, type Secret } from '../../protocol/secret.ts';
import { serve } from '../../protocol/serve.ts';
import { fromWire, toWire } from '../../protocol/text.ts';

/** What an agent was asked, as text that assertions can compare. */
export type Asked = { readonly action: string; readonly attributes: Record<string, string | string[]> };
export type Answer =
  | CredentialReply
  | ((asked: Asked, request: CredentialRequest) => CredentialReply | Promise<CredentialReply>);

/** An agent on a socket of its own below a fresh KEYHOLD_HOME, that answers by a table of actions. */
export type ScriptedAgent = {
  readonly home: string;
  readonly socket: string;
  /** What was asked so far, without the greetings. */
  readonly asked: Asked[];
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

export async function startScriptedAgent(script: Readonly<Record<string, Answer>> = {}): Promise<ScriptedAgent> {
  const home = openHome();
  const socket = join(home, 'run/agent.sock');
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  const answers: Readonly<Record<string, Answer>> = {
    capability: ok([
      ['wire', '1'],
      ['version', '9.9.9'],
    ]),
    ...script,
  };
  const server = createServer({ allowHalfOpen: true }, (stream) => {
    sockets.add(stream);
    void serve(stream, async (request) => {
      const what = { action: request.action, attributes: readable(request.attributes) };
      if (request.action !== 'capability') asked.push(what);
      const answer = answers[request.action];
      if (!answer) return { status: 'unsupported', message: `no answer is scripted for ${request.action}` };
      return typeof answer === 'function' ? await answer(what, request) : answer;
    }).then(() => sockets.delete(stream));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  chmodSync(socket, 0o600);
  return {
    home,
    socket,
    asked,
    async [Symbol.asyncDispose]() {
      for (const stream of sockets) stream.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** A fresh KEYHOLD_HOME with its run folder, both 0700. */
export function openHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'keyhold-cli-'));
  mkdirSync(join(home, 'run'), { mode: 0o700 });
  return home;
}

export function ok(details: readonly (readonly [key: string, value: string | object])[] = []): CredentialReply {
  const wired = details.map(
    ([key, value]): Detail => [key, toWire(typeof value === 'string' ? value : JSON.stringify(value))],
  );
  return { status: 'ok', details: wired };
}

function readable(attributes: Attributes): Asked['attributes'] {
  const text: Asked['attributes'] = {};
  for (const key of attributes.keys()) {
    if (key === 'action' || key === 'capability[]') continue;
    const secret: Secret | undefined = attributes.secret(key);
    const plain = secret ? Buffer.from(expose(secret)).toString() : attributes.text(key);
    text[key] = plain === undefined ? attributes.list(key).map(fromWire) : secret ? plain : fromWire(plain);
  }
  return text;
}
