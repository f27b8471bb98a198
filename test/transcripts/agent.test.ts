import { describe, expect, it } from 'vitest';
import { openComposed } from '../fakes/composed-agent.ts';
import { needsDenial, play, scenes } from './play.ts';

const unused = async () => {
  throw new Error('the agent has its own handler');
};

/** The folders of the transcripts are not there; whose they are is the matter of test/daemon/credentials/working-folder.test.ts. */
const ours = { uid: process.geteuid!(), gid: process.getegid!(), mode: 0o755 };

describe('the transcripts, with the agent', () => {
  // Policy is not there yet, so nothing refuses a host.
  const playable = scenes().filter((scene) => !needsDenial(scene));

  it.each(playable.map((scene) => [scene.file, scene.title, scene] as const))(
    '%s: %s',
    async (_file, _title, scene) => {
      const { clock, wire, profiles, revoke, dispose } = await openComposed(undefined, { lookAt: async () => ours });
      try {
        expect((await play(scene, { handler: unused, clock, profiles, revoke }, wire)).join('\n')).toBe(
          scene.lines.join('\n'),
        );
      } finally {
        // Every secret of a transcript ends like this; the log is written, and holds none of them.
        expect((await dispose()).includes('EXAMPLE')).toBe(false);
      }
    },
  );
});
