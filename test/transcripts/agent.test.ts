import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compose } from '../../daemon/compose.ts';
import { listen } from '../../daemon/socket/listen.ts';
import { readConfig } from '../../protocol/config.ts';
import { placesOf } from '../../protocol/places.ts';
import { FakeClock } from '../fakes/clock.ts';
import { needsDenial, play, scenes } from './play.ts';
import { dialled } from './wires.ts';

/** The agent as it is composed, holding everything in memory, on a socket of its own. */
async function openAgent() {
  const home = mkdtempSync(join(tmpdir(), 'keyhold-agent-'));
  const places = placesOf({ environment: { KEYHOLD_HOME: home }, uid: process.getuid!(), isOwn: () => false })!;
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
    /** Ends it. Answers the bytes of its audit log. */
    async dispose() {
      await listener.close();
      const open = auditBytes(places.state);
      await composed.dispose();
      const closed = auditBytes(places.state);
      rmSync(home, { recursive: true, force: true });
      return Buffer.concat([open, closed]);
    },
  };
}

/** The audit log's file and its WAL. */
function auditBytes(state: string): Buffer {
  const names = readdirSync(state).filter((name) => name.startsWith('audit.db'));
  return Buffer.concat(names.map((name) => readFileSync(join(state, name))));
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
      const { clock, wire, dispose } = await openAgent();
      try {
        expect((await play(scene, { handler: unused, clock }, wire)).join('\n')).toBe(scene.lines.join('\n'));
      } finally {
        // Every secret of a transcript ends like this; the log is written, and holds none of them.
        expect((await dispose()).includes('EXAMPLE')).toBe(false);
      }
    },
  );
});
