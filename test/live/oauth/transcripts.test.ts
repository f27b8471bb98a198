import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BuiltAgent, configure, exchange, startAgent } from '../../fakes/built-agent.ts';
import { openOidc, signInOn } from '../../fakes/oidc.ts';
import { temporaryFolder } from '../../temporary.ts';
import { scenes } from '../../transcripts/play.ts';

const played = scenes(new URL('../../transcripts/oauth/', import.meta.url));

/** One provider and one agent for the whole play: a scene goes on where the one before it ended. */
let oidc: Awaited<ReturnType<typeof openOidc>>;
let agent: BuiltAgent;
let remove: () => void;
/** What each `{name}` stands for by now. */
const known = new Map<string, string>();

beforeAll(async () => {
  const folder = temporaryFolder('oauth-transcripts');
  remove = folder.remove;
  configure(folder.path, { backend: 'vault' });
  [oidc, agent] = await Promise.all([openOidc(3_600), startAgent({ home: folder.path })]);
  known.set('issuer', oidc.issuer);
});
afterAll(async () => {
  oidc.close();
  await agent[Symbol.asyncDispose]();
  remove();
});

test.each(played.map((one) => [one.title, one] as const))('a login: %s', async (_, { lines }) => {
  const went: string[] = [];
  let asked: string[] = [];
  let answer: string[] = [];
  for (const line of lines) {
    if (line.startsWith('>')) {
      // What was said beyond what stands there.
      went.push(...answer.splice(0).map((left) => `< ${left}`), line);
      asked.push(filled(line.slice(2)));
      if (line !== '>') continue;
      answer = (await exchange(agent.socket, asked)).split('\n').slice(0, -1);
      asked = [];
    } else if (line.startsWith('<')) {
      const said = answer.shift();
      went.push(said === undefined ? '< (nothing)' : isAs(said, line.slice(2)) ? line : `< ${said}`);
    } else {
      await direct(line);
      went.push(line);
    }
  }
  expect(went.join('\n')).toBe(lines.join('\n'));
  expect(answer).toEqual([]);
  for (const name of givenIn(lines)) expect(oidc.grantings.map(({ access }) => access)).toContain(known.get(name));
});

test('no two that are given another name are one, and none is a refresh token', () => {
  const tokens = played.flatMap(({ lines }) => givenIn(lines)).map((name) => known.get(name));
  expect(tokens.length).toBeGreaterThan(3);
  expect(new Set(tokens).size).toBe(tokens.length);
  const refreshTokens = oidc.grantings.map(({ refresh }) => refresh);
  for (const value of known.values()) expect(refreshTokens).not.toContain(value);
});

/** Names of the access tokens that a scene is given. */
function givenIn(lines: readonly string[]): string[] {
  return lines.flatMap((line) => /^< password=\{(\w+)\}$/.exec(line)?.[1] ?? []);
}

/** A line with what is known in the place of names. */
function filled(line: string): string {
  return line.replace(/\{(\w+)\}/g, (whole, name: string) => known.get(name) ?? whole);
}

/** Whether a line is as it was written; what a new name in it stands for is known from now on. */
function isAs(said: string, written: string): boolean {
  const quoted = filled(written).replace(/[.*+?^$()|[\]\\]/g, '\\$&');
  const pattern = quoted.replace(/\{(\w+)\}/g, '(?<$1>\\S+)');
  const found = new RegExp(`^${pattern}$`).exec(said);
  for (const [name, value] of Object.entries(found?.groups ?? {})) known.set(name, value);
  return found !== null;
}

/** What a person does between two lines. */
async function direct(direction: string): Promise<void> {
  const names = [...direction.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const of = (at: number) => known.get(names[at]!)!;
  if (direction.startsWith('@ a person enters ')) await signInOn(of(1), of(0));
  else if (direction.startsWith('@ a person signs in on ')) {
    const back = new URL(await signInOn(of(0)));
    known.set(names[1]!, back.searchParams.get('code')!);
    expect(back.searchParams.get('state')).toBe(of(2));
  } else throw new Error(`no such direction: ${direction}`);
}
