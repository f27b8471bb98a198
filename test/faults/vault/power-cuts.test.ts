import { chmodSync, copyFileSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { mayMount, mount, run } from '../../mount.ts';
import { need } from '../../need.ts';
import { type TemporaryFolder, temporaryFolder } from '../../temporary.ts';
import { Acknowledged, type Resting, randomFrom, readVault } from './play.ts';
import { startWriter } from './start-writer.ts';

const CUTS = 200;
const LANES = 2;
const IMAGE_BYTES = 16 * 1024 * 1024;
/**
 * EXT4_IOC_SHUTDOWN with NOLOGFLUSH: nothing new reaches the device from here on, not even the journal. It prints when
 * (CLOCK_MONOTONIC): an fsync that returns after this instant may have seen the journal abort and called it success.
 */
const CUT = `use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
  open(F, "<", $ARGV[0]) or die; my $flags = pack("L", 2);
  printf("%.0f", clock_gettime(CLOCK_MONOTONIC) * 1e9); ioctl(F, 0x8004587d, $flags) or die "ioctl: $!"`;

const possible =
  need('mkfs.ext4', 'apt-get install e2fsprogs') &&
  need('perl', 'apt-get install perl') &&
  mayMount('-t', 'tmpfs', 'tmpfs') &&
  mayLoop();

/**
 * A power cut: an ext4 file system in an image file, shut down in the middle of a writer's work, its image copied in
 * that state, and the copy mounted, which replays the journal. What the device had cached itself is not simulated.
 */
describe.skipIf(!possible)('power cuts', () => {
  it(`lose nothing in ${CUTS} cuts at random moments under stores and erases`, async () => {
    const lanes = Array.from({ length: LANES }, (_, lane) => cutPower('writer.ts', CUTS / LANES, lane, readVault));
    const results = await Promise.all(lanes);
    const acknowledged = results.reduce((sum, result) => sum + result.acknowledged, 0);
    expect(results.flatMap(({ wrong }) => wrong)).toEqual([]);
    expect(acknowledged).toBeGreaterThan(CUTS);
    console.log(`${CUTS} cuts, ${acknowledged} acknowledged changes, none lost, none back`);
  });

  it('lose something of a store that does not sync, so they would be noticed', async () => {
    const { wrong } = await cutPower('lax-writer.ts', 10, 0, readLax);
    expect(wrong.length).toBeGreaterThan(0);
  });
});

async function cutPower(
  program: 'writer.ts' | 'lax-writer.ts',
  cuts: number,
  lane: number,
  read: (folder: string) => Promise<Resting>,
): Promise<{ wrong: string[]; acknowledged: number }> {
  const images = temporaryFolder('cuts');
  const heard = new Acknowledged();
  const random = randomFrom(lane);
  const wrong: string[] = [];
  try {
    let image = newImage(images);
    for (let cut = 0; cut < cuts; cut++) {
      const seed = lane * 1_000_000 + cut;
      const disk = mount('-o', 'loop', image);
      const folder = join(disk.path, 'state');
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      run('sync', '-f', folder);
      const writer = startWriter(program, folder, seed, heard);
      if (random() < 0.9) await writer.ready;
      await sleep(random() * 80);
      const cutAt = BigInt(run('perl', '-e', CUT, disk.path));
      // What was under way to the device at the cut arrives; an fsync that waited for it may still be acknowledged.
      writer.child.kill('SIGKILL');
      await writer.ended;
      const after = join(images.path, `cut-${cut % 2}.img`);
      copyFileSync(image, after);
      disk.unmount();
      image = after;
      wrong.push(...(await readAfterCut(image, heard, cutAt, read)).map((what) => `seed ${seed}: ${what}`));
    }
  } finally {
    images.remove();
  }
  return { wrong, acknowledged: heard.count };
}

/** Mounts what reached the device, as a machine does when its power is back, and compares. */
async function readAfterCut(
  image: string,
  heard: Acknowledged,
  cutAt: bigint,
  read: (folder: string) => Promise<Resting>,
): Promise<string[]> {
  const disk = mount('-o', 'loop', image);
  try {
    return heard.check(await read(join(disk.path, 'state')), cutAt);
  } catch (error) {
    return [`cannot be read: ${(error as Error).message}`];
  } finally {
    disk.unmount();
  }
}

function newImage(folder: TemporaryFolder): string {
  const image = join(folder.path, 'new.img');
  writeFileSync(image, '');
  chmodSync(image, 0o600);
  truncateSync(image, IMAGE_BYTES);
  run('mkfs.ext4', '-q', image);
  return image;
}

async function readLax(folder: string): Promise<Resting> {
  using sqlite = new DatabaseSync(join(folder, 'lax.db'));
  sqlite.exec('CREATE TABLE IF NOT EXISTS record (target INTEGER PRIMARY KEY, value TEXT NOT NULL)');
  const rows = sqlite.prepare('SELECT target, value FROM record').all() as { target: number; value: string }[];
  return new Map(rows.map(({ target, value }) => [target, value]));
}

function mayLoop(): boolean {
  const folder = temporaryFolder('loop');
  try {
    return mayMount('-o', 'loop', newImage(folder));
  } finally {
    folder.remove();
  }
}
