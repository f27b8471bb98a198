import { describe, expect, it } from 'vitest';
import { openLog } from '../daemon/log.ts';
import { exchange } from './fakes/built-agent.ts';
import { openComposed } from './fakes/composed-agent.ts';
import { needsDenial, play, type Scene, said, scenes } from './transcripts/play.ts';

const SECRET = /^(?:password|credential|oauth_refresh_token|passphrase|new_passphrase)=(.+)$|"token":"([\w-]+)/;

/** Every secret that is said in a scene: its callers' fixtures, as bytes in latin1. */
function secretsIn(scene: Scene): string[] {
  return scene.lines
    .filter((line) => line.startsWith('>'))
    .map((line) => SECRET.exec(said(line).toString('latin1').trimEnd()))
    .map((found) => found?.[1] ?? found?.[2])
    .filter((secret): secret is string => secret !== undefined && secret.length > 3);
}

describe('no secret of a transcript', () => {
  const playable = scenes().filter((scene) => !needsDenial(scene) && secretsIn(scene).length > 0);

  it('is missing: the transcripts have some', () => {
    expect(playable.length).toBeGreaterThan(20);
  });

  it.each(playable.map((scene) => [scene.file, scene.title, scene] as const))(
    'reaches the log, a message, status or list: %s: %s',
    async (_file, _title, scene) => {
      const lines: string[] = [];
      const { log, attach } = openLog();
      await attach({ write: (line) => lines.push(line) }, 'debug');
      const agent = await openComposed(log);
      try {
        const unused = async () => ({ status: 'unsupported', message: 'the agent has its own handler' }) as const;
        const went = await play(scene, { ...agent, handler: unused }, agent.wire);
        const told = went.filter((line) => /^(<.*message=|!|\?)/.test(line));
        for (const action of ['status', 'list', 'backend-list']) {
          told.push(await exchange(agent.socket, [`action=${action}`, 'capability[]=keyhold']));
        }
        const shown = [...told, ...lines].join('\n');
        for (const secret of secretsIn(scene)) {
          const forms = [secret, Buffer.from(secret, 'latin1').toString('base64'), encodeURIComponent(secret)];
          for (const form of forms) expect(shown.includes(form)).toBe(false);
        }
      } finally {
        await agent.dispose();
      }
    },
  );
});
