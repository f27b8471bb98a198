import { describe, expect, it } from 'vitest';
import {
  type Actable,
  compareActing,
  compareChoice,
  isForPurpose,
  mayAct,
  ruleBetween,
} from '../../protocol/choice.ts';
import { allMade } from '../../protocol/made.ts';

/** A credential with a name, so that an order can be read. */
type Named = Actable & { readonly name: string };
const one = (name: string, storedAt: number, more: Partial<Actable> = {}): Named => ({ name, storedAt, ...more });
const names = (list: readonly Named[]) => list.map(({ name }) => name);

describe('the order of choice', () => {
  const login = one('login', 1, { made: 'login' });
  const created = one('created', 2, { made: 'created', label: 'ci' });
  const set = one('set', 3, { made: 'set' });
  const labelled = one('labelled', 4, { made: 'set', label: 'job' });
  const tool = one('tool', 5, { made: 'tool' });
  const narrowLogin = one('narrow login', 6, { made: 'login', path: 'a' });
  const narrowCreated = one('narrow created', 7, { made: 'created', path: 'a' });

  it('is scope, then purpose, then the last store, wherever each stands before', () => {
    const all = [login, created, set, labelled, tool, narrowLogin, narrowCreated];
    const expected = ['tool', 'set', 'login', 'labelled', 'created', 'narrow login', 'narrow created'];
    expect(names(all.toSorted(compareChoice))).toEqual(expected);
    expect(names(all.toReversed().toSorted(compareChoice))).toEqual(expected);
  });

  it('names the rule that decides between two', () => {
    expect(ruleBetween(created, narrowLogin)).toBe('scope');
    expect(ruleBetween(login, labelled)).toBe('purpose');
    expect(ruleBetween(tool, set)).toBe('last');
  });

  it.each(allMade)(
    'takes one that is %s and labelled for one purpose only where a person or service labelled it so',
    (made) => {
      expect(isForPurpose({ made, label: 'x' })).toBe(made === 'created' || made === 'set');
      expect(isForPurpose({ made, label: undefined })).toBe(made === 'created');
    },
  );
});

describe('who acts at a service', () => {
  const admin = one('admin', 1, { made: 'login', username: 'admin', kind: 'session' });
  const ada = one('ada', 2, { made: 'login', username: 'x', account: 'ada', kind: 'session' });
  const pasted = one('pasted', 3, { made: 'set', kind: 'pat' });
  const page = one('page', 2.5, { made: 'set', label: 'page', kind: 'session' });

  it("is the profile's account, then the login of last time, then a session, then what was set", () => {
    const order = (preferred?: string) => names([pasted, admin, page, ada].sort(compareActing(preferred)));
    expect(order()).toEqual(['ada', 'admin', 'page', 'pasted']);
    expect(order('admin')).toEqual(['admin', 'ada', 'page', 'pasted']);
    expect(order('ada')).toEqual(['ada', 'admin', 'page', 'pasted']);
    expect(order('nobody')).toEqual(order());
  });

  it('is never a token that the service created on request', () => {
    expect(allMade.filter((made) => mayAct({ made }))).toEqual(['login', 'set', 'imported', 'tool']);
    expect(mayAct({ made: undefined })).toBe(true);
  });
});
