import { describe, expect, it } from 'vitest';
import { childEnvironment, originalEnvironment } from '../../../client/exec/environment.ts';
import type { Plan } from '../../../client/exec/plan.ts';

const asLeft = (bytes: Buffer | string) => ({ KEYHOLD_ENVIRONMENT: Buffer.from(bytes).toString('base64'), PWD: '/x' });
const plan: Plan = {
  grants: [],
  plain: [{ name: 'PROJECT', value: 'p', from: '' }],
  remove: [{ name: 'OLD', from: '' }],
};

describe('the original environment', () => {
  it('is what the launcher left, and nothing that stands around it', () => {
    const left = asLeft(
      'A=1\0FOO-BAR=a=b\0BASH_FUNC_x%%=() {  :\n}\0EMPTY=\0=C:=x\0nonsense\0A=2\0KEYHOLD_ENVIRONMENT=x\0',
    );
    const { environment, lost } = originalEnvironment(left);
    expect({ ...environment }).toEqual({
      A: '1',
      'FOO-BAR': 'a=b',
      'BASH_FUNC_x%%': '() {  :\n}',
      EMPTY: '',
      '=C:': 'x',
    });
    expect(lost).toEqual([]);
  });

  it('is our own where there was no launcher', () => {
    expect({ ...originalEnvironment({ A: '1', NODE_OPTIONS: '--x' }).environment }).toEqual({
      A: '1',
      NODE_OPTIONS: '--x',
    });
  });

  it('says what cannot be handed on', () => {
    expect(originalEnvironment(asLeft(Buffer.from([0x41, 0x3d, 0xff, 0]))).lost).toEqual([
      'the variable A, which is not UTF-8',
    ]);
    const { environment, lost } = originalEnvironment({ A: '1', KEYHOLD_ENVIRONMENT: '' });
    expect({ ...environment }).toEqual({ A: '1' });
    expect(lost).toEqual(['NODE_OPTIONS, LD_PRELOAD and their like']);
  });
});

describe('the environment of the command', () => {
  const fetched = [{ variables: ['T', 'U'], bytes: Buffer.from('tökenEXAMPLE') }];

  it('is the original one, without what could win, and with tokens, settings and the marker', () => {
    const original = { A: '1', T: 'before', OLD: 'x', PROJECT: 'q' };
    expect({ ...childEnvironment(original, plan, fetched) }).toEqual({
      A: '1',
      T: 'tökenEXAMPLE',
      U: 'tökenEXAMPLE',
      PROJECT: 'p',
      KEYHOLD_EXEC: 'T,U',
    });
    expect(original).toEqual({ A: '1', T: 'before', OLD: 'x', PROJECT: 'q' });
  });

  it('names the variables of the outer exec as well', () => {
    expect(childEnvironment({ KEYHOLD_EXEC: 'A' }, plan, fetched)['KEYHOLD_EXEC']).toBe('A,T,U');
  });

  it('refuses a token that would arrive as another one', () => {
    expect(() => childEnvironment({}, plan, [{ variables: ['T'], bytes: Buffer.from([0xff]) }])).toThrow(
      'it is not UTF-8',
    );
  });
});
