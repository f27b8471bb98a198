import { onPath } from './on-path.ts';
import { shellWord } from './program.ts';
import type { SetupTool } from './tool.ts';

/** ssh and git by a prompt: there is no file for it, only variables, which are shown. */
export const askpass: SetupTool = {
  name: 'askpass',
  summary: 'ssh, ssh-keygen and git get passphrases and passwords from keyhold',
  gain: "no prompt for a key's passphrase where nobody sits",
  account: { instead: 'ssh and git name it when they ask: git config --global credential.https://HOST.username NAME' },
  options: [],
  detect: (ground) => onPath(ground, 'ssh', 'ssh-keygen'),
  plan(_, { program }) {
    const helper = shellWord(program('keyhold-askpass'));
    return {
      files: [],
      links: [],
      notices: [
        'nothing is written; these are the lines for the profile of your shell:',
        `    export SSH_ASKPASS=${helper} SSH_ASKPASS_REQUIRE=force`,
        `    export GIT_ASKPASS=${helper}`,
        'ssh then asks nobody else; for one command alone write the variables before it',
        'keep a passphrase by: keyhold token set --for ssh-key://localhost/PATH-OF-THE-KEY',
      ],
    };
  },
};
