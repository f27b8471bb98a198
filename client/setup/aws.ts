import { join } from 'node:path';
import { CommandFailure } from '../cli/failure.ts';
import { readIfThere } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';
import { onPath } from './on-path.ts';
import { urlOption } from './target-option.ts';
import type { SetupTool } from './tool.ts';

/** What an AWS key is kept for, where nothing else is said. */
const DEFAULT_URL = 'https://sts.amazonaws.com';

/** aws, its libraries and all that use them: `credential_process` of one profile of theirs. */
export const aws: SetupTool = {
  name: 'aws',
  summary: 'aws and its libraries take the key of a profile from keyhold',
  gain: 'no secret access key in ~/.aws/credentials in plain text',
  account: 'named',
  options: [
    { flags: '--aws-profile <name>', summary: 'the profile of aws (default)' },
    { flags: '--for <url>', summary: `what the key is kept for (${DEFAULT_URL}, and /NAME for another profile)` },
  ],
  detect: (ground) => onPath(ground, 'aws', 'sam', 'cdk', 'eksctl'),
  plan(ground, { option, account, program }) {
    const profile = option('aws-profile') ?? 'default';
    if (!/^[A-Za-z0-9_.@+-]+$/.test(profile)) {
      throw new CommandFailure(2, 'cannot set up aws: --aws-profile is no name of a profile');
    }
    const { url } = urlOption(option('for') ?? (profile === 'default' ? DEFAULT_URL : `${DEFAULT_URL}/${profile}`));
    const file = fileOf(ground, 'AWS_CONFIG_FILE', 'config');
    const section = profile === 'default' ? '[default]' : `[profile ${profile}]`;
    const as = account === undefined ? '' : ` --account ${word(account)}`;
    const value = `${word(program('keyhold-helper'))} aws get ${word(url)}${as}`;
    return {
      files: [{ file, edits: [{ kind: 'line', section, key: 'credential_process', value, joint: ' = ' }] }],
      links: [],
      notices: plainKeys(ground, profile),
    };
  },
};

function fileOf({ environment, home }: Ground, variable: string, name: string): string {
  const given = environment[variable];
  return given?.startsWith('/') ? given : join(home, '.aws', name);
}

/** AWS splits the line as a shell would, and runs no shell. */
function word(text: string): string {
  return /^[A-Za-z0-9_/.,:=@%+-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** What goes before credential_process. */
function plainKeys(ground: Ground, profile: string): string[] {
  const notices: string[] = [];
  const file = fileOf(ground, 'AWS_SHARED_CREDENTIALS_FILE', 'credentials');
  const text = readIfThere(file)?.toString('latin1') ?? '';
  const section = text.split(/^\s*\[/m).find((part) => part.slice(0, part.indexOf(']')).trim() === profile);
  if (section && /^\s*aws_secret_access_key\s*=/m.test(section)) {
    notices.push(`${file} still holds a key for ${profile} in plain text, and aws takes that first: keyhold import`);
  }
  if (ground.environment['AWS_SECRET_ACCESS_KEY']) {
    notices.push('AWS_SECRET_ACCESS_KEY is set, and aws takes that first: unset it');
  }
  return notices;
}
