import { join } from 'node:path';
import { CommandFailure } from '../cli/failure.ts';
import type { Ground } from '../install/ground.ts';
import { onPath } from './on-path.ts';
import { byProfile, type SetupTool } from './tool.ts';

/** go: the line that `go env -w` would write, with netrc behind it as before. */
export const go: SetupTool = {
  name: 'go',
  summary: 'go fetches private modules with the tokens in keyhold',
  gain: 'no token in ~/.netrc',
  account: byProfile,
  options: [],
  detect: (ground) => onPath(ground, 'go'),
  plan(ground, { program }) {
    const helper = program('goauth-keyhold');
    if (/["'\n]/.test(helper))
      throw new CommandFailure(2, `cannot set up go: the path ${helper} cannot be written in GOAUTH`);
    const word = /\s/.test(helper) ? `"${helper}"` : helper;
    return {
      files: [{ file: settings(ground), edits: [{ kind: 'line', key: 'GOAUTH', value: `${word};netrc`, joint: '=' }] }],
      links: [],
      notices: [
        'go has known GOAUTH since version 1.24',
        ...(ground.environment['GOAUTH']
          ? ['GOAUTH is set in your environment, and goes before what was written here']
          : []),
      ],
    };
  },
};

/** The file of `go env GOENV`. */
function settings({ environment, home }: Ground): string {
  const given = environment['GOENV'];
  if (given === 'off') throw new CommandFailure(2, 'cannot set up go: GOENV=off lets it read no settings; unset it');
  const config = environment['XDG_CONFIG_HOME'];
  return given?.startsWith('/') ? given : join(config?.startsWith('/') ? config : join(home, '.config'), 'go', 'env');
}
