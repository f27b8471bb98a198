import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Environment, type Ground, groundOf } from '../../client/install/ground.ts';

/** The ground of a person whose home is `home`, who has no other variables than those given. */
export function groundIn(home: string, more: Environment = {}): Ground {
  const XDG_RUNTIME_DIR = join(home, '.run');
  mkdirSync(XDG_RUNTIME_DIR, { recursive: true, mode: 0o700 });
  return groundOf({ HOME: home, PATH: process.env['PATH'], XDG_RUNTIME_DIR, GIT_CONFIG_NOSYSTEM: '1', ...more });
}

/** A copy of keyhold as the build leaves it, of a few bytes: programs that are shell scripts. */
export function aPackage(root: string, version = '1.2.3', names: readonly string[] = ['keyhold', 'keyhold-agent']) {
  for (const folder of ['dist/bin', 'dist/lib', 'systemd']) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'package.json'), JSON.stringify({ name: 'keyhold', version }));
  writeFileSync(join(root, 'dist/lib/agent.cjs'), `// ${version}`);
  for (const name of names) {
    writeFileSync(join(root, 'dist/bin', name), `#!/bin/sh\necho ${name} ${version}\n`);
    chmodSync(join(root, 'dist/bin', name), 0o755);
  }
  return { root, version };
}

/** Everything below a folder, one line a thing: name, kind, mode, and a hash of its content or its target. */
export function treeOf(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below))
    .sort()
    .flatMap((name) => {
      const path = join(below, name);
      const full = join(folder, path);
      const stat = lstatSync(full);
      const mode = (stat.mode & 0o7777).toString(8);
      if (stat.isSymbolicLink()) return [`${path} -> ${readlinkSync(full)}`];
      if (stat.isDirectory()) return [`${path}/ ${mode}`, ...treeOf(folder, path)];
      const content = stat.isFile() ? createHash('sha256').update(readFileSync(full)).digest('hex') : 'special';
      return [`${path} ${mode} ${content}`];
    });
}
