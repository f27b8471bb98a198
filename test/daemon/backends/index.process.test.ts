import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openBackends } from '../../../daemon/backends/index.ts';
import { heapSecret } from '../../../protocol/secret.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { temporaryFolder } from '../../temporary.ts';

type Given = {
  readonly keyringChild: string;
  readonly configured: 'auto' | 'vault' | 'memory';
  readonly given: string;
};

function backendsIn({ keyringChild = '/nonexistent/child', configured = 'auto', given }: Partial<Given> = {}) {
  const { path: state, remove } = given === undefined ? temporaryFolder('backends') : { path: given, remove() {} };
  onTestFinished(remove);
  const options = {
    state,
    configured,
    keyringChild,
    keep: heapSecret,
    clock: new FakeClock(),
  } as const;
  return { state, backends: openBackends(options) };
}

describe('the choice of a backend', () => {
  it('is not made where the keyring gives no answer, for the first store would bind the user to it', async () => {
    const { state, backends } = backendsIn({ keyringChild: writeSilentChild() });
    vi.stubEnv('DBUS_SESSION_BUS_ADDRESS', 'unix:path=/nonexistent/bus');
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(backends.openChosen()).rejects.toMatchObject({ code: 'backend_hung' });
    expect(readdirSync(state)).toEqual([]);
  });

  it('is the vault where there is no session bus, which is an answer', async () => {
    const { backends } = backendsIn();
    vi.stubEnv('DBUS_SESSION_BUS_ADDRESS', undefined);
    vi.stubEnv('XDG_RUNTIME_DIR', '/nonexistent');
    onTestFinished(() => void vi.unstubAllEnvs());
    const backend = await backends.openChosen();
    expect(backend.name).toBe('vault');
    await backend.dispose();
  });
});

/** A keyring child that comes up and answers nothing. */
function writeSilentChild(): string {
  const { path, remove } = temporaryFolder('silent-child');
  onTestFinished(remove);
  const program = join(path, 'child.cjs');
  writeFileSync(
    program,
    'const empty = () => process.stdout.write(Buffer.alloc(4)); process.stdin.on("data", empty); empty();',
  );
  return program;
}

describe('the note of where credentials rest', () => {
  it('is written once something rests there, and never for memory', () => {
    const { state, backends } = backendsIn();
    backends.remember('memory');
    expect(readdirSync(state)).toEqual([]);
    backends.remember('vault');
    expect(readFileSync(join(state, 'backend'), 'utf8')).toBe('vault\n');
  });

  it('outranks the setting that a migrate found, until the setting is changed', async () => {
    const { state, backends } = backendsIn({ configured: 'memory' });
    await (await backends.open('vault')).dispose();
    backends.remember('vault');
    const chosen = async (configured: 'auto' | 'vault' | 'memory') => {
      const backend = await backendsIn({ configured, given: state }).backends.openChosen();
      await backend.dispose();
      return backend.name;
    };
    expect(await chosen('memory')).toBe('vault');
    expect(await chosen('auto')).toBe('vault');
    expect(await chosen('vault')).toBe('vault');
    expect(await chosen('memory')).toBe('memory');
  });

  it('that cannot be written is a fault of ours, and leaves nothing behind', () => {
    const { state, backends } = backendsIn();
    mkdirSync(join(state, 'backend'));
    expect(() => backends.remember('vault')).toThrow(
      expect.objectContaining({
        code: 'backend_failed',
        message: expect.stringMatching(/^cannot note the backend in /),
      }),
    );
    expect(readdirSync(state)).toEqual(['backend']);
  });
});
