import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const common = {
  environment: 'node',
  globalSetup: ['test/bundles.ts'],
  setupFiles: ['test/setup.ts'],
  // A process that a test waits for may take its time on a busy machine.
  expect: { poll: { timeout: 10_000 } },
};

/** The files whose tests start programs. `npm run check` leaves them out; test/no-process.ts holds the name. */
const startsPrograms = 'test/**/*.process.test.ts';

/** A process and all modules for each of 200 files take as long as the tests themselves. setup.ts runs for each all the same. */
const together = { isolate: false, testTimeout: 30_000, hookTimeout: 60_000 };

/**
 * Suites of `npm run test:integration`: other makers' clients, services, browsers and terminals, every form of the build, and what
 * kills and restarts again and again.
 */
const integration = [
  'test/live/{tools,services,oauth}/**/*.test.ts',
  'test/live/{git-hosts,tmux,upgrade}.test.ts',
  'test/live/agent/{admin,events,restart,sessions}.test.ts',
  'test/live/keyring/{contract,crash}.test.ts',
  'test/client/thin/{musl,typescript}.test.ts',
  'test/client/{building,exec/quote}.test.ts',
  'test/scripts/build.test.ts',
  'test/mutations.test.ts',
];

/** Suites that hold bounds of wall time: by themselves, one at a time, after the others. */
const timed = [
  'test/live/keyring/faults.test.ts',
  'test/live/agent/keyring.test.ts',
  'test/live/agent/pressure.test.ts',
];

export default defineConfig({
  test: {
    // Most tests wait for a program more than they compute: one worker, vitest's choice for two processors, idles.
    maxWorkers: availableParallelism() + 1,
    // Transcripts are text, which no test imports.
    watchTriggerPatterns: [{ pattern: /test\/transcripts\/.*\.txt$/, testsToRun: () => 'test/transcripts' }],
    projects: [
      {
        test: {
          ...common,
          ...together,
          name: 'unit',
          setupFiles: [...common.setupFiles, 'test/no-process.ts'],
          include: ['test/**/*.test.ts'],
          exclude: ['test/live/**', 'test/faults/**', ...integration, startsPrograms],
        },
      },
      {
        test: {
          ...common,
          ...together,
          name: 'processes',
          include: [startsPrograms],
          exclude: ['test/live/**', 'test/faults/**', ...integration],
        },
      },
      {
        test: {
          ...common,
          name: 'live',
          include: ['test/live/**/*.test.ts'],
          exclude: [...timed, ...integration],
          testTimeout: 90_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...common,
          name: 'integration',
          include: integration,
          testTimeout: 90_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...common,
          name: 'timed',
          include: timed,
          testTimeout: 90_000,
          hookTimeout: 60_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...common,
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
