import { CommandFailure } from '../cli/failure.ts';
import { configOf, dockerConfig, HELPER, objectIn } from './docker-config.ts';
import { notOnPath, onPath } from './on-path.ts';
import { byProfile, type SetupTool } from './tool.ts';

/**
 * docker, its compose and buildx, and all that read its config.json: keyhold for every registry (`credsStore`), or for
 * one (`credHelpers`), beside whatever else the others use.
 */
export const docker: SetupTool = {
  name: 'docker',
  summary: 'docker login, pull and push keep their tokens in keyhold',
  gain: 'no token in config.json, where docker writes them as base64',
  account: byProfile,
  options: [
    { flags: '--registry <host>', summary: 'for this registry only (docker.io is https://index.docker.io/v1/)' },
  ],
  detect: (ground) => onPath(ground, 'docker', 'docker-compose', 'oras', 'helm', 'crane'),
  plan(ground, { option, program }) {
    const helper = program('docker-credential-keyhold');
    const registry = option('registry');
    const file = dockerConfig(ground);
    const path = registry === undefined ? ['credsStore'] : ['credHelpers', keyOf(registry)];
    return {
      files: [{ file, edits: [{ kind: 'json', path, value: HELPER }] }],
      links: [],
      notices: [...notOnPath(ground, 'docker', helper), ...others(file, registry)],
    };
  },
  async after({ option }, dryRun) {
    const registry = option('registry');
    if (registry === undefined) return [];
    const { shareWithDocker } = await import('./docker-marks.ts');
    return shareWithDocker(keyOf(registry), dryRun);
  },
};

/** docker knows Docker Hub by this key alone. */
function keyOf(registry: string): string {
  if (/^(index\.)?docker\.io$/.test(registry)) return 'https://index.docker.io/v1/';
  if (registry.includes('@')) {
    throw new CommandFailure(
      2,
      `cannot set up docker for one account: docker cannot name it to keyhold; ${byProfile.instead}`,
    );
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
  if (registry === '' || /[\u0000-\u0020\u007f]/.test(registry)) {
    throw new CommandFailure(
      2,
      'cannot set up docker: --registry is no registry; write it as docker login does: HOST[:PORT]',
    );
  }
  return registry;
}

/** Whom docker asks, or tells, beside keyhold: never a value. */
function others(file: string, registry: string | undefined): string[] {
  const config = configOf(file);
  const notices: string[] = [];
  for (const [key, auth] of Object.entries(objectIn(config['auths']))) {
    const { auth: plain, identitytoken, password } = objectIn(auth);
    if ((plain || identitytoken || password) && (registry === undefined || keyOf(registry) === key)) {
      notices.push(`${file} still holds a token for ${key} in plain text; take it over by: keyhold import`);
    }
  }
  for (const [key, helper] of Object.entries(objectIn(config['credHelpers']))) {
    if (helper !== HELPER && registry === undefined) {
      notices.push(`docker goes on asking docker-credential-${String(helper)} for ${key}, not keyhold`);
    }
  }
  return notices;
}
