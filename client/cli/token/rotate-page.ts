import { durationOf } from '../../../protocol/services/index.ts';
import { fromWire, printable } from '../../../protocol/text.ts';
import { detail, type Ok } from '../agent.ts';
import { CommandFailure } from '../failure.ts';
import { type Page, show } from '../page.ts';
import { localTime } from '../status.ts';
import { nameOf, type TokenItem } from './item.ts';
import { drawRecheck } from './revoke.ts';

/** The token that is rotated: one that is held, or what is left of one whose rotation has begun. */
export type Rotated = Pick<TokenItem, 'id'> & Partial<TokenItem>;

/** What `check=1` answers. */
export type Plan = {
  readonly way: string;
  readonly why: string | undefined;
  readonly page: string | undefined;
  readonly kind: string | undefined;
  readonly expiresIn: string | undefined;
  readonly oldLife: number | undefined;
  readonly newLife: number | undefined;
  readonly isShorter: boolean;
  readonly warnings: readonly string[];
  /** Where a rotation stands that has begun. */
  readonly step: string | undefined;
  readonly stands: string | undefined;
  readonly beganAt: number | undefined;
};

/** Reads it. */
export function planIn(details: Ok['details']): Plan {
  const beganAt = detail(details, 'began_at');
  return {
    way: detail(details, 'way') ?? '',
    why: detail(details, 'why'),
    page: detail(details, 'page'),
    kind: detail(details, 'kind'),
    expiresIn: detail(details, 'expires_in'),
    oldLife: lifeIn(details, 'old_life'),
    newLife: lifeIn(details, 'new_life'),
    isShorter: detail(details, 'shorter') === '1',
    warnings: (details ?? []).flatMap(([key, value]) => (key === 'warning[]' ? [fromWire(value)] : [])),
    step: detail(details, 'step'),
    stands: detail(details, 'stands'),
    beganAt: beganAt === undefined ? undefined : Number(beganAt),
  };
}

/** A life in seconds, where it is known and ends. */
export function lifeIn(details: Ok['details'], key: string): number | undefined {
  const seconds = detail(details, key);
  return seconds === undefined ? undefined : Number(seconds);
}

const ways: Readonly<Record<string, string>> = {
  create: 'the service makes a new one; it is probed, swapped in, and the old one is revoked and probed',
  trade: 'one call of the service gives a new one and ends the old one at once; then the old one is probed',
  page: 'you make a new one on the page and paste it here; it is probed where a call does that, and swapped in',
};

/** `--dry-run`. */
export function showPlan(token: Rotated, plan: Plan, json: boolean | undefined): void {
  const { way, why, page: url, kind, expiresIn, oldLife, newLife, isShorter, warnings, step, stands, beganAt } = plan;
  const document = { token: token.id, way, why, page: url, kind, expiresIn, oldLife, newLife, step, beganAt };
  show(json, { ...document, shorter: isShorter, warnings }, (page) => {
    const facts: (readonly [string, string | undefined])[] = [
      ['token', calledBy(token)],
      ['begun', beganAt === undefined ? undefined : `${localTime(beganAt)}: ${stands}`],
      ['way', ways[way] ?? way],
      ['why', why],
      ['page', url],
      ['kind', kind],
      ['lifetime', expiresIn],
    ];
    page.facts(facts.filter((fact): fact is [string, string] => fact[1] !== undefined));
    if (isShorter) page.line(livesText(oldLife, newLife), 'yellow');
    for (const warning of warnings) page.line(warning, 'yellow');
    page.line('Nothing was changed.');
  });
}

/** What came of it. Throws a `CommandFailure` with 1 where the old one still works. */
export function showEnd(token: Rotated, { details = [] }: Ok, json: boolean | undefined): void {
  const [step, upstream, probe, serves, expires] = ['step', 'upstream', 'probe', 'serves', 'expires_at'].map((key) =>
    detail(details, key),
  );
  const [page, why, deleteAt, note, unverified] = ['page', 'why', 'delete_at', 'note', 'unverified'].map((key) =>
    detail(details, key),
  );
  const recheck = details.flatMap(([key, value]) => (key === 'recheck[]' ? [fromWire(value)] : []));
  const expiresAt = expires === undefined ? undefined : Number(expires);
  const name = calledBy(token);
  const watched = detail(details, 'watched') === '1';
  const document = {
    rotated: token.id,
    step,
    upstream,
    probe,
    serves,
    unverified,
    expiresAt,
    page: page ?? deleteAt,
    recheck,
    watched,
  };
  show(json, document, (shown) => {
    if (step === 'by-hand') return drawByHand(shown, name, page, why);
    if (step === 'undone') {
      shown.line(`The old token of ${name} serves, as before.`, 'green');
      if (deleteAt !== undefined) shown.line(`Delete the new one: ${deleteAt}`, 'yellow');
      return;
    }
    const proof = probe === 'dead' ? '; a probe shows that the old one is dead' : '';
    const until = expiresAt === undefined ? '' : `, until ${localTime(expiresAt).slice(0, 10)}`;
    shown.line(`A new token serves as ${name}${until}${proof}.`, 'green');
    if (unverified !== undefined)
      shown.line(`Not verified: ${unverified}. To ask again: keyhold token show ${token.id} --remote`, 'yellow');
    else if (serves === 'none')
      shown.line('Whether the service still takes the new one could not be checked.', 'yellow');
    drawRecheck(shown, { recheck, note, watched });
  });
  if (probe === 'alive') {
    const message = `the old token of ${name} still works although its service confirmed the end`;
    throw new CommandFailure(1, json ? '' : message);
  }
}

function drawByHand(shown: Page, name: string, page: string | undefined, why: string | undefined): void {
  shown.line(`The new token serves as ${name}. The old one lives on.`, 'yellow');
  if (why !== undefined) shown.line(why);
  shown.line(`Delete the old one${page === undefined ? ' at its service' : ` on ${page}`}, then run this again.`);
  shown.line(`To go back to it: keyhold token rotate ${name} --undo`);
}

/** Two lives that differ, in a sentence. */
export function livesText(oldLife: number | undefined, newLife: number | undefined): string {
  const fresh = newLife === undefined ? 'shorter' : durationOf(newLife);
  const old = oldLife === undefined ? 'one of which no end is known' : `one of ${durationOf(oldLife)}`;
  return `The new token would live ${fresh}, in the place of ${old}.`;
}

/** Its name, safe on a terminal. */
export function calledBy(token: Rotated): string {
  return printable(nameOf(token as TokenItem) ?? token.id);
}
