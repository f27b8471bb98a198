import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('oidc-server.ts', import.meta.url));

/** Milliseconds in which the server must listen, on a machine at work. */
const START_DEADLINE = 30_000;

/** What the server said of one call of its token endpoint. */
export type Granting = {
  readonly granted?: string;
  readonly refused?: string;
  readonly error?: string;
  readonly access?: string;
  readonly refresh?: string;
  /** When the access token dies, in milliseconds. */
  readonly until?: number;
};

/** Starts a real authorization server in a process of its own (oidc-server.ts). */
export async function openOidc(lifetime: number) {
  const child = spawn(process.execPath, [program, String(lifetime)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const grantings: Granting[] = [];
  const said: string[] = [];
  child.stderr.on('data', (bytes: Buffer) => said.push(String(bytes)));
  const issuer = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no server: ${said.join('')}`)), START_DEADLINE);
    let rest = '';
    child.once('close', () => reject(new Error(`the server ended: ${said.join('')}`)));
    child.stdout.on('data', (bytes: Buffer) => {
      const lines = (rest + bytes).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const document = JSON.parse(line) as Granting & { issuer?: string };
        if (document.issuer === undefined) grantings.push(document);
        else {
          clearTimeout(late);
          resolve(document.issuer);
        }
      }
    });
  });
  return {
    issuer,
    /** The calls of the token endpoint that brought tokens by refreshing. */
    refreshes: () => grantings.filter(({ granted }) => granted === 'refresh_token').length,
    grantings,
    /** Whether an access token came from here and is not over. */
    isLive: (token: string) => grantings.some(({ access, until = 0 }) => access === token && until > Date.now()),
    refusals: () => grantings.filter(({ refused }) => refused === 'refresh_token').length,
    close: () => child.kill(),
  };
}

/** A person with a browser that knows forms and cookies and no more: signs in on `page` as `account` and says yes to everything. */
export async function signInOn(page: string, userCode?: string, account = 'ada'): Promise<string> {
  const cookies = new Map<string, string>();
  let url = page;
  let form: URLSearchParams | undefined;
  for (let step = 0; step < 20; step++) {
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { body: form }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    form = undefined;
    const location = response.headers.get('location');
    if (location) {
      url = new URL(location, url).href;
      // Back to the program that asked: nothing need listen there.
      if (new URL(url).pathname === '/back') return url;
      continue;
    }
    const html = await response.text();
    const action = /<form[^>]*action="([^"]+)"/.exec(html)?.[1];
    if (!action || /Sign-in Success/i.test(html)) return html;
    form = new URLSearchParams();
    for (const [tag] of html.matchAll(/<input[^>]*>/g)) {
      const [name, value] = ['name', 'value'].map((one) => new RegExp(`${one}="([^"]*)"`).exec(tag)?.[1]);
      if (name) form.set(name, name === 'login' ? account : name === 'password' ? 'any-EXAMPLE' : (value ?? ''));
    }
    if (form.has('user_code') && userCode) form.set('user_code', userCode);
    if (/name="confirm"/.test(html)) form.set('confirm', 'yes');
    url = new URL(action.replaceAll('&amp;', '&'), url).href;
  }
  throw new Error('the way through the provider has no end');
}
