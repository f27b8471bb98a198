import { describe, expect, it } from 'vitest';
import { describeFatal } from '../../daemon/fatal.ts';
import { KeyholdError } from '../../protocol/errors.ts';

describe('an error that nobody handled', () => {
  it('is told by its kind and its place in the code, and never by its message', () => {
    let error: unknown;
    try {
      JSON.parse('token-EXAMPLE and more');
    } catch (caught) {
      error = caught;
    }
    expect((error as Error).message).toContain('token-EXA');
    const { code, where } = describeFatal(error);
    expect(code).toBe('SyntaxError');
    expect(where).toMatch(/^at .*fatal\.test\.ts:\d+:\d+/);
    expect(where).not.toContain('EXA');
  });

  it('shows nothing of a message of many lines, of what is no error, or of one without a stack', () => {
    const error = new Error('token-EXAMPLE\n    at token-EXAMPLE\nat (x:1:1)');
    expect(describeFatal(error).where).not.toContain('EXAMPLE');
    expect(describeFatal('token-EXAMPLE')).toEqual({ code: 'string', where: '' });
    expect(describeFatal(Object.assign(new Error('token-EXAMPLE'), { stack: undefined }))).toEqual({
      code: 'Error',
      where: '',
    });
  });

  it('has the code of ours and of the system', () => {
    expect(describeFatal(new KeyholdError('backend_failed', 'cannot')).code).toBe('backend_failed');
    expect(describeFatal(Object.assign(new Error('x'), { code: 'EIO' })).code).toBe('EIO');
  });
});
