import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Sidecar } from '../../../daemon/processes/sidecar.ts';
import { listen } from '../../../daemon/socket/listen.ts';
import { temporaryFolder } from '../../temporary.ts';

/** The other end, which says its pid to each connection. */
const wellBehaved = `
process.send('ready');
process.on('message', (message, handle) => {
  if (!handle) return;
  process.send('taken');
  new Socket({ handle, readable: true, writable: true }).end(String(process.pid));
});
process.on('disconnect', () => process.exit(0));
`;

/** A listener whose connections go to an attendant that runs this text; `fell` is there once one of them fell. */
async function anAttendant(text: string) {
  const { path: folder, remove } = temporaryFolder('attend');
  const file = join(folder, 'program.mjs');
  writeFileSync(file, `import { Socket } from 'node:net';\n${text}`);
  const lines: string[] = [];
  const attendant = new Sidecar({
    name: 'test',
    program: file,
    args: () => [folder],
    idle: 60,
    native: undefined,
    emit(event) {
      lines.push(`${event.kind} ${'reason' in event ? event.reason : ''}`);
      writeFileSync(join(folder, 'fell'), '');
    },
    turnedAway() {},
  });
  const path = join(folder, 'a.sock');
  const listener = await listen(path, undefined, (handle) => attendant.take(handle));
  onTestFinished(async () => {
    await attendant.dispose(0);
    await listener.close();
    remove();
  });
  return { attendant, lines, ask: () => ask(path) };
}

/** What is said to a connection until its close. */
function ask(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connect(path);
    let said = '';
    socket.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(said));
  });
}

describe('an attendant', () => {
  it('starts one process for all who come at once, and each is answered', async () => {
    const { attendant, ask } = await anAttendant(wellBehaved);
    expect(attendant.pid).toBeUndefined();
    const said = await Promise.all(Array.from({ length: 20 }, ask));
    expect(new Set(said)).toEqual(new Set([String(attendant.pid)]));
  });

  it('gives the next process what the one that fell had not taken', async () => {
    const { lines, ask } = await anAttendant(`
      import { existsSync } from 'node:fs';
      if (!existsSync(process.argv[3] + '/fell')) {
        process.send('ready');
        process.on('message', () => process.kill(process.pid, 'SIGKILL'));
      } else {
        ${wellBehaved}
      }
    `);
    expect(await Promise.all([ask(), ask()])).toEqual([expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d+$/)]);
    expect(lines).toEqual(['attendant-failed test']);
  });

  it('closes on who comes to a process that cannot start, and does not try at every one', async () => {
    const { lines, ask } = await anAttendant('process.exit(7);');
    for (let time = 0; time < 5; time++) expect(await ask()).toBe('');
    // A pause of a second behind each: on a busy machine that is one or two of five.
    expect(lines.length).toBeLessThan(5);
  });

  it('lets a process go that has nothing on its way, and starts another', async () => {
    const { attendant, ask } = await anAttendant(`
      let taken = 0;
      process.on('message', (_, handle) => {
        if (handle) setTimeout(() => process.send(++taken), 50);
      });
      ${wellBehaved}
    `);
    const first = await ask();
    await expect.poll(() => attendant.pid).toBeUndefined();
    expect(await ask()).not.toBe(first);
  });

  it('turns away who comes when it is over', async () => {
    const { attendant, ask } = await anAttendant(wellBehaved);
    await attendant.dispose(1_000);
    expect(await ask()).toBe('');
    expect(attendant.pid).toBeUndefined();
  });
});
