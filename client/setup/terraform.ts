import { join } from 'node:path';
import { readIfThere } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';
import { onPath } from './on-path.ts';
import { byProfile, type SetupTool } from './tool.ts';

const PROGRAM = 'terraform-credentials-keyhold';
const BLOCK = 'credentials_helper "keyhold" {\n  args = []\n}\n';

/** terraform and OpenTofu: the credentials helper, which they look for in a folder of theirs and not on PATH. */
export const terraform: SetupTool = {
  name: 'terraform',
  summary: 'terraform login and init keep their tokens in keyhold',
  gain: 'no token in credentials.tfrc.json in plain text',
  account: byProfile,
  options: [],
  detect: (ground) => onPath(ground, 'terraform', 'tofu'),
  plan(ground, { program }) {
    const file = fileOf(ground);
    return {
      files: [{ file, edits: [{ kind: 'block', text: BLOCK, unless: '^[ \\t]*credentials_helper\\b.*$' }] }],
      links: [{ path: join(ground.home, '.terraform.d', 'plugins', PROGRAM), target: program(PROGRAM) }],
      notices: plainTokens(ground, file),
    };
  },
};

function fileOf({ environment, home }: Ground): string {
  const given = environment['TF_CLI_CONFIG_FILE'];
  return given?.startsWith('/') ? given : join(home, '.terraformrc');
}

/** What goes before a helper. */
function plainTokens({ environment, home }: Ground, file: string): string[] {
  const stored = join(home, '.terraform.d', 'credentials.tfrc.json');
  const notices = [stored, file]
    .filter((path) => /^\s*"?credentials"?\s*("[^"]*")?\s*[:{]/m.test(readIfThere(path)?.toString('latin1') ?? ''))
    .map((path) => `${path} still holds a token in plain text, and terraform takes that first: keyhold import`);
  for (const name of Object.keys(environment).filter((one) => one.startsWith('TF_TOKEN_'))) {
    notices.push(`${name} is set, and terraform takes that first: unset it`);
  }
  return notices;
}
