import { join } from 'node:path';
import { notOnPath, onPath } from './on-path.ts';
import { byProfile, type SetupTool } from './tool.ts';

/** podman, buildah and skopeo: keyhold before their own file of tokens, by a file that is added to registries.conf. */
export const podman: SetupTool = {
  name: 'podman',
  summary: 'podman, buildah and skopeo keep their tokens in keyhold',
  gain: 'no token in auth.json, where they write them as base64',
  account: byProfile,
  options: [],
  detect: (ground) => onPath(ground, 'podman', 'buildah', 'skopeo'),
  plan(ground, { program }) {
    const helper = program('docker-credential-keyhold');
    const value = '["keyhold", "containers-auth.json"]';
    return {
      files: [
        {
          // They look in the home folder, whatever XDG_CONFIG_HOME says.
          file: join(ground.home, '.config/containers/registries.conf.d/50-keyhold.conf'),
          edits: [{ kind: 'line', key: 'credential-helpers', value, joint: ' = ' }],
        },
      ],
      links: [],
      notices: [
        ...notOnPath(ground, 'podman', helper),
        'what they hold in auth.json by themselves is still used where keyhold has nothing: keyhold import --only docker --remove',
      ],
    };
  },
};
