import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { foldersOf } from '../protocol/places.ts';

/**
 * `npm run dev`: an agent, started again when a file of it changes, and the unit tests that changed files concern, run again
 * at every change. The agent has a home of its own, which goes with it, and keeps tokens in memory only. Ctrl-C ends both.
 */

const root = join(import.meta.dirname, '..');
const home = mkdtempSync(join(tmpdir(), 'keyhold-dev-'));
const environment = { ...process.env, KEYHOLD_HOME: home, KEYHOLD_SOCKET: undefined };

const { config } = foldersOf(environment)!;
mkdirSync(config, { recursive: true, mode: 0o700 });
writeFileSync(join(config, 'config.json'), `${JSON.stringify({ backend: 'memory' })}\n`, { mode: 0o600 });

const log = join(home, 'agent.log');
const output = openSync(log, 'a', 0o600);
const agent = spawn(process.execPath, ['--watch', '--watch-preserve-output', join(root, 'daemon/main.ts')], {
  env: environment,
  stdio: ['ignore', output, output],
});
process.stdout.write(`agent: KEYHOLD_HOME=${home} node client/main.ts status; its log: ${log}\n`);

const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const tests = spawn(process.execPath, [vitest, 'watch', '--project', 'unit', '--changed'], {
  cwd: root,
  stdio: 'inherit',
});

// Ctrl-C reaches both children too; what is left to do is to wait for them.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => tests.kill());
tests.on('exit', (code) => {
  agent.once('exit', () => {
    rmSync(home, { recursive: true, force: true });
    process.exitCode = code ?? 0;
  });
  agent.kill();
});
