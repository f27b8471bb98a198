import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { setupTools } from '../../client/setup/index.ts';
import { examples } from '../client/setup/examples.ts';
import { aHomeToWire } from '../client/setup/wiring.ts';

const all = setupTools.map((tool) => [tool.name, tool, examples[tool.name] ?? []] as const);

/** What `keyhold setup` promises of every tool: being in client/setup/index.ts is what runs it. */
describe.each(all)('setup of %s', (name, tool, own) => {
  const aHome = () => {
    // pnpm takes no path with a blank.
    const wiring = name === 'pnpm' ? aHomeToWire('/opt/keyhold/bin') : aHomeToWire();
    onTestFinished(() => wiring.remove());
    // kubectl is asked for its version.
    wiring.write('bin/kubectl', `#!/bin/sh\necho '{"clientVersion":{"minor":"32"}}'\n`);
    chmodSync(join(wiring.home, 'bin/kubectl'), 0o755);
    return { ...wiring, environment: { PATH: `${wiring.home}/bin:/usr/bin:/bin` } };
  };

  it('has an example (test/client/setup/examples.ts)', () => {
    expect(own.length).toBeGreaterThan(0);
  });

  it.each(own)(
    'keeps every line of what is in $path, changes nothing twice, and leaves nothing behind (%#)',
    async ({ path, text = '', options }) => {
      for (const isThere of path === undefined || name === 'kubectl' ? [true] : [false, true]) {
        const { wire, unwire, write, read, tree, environment } = aHome();
        if (isThere && path !== undefined) write(path, text);
        const before = tree();
        const { changed } = await wire(name, options, environment);
        expect(changed).toBe(path !== undefined);
        if (isThere && path !== undefined) {
          expect(read(path)).not.toBe(text);
          // Every line of theirs is still there, but the one user of one context.
          const kept = text.split(/\r?\n/).filter((line) => !/user: "?ada/.test(line));
          if (!text.startsWith('{')) for (const line of kept) expect(read(path).split(/\r?\n/)).toContain(line);
        }
        expect(await wire(name, options, environment)).toMatchObject({ changed: false });
        await unwire(name, environment);
        expect(tree()).toEqual(before);
      }
    },
  );

  it('tells nothing of a secret that is in the way, and says what it does and what that gains', async () => {
    for (const { path, text = '', options } of own) {
      const { wire, write, environment } = aHome();
      if (path !== undefined) write(path, text);
      const { notices } = await wire(name, options, environment);
      expect(notices.join('\n')).not.toContain('EXAMPLE');
    }
    expect(tool.summary.length).toBeGreaterThanOrEqual(20);
    expect(tool.gain.length).toBeGreaterThanOrEqual(20);
  });

  it('takes an account, or says what chooses it instead', async () => {
    if (tool.account === 'named') return;
    const { wire, environment } = aHome();
    expect(tool.account.instead).toMatch(/profile|URL|username|name/);
    const { options } = own[0]!;
    await expect(wire(name, { ...options, account: 'ada' }, environment)).rejects.toThrow(tool.account.instead);
  });
});
