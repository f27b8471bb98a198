import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compose } from '../../daemon/compose.ts';
import { listen } from '../../daemon/socket/listen.ts';
import { readConfig } from '../../protocol/config.ts';
import { placesOf } from '../../protocol/places.ts';
import { exchange } from '../fakes/built-agent.ts';
import { FakeClock } from '../fakes/clock.ts';
import { needsDenial, play, scenes } from './play.ts';
import { dialled } from './wires.ts';

/** The agent as it is composed, holding everything in memory, on a socket of its own. */
async function openAgent() {
  const home = mkdtempSync(join(tmpdir(), 'keyhold-agent-'));
  const places = placesOf({ environment: { KEYHOLD_HOME: home }, uid: process.getuid!(), isOwn: () => false })!;
  mkdirSync(places.config, { mode: 0o700 });
  mkdirSync(places.state, { mode: 0o700 });
  mkdirSync(places.run, { mode: 0o700 });
  const clock = new FakeClock();
  const composed = compose({
    places,
    config: readConfig({ backend: 'memory' }),
    clock,
    log() {},
    native: undefined,
    keyringChild: '/nonexistent/keyring-child',
    degradations: [],
    stop() {},
  });
  const listener = await listen(places.agentSocket, undefined, (handle) => composed.reception.receive(handle));
  return {
    clock,
    wire: dialled(places.agentSocket),
    async profiles(document: unknown) {
      writeFileSync(`${places.config}/profiles.json`, JSON.stringify(document), { mode: 0o600 });
      expect(await exchange(places.agentSocket, ['action=profile-reload', 'capability[]=keyhold'])).toContain(
        'status=ok',
      );
    },
    async dispose() {
      await listener.close();
      await composed.dispose();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

const unused = async () => {
  throw new Error('the agent has its own handler');
};

describe('the transcripts, with the agent', () => {
  // Policy is not there yet, so nothing refuses a host.
  const playable = scenes().filter((scene) => !needsDenial(scene));

  it.each(playable.map((scene) => [scene.file, scene.title, scene] as const))(
    '%s: %s',
    async (_file, _title, scene) => {
      const { clock, wire, profiles, dispose } = await openAgent();
      try {
        expect((await play(scene, { handler: unused, clock, profiles }, wire)).join('\n')).toBe(scene.lines.join('\n'));
      } finally {
        await dispose();
      }
    },
  );
});
