import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const common = {
  environment: 'node',
  globalSetup: ['test/bundles.ts'],
  setupFiles: ['test/setup.ts'],
  // A process that a test waits for may take its time on a busy machine.
  expect: { poll: { timeout: 10_000 } },
};

/** Suites of `npm run test:integration`: with other makers' clients, their services, browsers and terminals. */
const integration = ['test/live/{tools,services,oauth}/**/*.test.ts', 'test/live/tmux.test.ts'];

/** Suites that hold bounds of wall time: by themselves, one at a time, after the others. */
const timed = [
  'test/live/keyring/faults.test.ts',
  'test/live/agent/keyring.test.ts',
  'test/live/agent/pressure.test.ts',
];

export default defineConfig({
  test: {
    // Most tests wait for a program more than they compute: one worker, vitest's choice for two processors, idles.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/live/**', 'test/faults/**'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
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
