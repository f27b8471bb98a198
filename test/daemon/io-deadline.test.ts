import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { IoDeadline } from '../../daemon/io-deadline.ts';
import { temporaryFolder } from '../temporary.ts';

/** Keeps the event loop busy, as a long calculation does. */
function block(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

/** What came first on a fresh connection to a server that greets at once, while our own work takes longer than the deadline. */
async function firstOf(deadline: (late: () => void) => { clear(): void }): Promise<string[]> {
  const { path, remove } = temporaryFolder('late');
  const server = createServer((socket) => socket.end('hello'));
  await new Promise<void>((resolve) => server.listen(join(path, 's'), resolve));
  onTestFinished(() => {
    server.close();
    remove();
  });
  const seen: string[] = [];
  const socket = connect(join(path, 's'));
  await new Promise((resolve) => socket.once('connect', resolve));
  const timer = deadline(() => seen.push('late'));
  socket.on('data', () => {
    seen.push('answer');
    timer.clear();
  });
  // The greeting is on its way into our socket by now; only our own loop does not read it.
  setImmediate(() => block(100));
  await sleep(300);
  return seen;
}

it('lets an answer that is there already come before the deadline that passed in our own work', async () => {
  expect(await firstOf((late) => new IoDeadline(20, late))).toEqual(['answer']);
});

it('calls back once when no answer came, and not after it was cleared', async () => {
  const seen: string[] = [];
  new IoDeadline(5, () => seen.push('late'));
  new IoDeadline(5, () => seen.push('never')).clear();
  await sleep(60);
  expect(seen).toEqual(['late']);
});
