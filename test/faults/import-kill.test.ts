import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { files, writeFiles } from '../client/import/files.ts';
import { type BuiltAgent, configure, startAgent } from '../fakes/built-agent.ts';
import { IMPORT, killImport, leftovers, runUntil } from '../import-kills.ts';
import { temporaryFolder } from '../temporary.ts';

const KILLS = 200;
/** Runs that may end before their kill comes, and those that do not. */
const ROUNDS_MAX = 3 * KILLS;
/** The share of kills that fall behind the moment at which files begin to change: before it nothing can be lost. */
const LATE = 0.6;
/** Milliseconds within which all files are changed, about. */
const CHANGING = 40;
const COUNT = files.reduce((sum, { tokens }) => sum + tokens, 0);

describe('keyhold import --remove killed at any moment', () => {
  const folder = temporaryFolder('import-kill');
  let agent: BuiltAgent;
  beforeAll(async () => {
    configure(folder.path, { backend: 'vault' });
    agent = await startAgent({ home: folder.path });
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    folder.remove();
  });

  it(`leaves every token in keyhold, in its file, or in both, at ${KILLS} random points`, async () => {
    writeFiles(agent.home, (name, at) => `${name}warm${at}-EXAMPLE`);
    const { took: reading } = await runUntil(agent.home, ['import', '--dry-run']);
    let { took: whole } = await runUntil(agent.home, IMPORT);
    const seen = { killed: 0, begun: 0, partly: 0 };
    for (let round = 0; seen.killed < KILLS; round++) {
      expect(round).toBeLessThan(ROUNDS_MAX);
      const late = Math.random() < LATE;
      const milliseconds = late ? Math.random() * CHANGING : reading * 0.5 + Math.random() * (whole - reading * 0.5);
      const point = { after: late ? 'journal' : 'start', milliseconds } as const;
      const { lost, left, wasKilled, took } = await killImport(agent, `f${round}`, point);
      expect(lost, `killed ${milliseconds.toFixed(1)} ms behind the ${point.after}`).toEqual([]);
      // The machine may be faster now than when the whole was measured.
      if (!wasKilled && !late) whole = Math.min(whole, took);
      if (wasKilled) seen.killed++;
      if (wasKilled && left < COUNT) seen.begun++;
      if (wasKilled && left > 0 && left < COUNT) seen.partly++;
    }
    console.info(`${seen.begun} of ${KILLS} fell behind the first change of a file, ${seen.partly} between two files`);
    expect(seen.partly).toBeGreaterThan(KILLS / 20);
    expect((await runUntil(agent.home, IMPORT)).code).toBe(0);
    expect(leftovers(agent.home)).toEqual([]);
  });
});
