import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Plan, SecretName } from '../../../daemon/upstream/plan.ts';
import { Upstream } from '../../../daemon/upstream/upstream.ts';
import { expose, heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { type Authority, type Certificate, openAuthority } from '../../fakes/certificates.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';

const childPath = join(inject('bundles'), 'upstream-child.cjs');
const upstream = new Upstream({ childPath, keep: heapSecret });
const folder = temporaryFolder('upstream');
const servers: { close(): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => folder.remove());

type Got = { readonly method: string; readonly url: string; readonly headers: object; readonly body: string };

/** A server on loopback that answers by `listener` and records what it got. */
async function serve(listener: RequestListener, certificate?: Certificate, host = '127.0.0.1') {
  const got: Got[] = [];
  const whole: RequestListener = async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { method = '', url = '', headers } = request;
    got.push({ method, url, headers, body: Buffer.concat(parts).toString() });
    listener(request, response);
  };
  const server = certificate ? createHttpsServer(certificate, whole) : createHttpServer(whole);
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  servers.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  const { port } = server.address() as AddressInfo;
  return { got, port, origin: `${certificate ? 'https' : 'http'}://${host}:${port}` };
}

const answering = (body: unknown, status = 200) =>
  serve((_, response) => response.writeHead(status).end(JSON.stringify(body)));

function planFor(origin: string, more: Partial<Plan> = {}): Plan {
  return { operation: 'whoami', method: 'GET', origin, path: '/me', values: {}, deadline: 5_000, ...more };
}

const run = async (plan: Plan, secrets: Partial<Record<SecretName, string>> = { token: 'token-EXAMPLE' }) => {
  const given = Object.fromEntries(Object.entries(secrets).map(([name, text]) => [name, secretFromText(text)]));
  const { reply, secrets: found } = await upstream.run('call', plan, given);
  const texts = [...found].map(([name, secret]) => [name, Buffer.from(expose(secret)).toString()] as const);
  return { reply, secrets: Object.fromEntries(texts) };
};

const bearer = { header: 'authorization', before: 'Bearer ' };

describe('a call', () => {
  test('goes with its token and answers the fields that were asked for, and nothing else', async () => {
    const { got, origin } = await answering({
      login: 'ada',
      plan: { seats: 3 },
      scopes: ['read'],
      secret: 'not-EXAMPLE',
    });
    const fields = { user: '/login', scopes: '/scopes', uses: '/plan/seats' };
    const { reply, secrets } = await run(planFor(origin, { auth: bearer, fields }));
    expect(reply).toEqual({ status: 200, read: { user: 'ada', scopes: ['read'], uses: 3 } });
    expect(secrets).toEqual({});
    expect(got).toMatchObject([{ method: 'GET', url: '/me', headers: { authorization: 'Bearer token-EXAMPLE' } }]);
  });

  test.each([
    ['null', null],
    ['an error object', { error: { message: 'no such user' } }],
    ['nothing of what is asked for', { user: { id: 1 } }],
    ['no body', undefined],
  ])('that asks whose the token is and is answered %s with 200 came to no answer', async (_, body) => {
    const { origin } = await answering(body);
    const { reply } = await run(planFor(origin, { auth: bearer, fields: { user: '/login', id: '/id' } }));
    expect(reply).toEqual({ failure: 'unread', why: 'HTTP 200' });
  });

  test('masks its own token in what is shown, and takes no id that is one', async () => {
    const { origin } = await answering({
      login: 'token-EXAMPLE',
      note: 'you sent token-EXAMPLE',
      scopes: ['token-EXAMPLE'],
    });
    const fields = { user: '/login', name: '/note', scopes: '/scopes' };
    const { reply } = await run(planFor(origin, { auth: bearer, fields }));
    expect(reply).toEqual({ status: 200, read: { name: 'you sent [token]', scopes: ['[token]'] } });
    const list = await answering([{ id: '1', note: 'token-EXAMPLE' }, { id: 'token-EXAMPLE' }]);
    const listed = await run(
      planFor(list.origin, { operation: 'list', auth: bearer, fields: { id: '/id', name: '/note' } }),
    );
    expect(listed.reply).toMatchObject({ items: [{ id: '1', name: '[token]' }, {}] });
    expect(JSON.stringify([reply, listed.reply])).not.toContain('EXAMPLE');
  });

  test.each([
    ['bearer', bearer, { authorization: 'Bearer token-EXAMPLE' }],
    ['a header of its own', { header: 'X-API-Key', before: '' }, { 'x-api-key': 'token-EXAMPLE' }],
    [
      'basic',
      { header: 'authorization', before: 'Basic ', basicUser: 'ada' },
      { authorization: `Basic ${Buffer.from('ada:token-EXAMPLE').toString('base64')}` },
    ],
  ])('says who it is by %s', async (_, auth, headers) => {
    const { got, origin } = await answering({});
    await run(planFor(origin, { auth }));
    expect(got[0]!.headers).toMatchObject(headers);
  });

  test('fills its body with values and secrets, and leaves out what has none', async () => {
    const { got, origin } = await answering({});
    const body = { user: '{username}', pass: '{password}', hours: '{lifetime.hours}', limit: '{limit}', fixed: true };
    const values = { username: 'ada "x"', 'lifetime.hours': 24 };
    await run(planFor(origin, { method: 'POST', body, values }), { password: 'pass"w\\ord-EXAMPLE' });
    expect(JSON.parse(got[0]!.body)).toEqual({ user: 'ada "x"', pass: 'pass"w\\ord-EXAMPLE', hours: 24, fixed: true });
    expect(got[0]!.headers).toMatchObject({ 'content-type': 'application/json' });
    expect(got[0]!.headers).not.toHaveProperty('authorization');
  });

  test('hands on secrets as bytes and never among the fields', async () => {
    const { origin } = await answering({ id: '7', token: 'new-EXAMPLE', refresh: 'more-EXAMPLE' }, 201);
    const fields = { id: '/id', value: '/token', refreshToken: '/refresh' };
    const { reply, secrets } = await run(planFor(origin, { operation: 'create', method: 'POST', fields }));
    expect(reply).toEqual({ status: 201, read: { id: '7' } });
    expect(secrets).toEqual({ value: 'new-EXAMPLE', refreshToken: 'more-EXAMPLE' });
  });

  test('reads a list without the values that leak', async () => {
    const { origin } = await answering({ tokens: [{ id: '1', token: 'leaked-EXAMPLE' }, { id: '2' }] });
    const fields = { id: '/id', value: '/token', name: '/token' };
    const plan = planFor(origin, { operation: 'list', items: '/tokens', fields, leaks: ['/token'] });
    const { reply, secrets } = await run(plan);
    expect(reply).toEqual({ status: 200, read: {}, items: [{ id: '1' }, { id: '2' }] });
    expect(secrets).toEqual({});
  });

  test('tells the cause of a refusal by the catalogue, and nothing of its text', async () => {
    const { origin } = await answering({ error: { code: 'GONE', message: 'token-EXAMPLE was revoked' } }, 401);
    const errors = [
      { status: 401, text: 'revoked', cause: 'it was revoked', next: 'make another', outcome: 'revoked' },
    ] as const;
    const { reply } = await run(planFor(origin, { auth: bearer, errors }));
    expect(reply).toEqual({
      status: 401,
      cause: { outcome: 'revoked', cause: 'it was revoked', next: 'make another', exit: 8 },
      read: {},
    });
    expect(JSON.stringify(reply)).not.toContain('EXAMPLE');
  });

  test('hears how long to wait', async () => {
    const { origin } = await serve((_, response) => response.writeHead(429, { 'retry-after': '7' }).end('{}'));
    expect((await run(planFor(origin))).reply).toMatchObject({ status: 429, cause: { exit: 10, retryAfter: 7 } });
  });

  test('takes an empty answer for one', async () => {
    const { origin } = await serve((_, response) => response.writeHead(204).end());
    expect((await run(planFor(origin, { operation: 'revoke', method: 'DELETE' }))).reply).toEqual({
      status: 204,
      read: {},
    });
  });
});

describe('what is no answer is told by its name', () => {
  const failureOf = async (listener: RequestListener, more: Partial<Plan> = {}) => {
    const { origin } = await serve(listener);
    return (await run(planFor(origin, { auth: bearer, ...more }))).reply;
  };

  test('a page in place of JSON', async () => {
    expect(await failureOf((_, response) => response.end('<!doctype html>'))).toEqual({ failure: 'no-json' });
  });

  test('something else in place of a list', async () => {
    const asked = { operation: 'list', items: '/tokens' } as const;
    expect(await failureOf((_, response) => response.end('{"tokens":{}}'), asked)).toMatchObject({
      failure: 'no-json',
    });
  });

  test('half a body', async () => {
    const half: RequestListener = (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"login":', () => response.destroy());
    };
    expect(await failureOf(half)).toEqual({ failure: 'cut' });
  });

  test.each([
    ['that says so', (_: unknown, response) => response.writeHead(200, { 'content-length': '10485760' }).write('{')],
    ['that does not', (_: unknown, response) => response.end(`{"a":"${'x'.repeat(10_485_760)}"}`)],
  ] as readonly [string, RequestListener][])('a body of ten megabytes %s', async (_, listener) => {
    expect(await failureOf(listener)).toEqual({ failure: 'too-long' });
  });

  test('headers without end', async () => {
    const many: RequestListener = (_, response) => {
      for (let at = 0; at < 40; at++) response.setHeader(`x-${at}`, 'x'.repeat(1_000));
      response.end('{}');
    };
    expect(await failureOf(many)).toEqual({ failure: 'too-long', why: 'headers' });
  });

  test('silence, within the deadline', async () => {
    const begun = performance.now();
    expect(await failureOf(() => {}, { deadline: 300 })).toEqual({ failure: 'late' });
    expect(performance.now() - begun).toBeLessThan(15_000);
  });

  test('drops that never end', async () => {
    const dripping: RequestListener = (_, response) => {
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    };
    expect(await failureOf(dripping, { deadline: 300 })).toEqual({ failure: 'late' });
  });

  test('nobody there', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const { reply } = await run(planFor(`http://127.0.0.1:${port}`));
    expect(reply).toEqual({ failure: 'unreachable', why: 'ECONNREFUSED' });
  });

  test('a child that falls', async () => {
    const path = join(folder.path, 'fallen.cjs');
    writeFileSync(path, 'process.exit(3)');
    const fallen = new Upstream({ childPath: path, keep: heapSecret });
    expect((await fallen.run('call', planFor('http://127.0.0.1:1'), {})).reply).toEqual({ failure: 'fell' });
  });

  test('a child that hangs is killed at its deadline', async () => {
    const path = join(folder.path, 'hung.cjs');
    writeFileSync(path, 'process.stdout.write(new Uint8Array(4)); setInterval(() => {}, 1000);');
    const hung = new Upstream({ childPath: path, keep: heapSecret });
    expect((await hung.run('call', planFor('http://127.0.0.1:1', { deadline: 50 }), {})).reply).toEqual({
      failure: 'late',
    });
  });
});

describe('a redirect', () => {
  const to = (location: string): RequestListener => {
    return ({ url }, response) =>
      url === '/me' ? response.writeHead(307, { location }).end() : response.end('{"login":"ada"}');
  };
  const fields = { user: '/login' };

  test('to another host is refused, and nothing arrives there', async () => {
    const other = await serve((_, response) => response.end('{"login":"eve"}'), undefined, '127.0.0.2');
    const { origin } = await serve(to(`${other.origin}/me2`));
    const { reply } = await run(planFor(origin, { auth: bearer, fields }));
    expect(reply).toEqual({ failure: 'redirected' });
    expect(other.got).toEqual([]);
  });

  test.each(['//127.0.0.2/me2', 'http://user@127.0.0.1/me2', 'ftp://127.0.0.1/', '', '\\\\127.0.0.2\\x'])(
    'to %j is refused',
    async (location) => {
      const { origin } = await serve(to(location));
      expect((await run(planFor(origin, { auth: bearer, fields }))).reply).toEqual({ failure: 'redirected' });
    },
  );

  test('to another path is followed once, for a GET', async () => {
    const { origin, got } = await serve(to('/me2?x=1'));
    expect((await run(planFor(origin, { auth: bearer, fields }))).reply).toMatchObject({ read: { user: 'ada' } });
    expect(got.map(({ url }) => url)).toEqual(['/me', '/me2?x=1']);
    const post = await run(planFor(origin, { auth: bearer, method: 'POST', fields }));
    expect(post.reply).toEqual({ failure: 'redirected' });
    const round = await serve(to('/me'));
    expect((await run(planFor(round.origin, { fields }))).reply).toEqual({ failure: 'redirected', why: 'twice' });
  });
});

describe('http', () => {
  test.each(['http://service.invalid', 'http://127.0.0.1.evil.invalid', 'http://192.0.2.1', 'ftp://127.0.0.1'])(
    'is for this machine only: %s is not asked',
    async (origin) => {
      expect((await run(planFor(origin, { auth: bearer }))).reply).toMatchObject({ failure: 'unfit' });
    },
  );
});

describe.skipIf(!need('openssl', 'apt-get install openssl'))('TLS', () => {
  let authority: Authority;
  let stranger: Authority;
  beforeAll(() => {
    authority = openAuthority(folder.path);
    stranger = openAuthority(folder.path, 'stranger');
  });

  const ask = async (certificate: Certificate, more: Partial<Plan> = {}) => {
    const server = await serve((_, response) => response.end('{"login":"ada"}'), certificate);
    const plan = planFor(server.origin, {
      auth: bearer,
      fields: { user: '/login' },
      authorities: authority.pem,
      ...more,
    });
    return { ...(await run(plan)), got: server.got };
  };

  test('is trusted where the person trusts its authority', async () => {
    const { reply, got } = await ask(authority.issue('IP:127.0.0.1'));
    expect(reply).toEqual({ status: 200, read: { user: 'ada' } });
    expect(got).toHaveLength(1);
  });

  test.each([
    ['an expired certificate', () => authority.issue('IP:127.0.0.1', -1), 'CERT_HAS_EXPIRED'],
    ['a certificate for another name', () => authority.issue('DNS:other.invalid'), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['a certificate of an unknown authority', () => stranger.issue('IP:127.0.0.1'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    [
      'a certificate that it signed itself',
      () => ({ cert: stranger.pem, key: readFileSync(stranger.file.replace('cert.pem', 'key.pem'), 'utf8') }),
      'DEPTH_ZERO_SELF_SIGNED_CERT',
    ],
  ])('refuses %s before the token is sent', async (_, certificate, why) => {
    const { reply, got } = await ask(certificate());
    expect(reply).toEqual({ failure: 'untrusted', why });
    expect(got).toEqual([]);
  });

  test('trusts no authority of a test by itself', async () => {
    const { reply } = await ask(authority.issue('IP:127.0.0.1'), { authorities: undefined });
    expect(reply).toMatchObject({ failure: 'untrusted' });
  });

  test('goes by a proxy that is configured, through a tunnel, and never to this machine', async () => {
    const server = await serve(
      (_, response) => response.end('{"login":"ada"}'),
      authority.issue('DNS:service.invalid'),
    );
    const asked: string[] = [];
    const proxy = createHttpServer((_, response) => response.writeHead(500).end());
    proxy.on('connect', ({ url }, socket) => {
      asked.push(url ?? '');
      const through = connect(server.port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        through.pipe(socket).pipe(through);
      });
      through.on('error', () => socket.destroy());
      socket.on('error', () => through.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    servers.push({ close: () => proxy.close() });
    const route = { proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, authorities: authority.pem };
    const plan = planFor('https://service.invalid', { auth: bearer, fields: { user: '/login' }, ...route });
    expect((await run(plan)).reply).toEqual({ status: 200, read: { user: 'ada' } });
    expect(asked).toEqual(['service.invalid:443']);
    const near = await answering({ login: 'ada' });
    expect((await run(planFor(near.origin, route))).reply).toMatchObject({ status: 200 });
    expect(asked).toHaveLength(1);
  });
});

describe('an agent that ends', () => {
  /** An upstream of its own, and a server that answers when it is let. */
  const held = async () => {
    const goesOn = Promise.withResolvers<void>();
    const { got, origin } = await serve(async (_, response) => {
      await goesOn.promise;
      response.writeHead(201).end('{"id":"7"}');
    });
    return { own: new Upstream({ childPath, keep: heapSecret }), got, origin, goesOn };
  };
  const creation = (origin: string) => planFor(origin, { operation: 'create', method: 'POST', fields: { id: '/id' } });

  test('waits for a call that makes something, until its answer is there', async () => {
    const { own, got, origin, goesOn } = await held();
    const made = own.run('call', creation(origin), {});
    await expect.poll(() => got.length).toBe(1);
    expect(own.outFor).toBeGreaterThan(0);
    let isOver = false;
    const drained = own.drain().then(() => {
      isOver = true;
    });
    await new Promise(setImmediate);
    expect(isOver).toBe(false);
    goesOn.resolve();
    await drained;
    expect((await made).reply).toEqual({ status: 201, read: { id: '7' } });
    expect(own.outFor).toBe(0);
  });

  test('does not wait for one that only reads, and sends nothing more', async () => {
    const { own, got, origin, goesOn } = await held();
    const looked = own.run('call', planFor(origin), {});
    await expect.poll(() => got.length).toBe(1);
    await own.drain();
    expect((await own.run('call', creation(origin), {})).reply).toEqual({ failure: 'unreachable' });
    own.dispose();
    expect((await looked).reply).toEqual({ failure: 'fell' });
    expect(got).toHaveLength(1);
    goesOn.resolve();
  });
});

describe('the child', () => {
  test('has no environment, no descriptor of ours, and no secret on its command line', async () => {
    const variable = process.env['HTTPS_PROXY'];
    process.env['HTTPS_PROXY'] = 'http://127.0.0.1:9';
    const canary = `${randomBytes(12).toString('hex')}-EXAMPLE`;
    let seen: { environ: string; cmdline: string; fds: string[] } | undefined;
    const { origin } = await serve((request, response) => {
      seen = processOf(request.socket.remotePort!);
      response.end('{}');
    });
    await run(planFor(origin, { auth: bearer }), { token: canary });
    if (variable === undefined) delete process.env['HTTPS_PROXY'];
    else process.env['HTTPS_PROXY'] = variable;
    expect(seen).toBeDefined();
    expect(seen!.environ).toBe('');
    expect(seen!.cmdline).not.toContain(canary);
    expect(seen!.cmdline).toContain('--permission');
    expect(seen!.fds.filter((link) => !/^(pipe|socket|anon_inode):|^\/dev\/null$/.test(link))).toEqual([]);
  });

  test('does at most four things at a time, and all of them in the end', async () => {
    let now = 0;
    let most = 0;
    const { origin } = await serve((_, response) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        response.end('{}');
      }, 50);
    });
    const replies = await Promise.all(Array.from({ length: 6 }, () => run(planFor(origin))));
    expect(replies.map(({ reply }) => reply)).toEqual(replies.map(() => ({ status: 200, read: {} })));
    expect(most).toBeLessThanOrEqual(4);
  });
});

/** The child of ours that has the local end of a connection to this port. */
function processOf(port: number) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const rows = readFileSync('/proc/net/tcp', 'latin1').split('\n');
  const row = rows.find((line) => line.trim().split(/\s+/)[1]?.endsWith(`:${hex}`));
  const inode = row?.trim().split(/\s+/)[9];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const links = linksOf(pid);
    if (!links.includes(`socket:[${inode}]`) || pid === String(process.pid)) continue;
    const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'latin1');
    return { environ: read('environ'), cmdline: read('cmdline'), fds: links };
  }
  return undefined;
}

function linksOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}
