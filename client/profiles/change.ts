import { KeyholdError } from '../../protocol/errors.ts';
import { ask } from '../cli/agent.ts';
import { remark } from '../cli/page.ts';
import { dial } from '../dial.ts';
import { changeProfiles, type ProfilesDocument } from './file.ts';

/** Milliseconds that a running agent may take to read the profiles again. */
const RELOAD_DEADLINE = 2_000;

/** Changes the file, and has a running agent read it again. None is started for it: it will read the file by itself. */
export async function changeAndReload(how: (document: Required<ProfilesDocument>) => void): Promise<void> {
  await changeProfiles(how);
  try {
    using agent = await dial({ deadline: RELOAD_DEADLINE });
    await ask(agent, 'profile-reload');
  } catch (error) {
    if (error instanceof KeyholdError && error.code === 'agent_unreachable') return;
    remark('keyhold: the running agent did not take the change up; run: keyhold restart');
  }
}
