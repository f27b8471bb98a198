import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose } from '../../daemon/compose.ts';
import type { LookAt } from '../../daemon/credentials/working-folder.ts';
import type { Log } from '../../daemon/log.ts';
import type { Native } from '../../daemon/native/native.ts';
import { listen } from '../../daemon/socket/listen.ts';
import { computePlaces } from '../../platform/places.ts';
import { readConfig } from '../../protocol/config.ts';
import { dialled } from '../transcripts/wires.ts';
import { exchange } from './built-agent.ts';
import { FakeClock } from './clock.ts';

/** The addon, and a program that stands in for the processes beside the agent. */
type Beside = {
  readonly native?: Native | undefined;
  readonly child?: string;
  readonly backend?: 'memory' | 'vault';
  readonly lookAt?: LookAt;
};

/** The agent as it is composed, holding everything in memory unless told otherwise, on a socket of its own. */
export async function openComposed(
  log: Log = () => {},
  { native, child = '/nonexistent/child', backend = 'memory', lookAt }: Beside = {},
) {
  const home = mkdtempSync(join(tmpdir(), 'keyhold-agent-'));
  const places = computePlaces({ KEYHOLD_HOME: home })!;
  mkdirSync(places.config, { mode: 0o700 });
  mkdirSync(places.state, { mode: 0o700 });
  mkdirSync(places.run, { mode: 0o700 });
  const clock = new FakeClock();
  const composed = compose({
    places,
    config: readConfig({ backend }),
    clock,
    log,
    native,
    keyringChild: '/nonexistent/keyring-child',
    adminChild: child,
    upstreamChild: '/nonexistent/upstream',
    eventsChild: child,
    degradations: [],
    lookAt,
    // As cheap as it goes: what a passphrase really costs, the built agent shows (test/live/cli.test.ts).
    backupCost: { memory: 64, passes: 1, parallelism: 1 },
    stop() {},
    async restart() {},
  });
  const listener = await listen(places.agentSocket, undefined, (handle) => composed.reception.receive(handle));
  const listeners = [
    listener,
    await listen(places.adminSocket, undefined, (handle) => composed.admin.take(handle)),
    await listen(places.eventsSocket, undefined, (handle) => composed.events.take(handle)),
  ];
  void composed.open();
  return {
    clock,
    /** The socket of a process beside the agent. */
    beside: (which: 'admin' | 'events') => (which === 'admin' ? places.adminSocket : places.eventsSocket),
    socket: places.agentSocket,
    wire: dialled(places.agentSocket),
    /** Gives the person profiles, as `keyhold profile` does. */
    async profiles(document: unknown) {
      writeFileSync(`${places.config}/profiles.json`, JSON.stringify(document), { mode: 0o600 });
      await exchange(places.agentSocket, ['action=profile-reload', 'capability[]=keyhold']);
    },
    /** Buries what is held for a host, as who has revoked it does. */
    async revoke(host: string, reason: string) {
      const manage = (...lines: string[]) => exchange(places.agentSocket, [...lines, 'capability[]=keyhold']);
      const items = (await manage('action=list')).match(/(?<=^item\[\]=).*$/gm) ?? [];
      const held = items.map((item) => JSON.parse(item)).filter((item) => item.host === host);
      for (const { id } of held) await manage('action=bury', `id=${id}`, `reason=${reason}`);
    },
    /** Ends it. Answers the bytes of its audit log, as it lay there before and behind the end. */
    async dispose() {
      for (const one of listeners) await one.close();
      const open = auditBytes(places.state);
      await composed.dispose();
      const closed = auditBytes(places.state);
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
      return Buffer.concat([open, closed]);
    },
  };
}

/** The audit log's file and its WAL. */
function auditBytes(state: string): Buffer {
  const names = readdirSync(state).filter((name) => name.startsWith('audit.db'));
  return Buffer.concat(names.map((name) => readFileSync(join(state, name))));
}
