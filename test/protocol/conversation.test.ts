import { once } from 'node:events';
import { connect as dial } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { Conversation } from '../../protocol/conversation.ts';
import type { Handler } from '../../protocol/handler.ts';
import { FLUSH_AT, LINE_MAX, LINES_MAX, PIPELINE_MAX, REQUEST_MAX } from '../../protocol/limits.ts';
import { expose, heapSecret, type Secret, secretFromText } from '../../protocol/secret.ts';
import { ByteWriter } from '../../protocol/writer.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeStore } from '../fakes/store.ts';
import { readFrames } from '../transcripts/play.ts';
import { overSocket } from '../transcripts/wires.ts';
import { converse } from './converse.ts';

vi.setConfig({ testTimeout: 120_000 });

const store = () => new FakeStore(new FakeClock()).handler;
const REQUEST = 'action=list\ncapability[]=keyhold\n\n';
const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A transport that takes nothing further until it is told. */
function stalling(handler: Handler) {
  const kept: Buffer[] = [];
  const state = { paused: false, closed: false, kept, stalled: true };
  const conversation = new Conversation(handler, heapSecret, {
    send(bytes) {
      kept.push(state.stalled ? bytes : Buffer.from(bytes));
      return !state.stalled;
    },
    close: () => {
      state.closed = true;
    },
    pause: () => {
      state.paused = true;
    },
    resume: () => {
      state.paused = false;
    },
  });
  return { conversation, state };
}

describe('an answer of any length', () => {
  const details = Array.from({ length: 20_000 }, (_, at) => ['item[]', `${at} ${'x'.repeat(90)}`] as const);
  const answering = (last: readonly (readonly [string, string])[] = []) => {
    const sent: string[] = [];
    const waits: (() => void)[] = [];
    const conversation = new Conversation(async () => ({ status: 'ok', details: [...details, ...last] }), heapSecret, {
      send(bytes) {
        sent.push(bytes.toString('latin1'));
        return true;
      },
      turn: () => new Promise((resolve) => waits.push(resolve)),
      close() {},
      pause() {},
      resume() {},
    });
    conversation.receive(Buffer.from(REQUEST));
    const turn = async () => {
      await tick();
      waits.shift()?.();
      await tick();
    };
    return { conversation, sent, waits, turn };
  };

  it('is written in pieces, between which others have their turn, and sent whole', async () => {
    const { sent, turn } = answering();
    let turns = 0;
    for (; sent.length === 0; turns++) await turn();
    expect(turns).toBeGreaterThan(4);
    expect(sent.join('')).toBe(`status=ok\n${details.map(([key, value]) => `${key}=${value}\n`).join('')}\n`);
  });

  it('is dropped when the caller leaves meanwhile', async () => {
    const { conversation, sent, turn } = answering();
    await turn();
    conversation.dispose();
    for (let turns = 0; turns < 20; turns++) await turn();
    expect([sent, conversation.released]).toEqual([[], true]);
  });

  it('is refused whole where one of its last lines cannot be written', async () => {
    const { sent, turn } = answering([['item[]', 'a\nb']]);
    while (sent.length === 0) await turn();
    expect(sent.join('')).toMatch(/^status=bad-request\nmessage=[^\n]+\n\n$/);
  });
});

describe('a caller that does not read', () => {
  it('is not answered or read any further, and gets every answer in order once it does', async () => {
    let handled = 0;
    const { conversation, state } = stalling(async () => ({ status: 'ok', details: [['n', String(handled++)]] }));
    const all = 400_000;
    const chunk = Buffer.from(REQUEST.repeat(2_000));
    const chunks = all / 2_000;
    let fed = 0;
    const feed = async () => {
      while (!state.paused && fed < chunks) {
        conversation.receive(Buffer.from(chunk));
        fed++;
        await tick();
      }
    };

    await feed();
    await tick();
    const queued = () => state.kept.reduce((length, bytes) => length + bytes.length, 0);
    expect(state.paused).toBe(true);
    expect(queued()).toBeLessThanOrEqual(2 * FLUSH_AT);
    expect(fed * 2_000).toBeLessThanOrEqual(handled + PIPELINE_MAX + 2 * 2_000);
    expect(conversation.incomplete).toBe(false);

    let answered = '';
    const deadline = Date.now() + 90_000;
    while ((fed < chunks || handled < all || state.kept.length > 0) && Date.now() < deadline) {
      if (state.kept.length > 0) {
        answered += state.kept.splice(0).join('');
        conversation.drained();
      }
      await feed();
      await tick();
    }
    expect(handled).toBe(all);
    const numbers = [...answered.matchAll(/^n=(\d+)$/gm)].map(([, number]) => Number(number));
    expect(numbers.length).toBe(all);
    expect(numbers.every((number, at) => number === at)).toBe(true);
  });

  it('is read again though the last answer of the queue was the one that stalled', async () => {
    const long = 'x'.repeat(FLUSH_AT);
    const { conversation, state } = stalling(async () => ({ status: 'ok', details: [['long', long]] }));
    conversation.receive(Buffer.from(REQUEST.repeat(PIPELINE_MAX + 1)));
    for (let answers = 0; answers <= PIPELINE_MAX && (state.paused || answers === 0); answers++) {
      await tick();
      state.kept.length = 0;
      conversation.drained();
    }
    await tick();
    expect(state.paused).toBe(false);
  });

  it('gets its last answer before the connection closes', async () => {
    const { conversation, state } = stalling(async () => ({ status: 'ok' }));
    conversation.receive(Buffer.from(REQUEST));
    conversation.end();
    await tick();
    expect(state.kept.join('')).toBe('status=ok\n\n');
    expect(state.closed).toBe(false);
    expect(conversation.idle).toBe(false);
    conversation.drained();
    expect(state.closed).toBe(true);
  });

  it('does not hold up a helper run that is over', async () => {
    const { conversation, state } = stalling(store());
    conversation.receive(
      Buffer.from(`${REQUEST}action=run\nname=git-credential-keyhold\nargument[]=capability\n\ni0\n`),
    );
    await tick();
    expect(state.kept.join('')).toMatch(/^status=unsupported\n/);
    state.kept.length = 0;
    conversation.drained();
    await tick();
    expect(state.kept.join('')).toMatch(/^o000047\nversion 0\n.*x0\n$/s);
    conversation.drained();
    expect(state.closed).toBe(true);
  });

  it('stays bounded on a real socket', async () => {
    const socket = await overSocket();
    try {
      let handled = 0;
      await socket.wire(async () => {
        handled++;
        return { status: 'ok' };
      });
      const client = dial(socket.path);
      client.on('error', () => {});
      await once(client, 'connect');
      const all = 400_000;
      for (let sent = 0; sent < all; sent += 2_000) client.write(REQUEST.repeat(2_000));
      let before = -1;
      while (handled !== before) {
        before = handled;
        await sleep(100);
      }
      expect(handled).toBeLessThan(all / 2);
      expect(client.writableLength).toBeGreaterThan((all / 4) * REQUEST.length);
      client.destroy();
    } finally {
      await socket.dispose();
    }
  });
});

describe('a caller that breaks off', () => {
  it('in the middle of anything harms nobody else', async () => {
    const socket = await overSocket();
    try {
      const calm = await socket.wire(store());
      const said = [
        '',
        'action=get\nprotocol=ht',
        `${REQUEST}${REQUEST}action=`,
        'action=run\nname=keyhold-helper\n\ni5\nab',
      ];
      for (let times = 0; times < 200; times++) {
        const client = dial(socket.path);
        client.on('error', () => {});
        await once(client, 'connect');
        client.write(said[times % said.length]!);
        if (times % 2 === 0) await tick();
        client.destroy();
      }
      calm.send(Buffer.from(REQUEST));
      await calm.until(() => calm.received().length > 0);
      expect(calm.received().toString()).toMatch(/^status=unsupported\n/);
      calm.end();
      await calm.until(() => calm.closed);
    } finally {
      await socket.dispose();
    }
  });
});

describe('the limits of a request', () => {
  const big = (length: number) => {
    const line = 60_010;
    let text = 'action=list\ncapability[]=keyhold\n';
    for (let at = 0; text.length + line <= length - 4; at++) {
      text += `${String.fromCharCode(97 + (at % 26))}${at}=${'b'.repeat(60_000)}\n`;
    }
    return `${text}z=${'b'.repeat(length - text.length - 3)}\n`;
  };
  const told = async (text: string, piece: number) => {
    const bytes = Buffer.from(text);
    const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, at) =>
      bytes.subarray(at * piece, (at + 1) * piece),
    );
    return (await converse(pieces, store())).toString();
  };
  const tooLong = `status=bad-request\nmessage=cannot read the request: it is longer than ${REQUEST_MAX} bytes\n`;
  const tooManyLines = `status=bad-request\nmessage=cannot read the request: it has more than ${LINES_MAX} lines\n`;
  const lineTooLong = `status=bad-request\nmessage=cannot read the request: a line is longer than ${LINE_MAX} bytes\n`;

  it.each([Number.POSITIVE_INFINITY, 65_536, 4_093])('are the same in pieces of %d bytes', async (piece) => {
    const size = Math.min(piece, 4 * REQUEST_MAX);
    expect(await told(`${big(REQUEST_MAX)}\n${REQUEST}`, size)).toMatch(
      /^status=unsupported\n.*\n\nstatus=unsupported/s,
    );
    expect(await told(`${big(REQUEST_MAX + 1)}\n${REQUEST}`, size)).toBe(tooLong);
    expect(await told(`action=list\ncapability[]=keyhold\n${'l[]=x\n'.repeat(LINES_MAX - 2)}\n`, size)).toMatch(
      /^status=unsupported/,
    );
    expect(await told(`action=list\n${'l[]=x\n'.repeat(LINES_MAX)}\n`, size)).toBe(tooManyLines);
    expect(await told(`a=${'b'.repeat(LINE_MAX - 2)}\n\n${REQUEST}`, size)).toBe(lineTooLong);
    expect(await told(`a=${'b'.repeat(3 * REQUEST_MAX)}`, size)).toBe(lineTooLong);
    expect(await told(`${REQUEST}x${'b'.repeat(LINE_MAX)}`, size)).toMatch(
      /^status=unsupported\n.*\n\nstatus=bad-request/s,
    );
  });

  it('stop a line of 10 MiB after 64 KiB, and keep nothing of it', async () => {
    const state = { closed: false };
    const conversation = new Conversation(store(), heapSecret, {
      send: () => true,
      close: () => {
        state.closed = true;
      },
      pause() {},
      resume() {},
    });
    const piece = Buffer.alloc(4_096, 'a');
    let pieces = 0;
    while (!state.closed && pieces < 2_560) {
      conversation.receive(Buffer.from(piece));
      pieces++;
      await tick();
    }
    expect(pieces).toBe(Math.ceil(LINE_MAX / 4_096));
  });

  it('cost no more than the bytes when they come one by one', async () => {
    const bytes = Buffer.from(`${big(400_000)}\n`);
    const started = process.cpuUsage();
    const conversation = new Conversation(store(), heapSecret, {
      send: () => true,
      close() {},
      pause() {},
      resume() {},
    });
    for (const byte of bytes) conversation.receive(Buffer.from([byte]));
    await tick();
    expect(conversation.completed).toBe(1);
    expect(process.cpuUsage(started).user / 1_000).toBeLessThan(2_000);
  });

  it('let the worst message of 64 KiB cost less than 50 ms', () => {
    const worst = [
      '\n'.repeat(65_536),
      'a=\n'.repeat(21_845),
      '=\n'.repeat(32_768),
      'action=run\n\n'.repeat(5_461),
      `${'a[]=\n'.repeat(1_000)}\n`.repeat(13),
    ];
    for (const text of worst) {
      // The best of five, because other programs run on this machine too.
      const took = Array.from({ length: 5 }, () => {
        const { conversation } = stalling(store());
        const bytes = Buffer.from(text);
        const started = performance.now();
        conversation.receive(bytes);
        const time = performance.now() - started;
        conversation.dispose();
        return time;
      });
      expect(Math.min(...took)).toBeLessThan(50);
    }
  });
});

describe('a connection that goes', () => {
  it('leaves the handler the secret that it works on, and wipes it afterwards', async () => {
    let go = () => {};
    const gone = new Promise<void>((resolve) => {
      go = resolve;
    });
    let lent: Secret | undefined;
    let seen = '';
    const { conversation } = stalling(async ({ secret }) => {
      lent = secret;
      await gone;
      seen = Buffer.from(expose(secret!)).toString();
      return { status: 'ok' };
    });
    conversation.receive(Buffer.from('action=store\nprotocol=https\nhost=a\npassword=hunter-EXAMPLE\n\n'));
    await tick();
    conversation.dispose();
    go();
    await tick();
    expect(seen).toBe('hunter-EXAMPLE');
    expect(lent!.length).toBe(0);
  });

  it('keeps its writer until the adapter of its run has returned, and leaves it empty', async () => {
    let answer = () => {};
    const credential = {
      protocol: 'https',
      host: 'a.example',
      username: 'ada',
      secret: secretFromText('hunter-EXAMPLE'),
    };
    const handler: Handler = () =>
      new Promise((resolve) => {
        answer = () => resolve({ status: 'ok', credential });
      });
    const out = new ByteWriter();
    const nowhere = { send: () => true, close() {}, pause() {}, resume() {} };
    const conversation = new Conversation(handler, heapSecret, nowhere, out);
    conversation.receive(
      Buffer.from(
        'action=run\nname=git-credential-keyhold\nargument[]=get\n\ni31\nprotocol=https\nhost=a.example\n\ni0\n',
      ),
    );
    await tick();
    conversation.dispose();
    expect(conversation.released).toBe(false);
    answer();
    await tick();
    expect(conversation.released).toBe(true);
    expect(out.length).toBe(0);
  });

  it('at every byte offset of a store keeps nothing but what was whole', async () => {
    const whole = Buffer.from(
      'action=store\nprotocol=https\nhost=a.example\nusername=ada\npassword=hunter-EXAMPLE\n\n',
    );
    for (let cut = 0; cut <= whole.length; cut++) {
      const fake = new FakeStore(new FakeClock());
      await converse([whole.subarray(0, cut)], fake.handler);
      expect([cut, fake.size]).toEqual([cut, cut >= whole.length - 1 ? 1 : 0]);
    }
  });

  it('at every byte offset of a run does nothing but what was whole', async () => {
    const input = 'protocol=https\nhost=a.example\nusername=ada\npassword=hunter-EXAMPLE\n';
    const whole = Buffer.from(
      `action=run\nname=git-credential-keyhold\nargument[]=store\n\ni${input.length}\n${input}i0\n`,
    );
    for (let cut = 0; cut <= whole.length; cut++) {
      const fake = new FakeStore(new FakeClock());
      await converse([whole.subarray(0, cut)], fake.handler);
      expect([cut, fake.size]).toEqual([cut, cut === whole.length ? 1 : 0]);
    }
  });
});

describe('a helper run', () => {
  it('splits long output into frames that every client takes', async () => {
    const handler: Handler = async () => ({
      status: 'ok',
      credential: {
        protocol: 'https',
        host: 'a.example',
        username: 'u'.repeat(60_000),
        secret: heapSecret(Buffer.alloc(65_000, 'S')),
        refreshToken: heapSecret(Buffer.alloc(65_000, 'R')),
      },
    });
    const bytes = await converse(
      [Buffer.from('action=run\nname=keyhold-helper\nargument[]=get\n\ni31\nprotocol=https\nhost=a.example\n\ni0\n')],
      handler,
    );
    const { stdout, exitCode } = readFrames(bytes);
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toMatch(
      /^status=ok\n.*username=u{60000}\npassword=S{65000}\noauth_refresh_token=R{65000}\n$/s,
    );
    expect(
      bytes
        .toString('latin1')
        .match(/^o\d+$/gm)
        ?.every((header) => Number(header.slice(1)) <= 65_536),
    ).toBe(true);
  });

  it('that takes no input is complete when it begins', () => {
    const { conversation } = stalling(() => new Promise(() => {}));
    conversation.receive(Buffer.from('action=run\nname=git-credential-keyhold\nargument[]=get\n\n'));
    expect(conversation.incomplete).toBe(true);
    const other = stalling(() => new Promise(() => {})).conversation;
    other.receive(Buffer.from('action=run\nname=git-credential-keyhold\nargument[]=capability\n\n'));
    expect(other.incomplete).toBe(false);
    conversation.dispose();
    other.dispose();
  });

  it('is refused over 1 MiB of input', async () => {
    const frame = `i65536\n${'a'.repeat(65_536)}`;
    const bytes = await converse(
      [Buffer.from(`action=run\nname=keyhold-helper\nargument[]=get\n\n${frame.repeat(16)}i1\nai0\n`)],
      store(),
    );
    expect(readFrames(bytes).stderr.toString()).toMatch(/longer than 1048576 bytes/);
    expect(readFrames(bytes).exitCode).toBe(2);
  });
});
