import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openBackends } from '../../../daemon/backends/index.ts';
import { heapSecret } from '../../../protocol/secret.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { temporaryFolder } from '../../temporary.ts';

function backendsIn() {
  const { path: state, remove } = temporaryFolder('backends');
  onTestFinished(remove);
  const options = {
    state,
    configured: 'auto',
    keyringChild: '/nonexistent/child',
    keep: heapSecret,
    clock: new FakeClock(),
  } as const;
  return { state, backends: openBackends(options) };
}

describe('the note of where credentials rest', () => {
  it('is written once something rests there, and never for memory', () => {
    const { state, backends } = backendsIn();
    backends.remember('memory');
    expect(readdirSync(state)).toEqual([]);
    backends.remember('vault');
    expect(readFileSync(join(state, 'backend'), 'utf8')).toBe('vault\n');
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
