import { join } from 'node:path';
import type { Target } from '../../protocol/credential.ts';
import { at, Found, type Source } from './source.ts';

/** aws's credentials file: keys by the names of profiles. What has a session token dies within hours and is left. */
export const aws: Source = {
  name: 'aws',
  title: 'aws',
  format: 'ini',
  files: ({ home, environment }) => [environment['AWS_SHARED_CREDENTIALS_FILE'] || join(home, '.aws/credentials')],
  find(leaves) {
    const found = new Found();
    for (const { path, value } of leaves) {
      const [profile = '', word] = path;
      if (word !== 'aws_secret_access_key') continue;
      const username = at(leaves, profile, 'aws_access_key_id');
      const isShort = at(leaves, profile, 'aws_session_token') !== undefined;
      if (username === undefined) found.pass(path, 'its key id is missing');
      else if (isShort) found.pass(path, 'it is temporary: it has a session token');
      else found.add({ ...targetOf(profile), username }, value, [path, [profile, 'aws_access_key_id']]);
    }
    return found;
  },
};

/** As `keyhold setup aws` has it where no other URL is given. */
function targetOf(profile: string): Target {
  return { protocol: 'https', host: 'sts.amazonaws.com', path: profile === 'default' ? undefined : profile };
}
