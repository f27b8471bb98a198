import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { emptyHome } from './keyhold.ts';

const module = join(import.meta.dirname, '../../client/autostart.ts');

test('an agent gets no descriptor that its starter inherited, and no message of a service manager', async () => {
  const home = emptyHome();
  const program = join(home, 'agent');
  const told = join(home, 'told');
  writeFileSync(program, `#!/bin/sh\n{ ls -l /proc/$$/fd; env; } > ${told}.new; mv ${told}.new ${told}\n`, {
    mode: 0o700,
  });
  const script = `
    import { fstatSync } from 'node:fs';
    import { spawnAgent } from ${JSON.stringify(module)};
    spawnAgent(${JSON.stringify(program)}, process.env).on('exit', () => {
      fstatSync(20); // still ours
      process.exit(0);
    });`;
  // Node closes by exec what it finds among the first sixteen.
  const stdio = Array.from({ length: 21 }, (_, fd) => (fd === 4 || fd === 20 ? 'pipe' : 'ignore') as 'pipe' | 'ignore');
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', script], {
    stdio,
    env: { PATH: process.env.PATH, NOTIFY_SOCKET: '/nonexistent', LISTEN_FDS: '1', KEPT: 'yes' },
  });
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
  expect(existsSync(told)).toBe(true);
  const text = readFileSync(told, 'utf8');
  expect(text).not.toMatch(/pipe:|socket:|NOTIFY_SOCKET|LISTEN_FDS/);
  expect(text).toContain('KEPT=yes');
});
