import { join } from 'node:path';
import { encodeAccount } from '../../protocol/tools/pnpm.ts';
import { CommandFailure } from '../cli/failure.ts';
import { npmUserConfig } from '../import/npm.ts';
import { readIfThere } from '../install/files.ts';
import { onPath } from './on-path.ts';
import { urlOption } from './target-option.ts';
import type { SetupTool } from './tool.ts';

/** pnpm: a tokenHelper for one registry, whose name says which: pnpm gives it no argument. */
export const pnpm: SetupTool = {
  name: 'pnpm',
  summary: 'pnpm takes the token of a private registry from keyhold',
  gain: 'no token in ~/.npmrc in plain text',
  account: 'named',
  options: [{ flags: '--for <url>', summary: 'the registry, as in .npmrc: https://HOST[:PORT]/[PATH]' }],
  detect: (ground) => onPath(ground, 'pnpm'),
  plan(ground, { option, account, program }) {
    const given = option('for');
    if (given === undefined) throw new CommandFailure(2, 'cannot set up pnpm: it needs --for, the URL of the registry');
    const { target } = urlOption(given);
    const { protocol, host, path } = target;
    if (!/^https?$/.test(protocol) || path?.includes('@')) {
      throw new CommandFailure(2, 'cannot set up pnpm: --for is no URL of a registry (http or https, without @ in it)');
    }
    const parts = path === undefined ? [host] : [host, ...path.split('/')];
    // Without a path and an account the host says all; with them the scheme makes it clear where they stand.
    const isPlain = protocol === 'https' && path === undefined && account === undefined;
    const as = account === undefined ? [] : [encodeAccount(account), ''];
    const name = ['keyhold-npm', ...(isPlain ? [] : [protocol]), ...as, ...parts].join('@');
    const link = join(ground.data, 'npm', name);
    // pnpm 12 takes the value apart at blanks, and refuses quotes.
    if (/[\s$%`'"]/.test(link)) {
      throw new CommandFailure(1, `cannot set up pnpm: it could not run ${link}, with a blank or a quote in its path`);
    }
    const registry = `//${parts.join('/')}/`;
    const file = npmUserConfig(ground);
    return {
      files: [{ file, edits: [{ kind: 'line', key: `${registry}:tokenHelper`, value: link, joint: '=' }] }],
      links: [{ path: link, target: program('keyhold-helper') }],
      notices: plainToken(file, registry),
    };
  },
};

function plainToken(file: string, registry: string): string[] {
  const text = readIfThere(file)?.toString('utf8') ?? '';
  const isThere = text
    .split('\n')
    .some((line) => /:(_authToken|_auth|_password)\s*=/.test(line) && line.includes(registry));
  return isThere ? [`${file} still holds a token for ${registry} in plain text; take it over by: keyhold import`] : [];
}
