import { join } from 'node:path';
import type { Target } from '../../protocol/credential.ts';
import { targetOfDockerKey } from '../../protocol/tools/docker-key.ts';
import { at, basicOf, Found, type Source } from './source.ts';

/** Who a docker client says it is where the secret is an identity token. */
const TOKEN_USER = '<token>';

/** docker's config.json, and the auth.json that podman, buildah and skopeo keep in the same form. */
export const docker: Source = {
  name: 'docker',
  title: 'docker, podman, buildah, skopeo',
  format: 'json',
  // docker reads its own; podman and its like the file of this session before the lasting one (containers-auth.json(5)).
  files: ({ home, environment }) => [
    join(environment['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json'),
    ...(environment['REGISTRY_AUTH_FILE'] ? [environment['REGISTRY_AUTH_FILE']] : []),
    ...(environment['XDG_RUNTIME_DIR'] ? [join(environment['XDG_RUNTIME_DIR'], 'containers/auth.json')] : []),
    ...(environment['REGISTRY_AUTH_FILE']
      ? []
      : [join(environment['XDG_CONFIG_HOME'] || join(home, '.config'), 'containers/auth.json')]),
  ],
  find(leaves) {
    const found = new Found();
    for (const { path, value } of leaves) {
      const [auths, key = '', word] = path;
      if (auths !== 'auths' || path.length !== 3) continue;
      const identity = at(leaves, 'auths', key, 'identitytoken');
      if (word === 'identitytoken') {
        const paths = at(leaves, 'auths', key, 'auth') === undefined ? [path] : [path, ['auths', key, 'auth']];
        found.add(targetOf(key, TOKEN_USER), value, paths);
      } else if (word === 'auth' && identity === undefined) {
        const basic = basicOf(value);
        if (basic) found.add(targetOf(key, basic.username), basic.secret.replace(/\0+$/, ''), [path]);
        else found.pass(path, 'it is not base64 of a user and a password');
      }
    }
    return found;
  },
};

/** What docker's adapter would keep it for. */
function targetOf(key: string, username: string): Target | undefined {
  const [target] = targetOfDockerKey(key);
  return target && { ...target, username };
}
