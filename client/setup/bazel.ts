import { join } from 'node:path';
import { CommandFailure } from '../cli/failure.ts';
import { onPath } from './on-path.ts';
import { byProfile, type SetupTool } from './tool.ts';

/** bazel: its credential helper for every host, or for one and what lies below it. */
export const bazel: SetupTool = {
  name: 'bazel',
  summary: 'bazel asks keyhold for remote caches and downloads',
  gain: 'no token in .bazelrc or ~/.netrc',
  account: byProfile,
  options: [{ flags: '--for <host>', summary: 'for this host only; *.HOST is it and all below it' }],
  detect: (ground) => onPath(ground, 'bazel', 'bazelisk'),
  plan({ home }, { option, program }) {
    const scope = option('for');
    if (scope !== undefined && !/^(\*\.)?[A-Za-z0-9.-]+$/.test(scope)) {
      throw new CommandFailure(2, 'cannot set up bazel: --for is no host');
    }
    const helper = `${scope === undefined ? '' : `${scope}=`}${program('bazel-credential-keyhold')}`;
    const word = /[\s"'\\]/.test(helper) ? `"${helper.replace(/["\\]/g, '\\$&')}"` : helper;
    return {
      files: [
        { file: join(home, '.bazelrc'), edits: [{ kind: 'block', text: `common --credential_helper=${word}\n` }] },
      ],
      links: [],
      notices: ['bazel has known --credential_helper since version 7'],
    };
  },
};
