import { expect, test } from 'vitest';
import { exchange } from '../../fakes/built-agent.ts';
import { openComposed } from '../../fakes/composed-agent.ts';
import { emptyHome, keyhold } from '../keyhold.ts';

/** Milliseconds for two dozen commands, on a machine that has other things to do. */
const BUSY = { timeout: 120_000 };
/** In its middle, so that a beginning or an end that is shown would be found too. */
const SECRET_PART = 'canary4711canary4712';
const CANARY = `ghp_${SECRET_PART}aaaaaaaaaEXAMPLE`;
/** Any six characters of it in a row are too many. */
const pieces = Array.from({ length: SECRET_PART.length - 5 }, (_, at) => SECRET_PART.slice(at, at + 6));

test(
  'a token is found nowhere but where its value was asked for, whatever verb, error, log or record',
  BUSY,
  async () => {
    const logged: string[] = [];
    const agent = await openComposed((event, fields) => logged.push(`${event} ${JSON.stringify(fields)}`));
    const home = emptyHome();
    const said: string[] = [];
    const run = async (words: string, input?: string) => {
      const { stdout, stderr } = await keyhold(words.split(' '), {
        home,
        ...(input === undefined ? {} : { input }),
        environment: { KEYHOLD_SOCKET: agent.socket },
      });
      said.push(stdout, stderr);
      return stdout;
    };
    const url = 'https://github.com';
    const wrong = CANARY.replace('ghp_', 'ghx_');

    await run(`token set --for ${url} --label yellow --kind classic --json`, CANARY);
    await run(`token set --for ${url} --label yellow`, CANARY);
    await run(`token set --for ${url} --label wrong`, wrong);
    await run(`token set --for ${url} --label wrong --kind nothing`, wrong);
    await run(`token set --for ${url} --label two`, `${CANARY}\n${CANARY}`);
    await run(`token set --service nobody`, CANARY);
    await run('token set', CANARY);
    expect(await run('token print yellow')).toBe(`${CANARY}\n`);
    // The one that may.
    said.splice(-2);
    await run('token list');
    await run('token list --json');
    await run('token list --due');
    await run('token show yellow');
    await run('token show yellow --json');
    await run(`token explain --for ${url}`);
    await run('token rename yellow renamed');
    await run('token history renamed --json');
    await run('token remove renamed');
    await run('token remove renamed --revoked --yes --reason gone');
    await run(`token set --for ${url} --label again`, CANARY);
    await run('token list --deleted --json');
    await run('token show renamed');
    await run(`token print --for ${url}`);
    await run(`token set --for ${url} --label again --force`, CANARY);
    await run('token remove again --yes');
    await run('audit list --json');
    await run('status --json');
    for (const action of ['list', 'usage', 'audit-list', 'status']) {
      said.push(await exchange(agent.socket, [`action=${action}`, 'capability[]=keyhold', 'deleted=1']));
    }
    said.push((await agent.dispose()).toString('latin1'), ...logged);

    expect(said.join('').length).toBeGreaterThan(5_000);
    const found = said.filter((text) => pieces.some((piece) => text.includes(piece)));
    expect(found).toEqual([]);
    // And as base64 or hexadecimal digits neither.
    const spelled = [Buffer.from(SECRET_PART).toString('hex'), Buffer.from(CANARY).toString('base64').slice(0, 24)];
    expect(said.filter((text) => spelled.some((piece) => text.includes(piece)))).toEqual([]);
  },
);
