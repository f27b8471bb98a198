import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../fakes/clock.ts';
import { FakeStore } from '../fakes/store.ts';
import { play, type Stage, scenes, transcriptText } from './play.ts';
import { inProcess, overSocket, type Wire } from './wires.ts';

function openStage(): Stage {
  const clock = new FakeClock();
  const store = new FakeStore(clock);
  return {
    handler: store.handler,
    clock,
    deny: (host) => store.deny(host),
    revoke: (host, reason) => store.revoke(host, reason),
    profiles: (document) => store.profiles(document),
  };
}

let socket: Awaited<ReturnType<typeof overSocket>>;
beforeAll(async () => {
  socket = await overSocket();
});
afterAll(() => socket.dispose());

const wires: Record<string, Wire> = {
  'in process': inProcess(),
  'in process, seven bytes at a time': inProcess(7),
  'over a socket': (handler) => socket.wire(handler),
};

for (const [name, wire] of Object.entries(wires)) {
  describe(`the transcripts, ${name}`, () => {
    it.each(scenes().map((scene) => [scene.file, scene.title, scene] as const))(
      '%s: %s',
      async (_file, _title, scene) => {
        expect((await play(scene, openStage(), wire)).join('\n')).toBe(scene.lines.join('\n'));
      },
    );
  });
}

describe('the transcripts and the specification', () => {
  const specification = readFileSync(new URL('../../protocol/PROTOCOL.md', import.meta.url), 'utf8');
  const sections = [...specification.matchAll(/^#{2,3} (\d+(?:\.\d+)?)\.? /gm)].map(([, number]) => number!);
  const cited = new Set([...transcriptText().matchAll(/§(\d+(?:\.\d+)?)/g)].map(([, number]) => number!));

  it('cite every section of PROTOCOL.md', () => {
    const isCited = (section: string) => [...cited].some((one) => one === section || one.startsWith(`${section}.`));
    expect(sections.filter((section) => !isCited(section))).toEqual([]);
  });

  it('cite no section that is not there', () => {
    expect([...cited].filter((section) => !sections.includes(section))).toEqual([]);
  });
});
