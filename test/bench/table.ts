import type { Figure, Measured, Unit } from './figures.ts';

export type Results = ReadonlyMap<string, Measured>;

/** Whether a figure reached what it must and what it should; undefined where nothing was set or measured. */
export function verdictOf({ better, target, aim }: Figure, measured: Measured | undefined): string {
  if (!measured || 'missing' in measured || target === undefined) return '';
  const reaches = (bound: number) => (better === 'less' ? measured.value <= bound : measured.value >= bound);
  if (!reaches(target)) return 'MISS';
  if (aim === undefined) return 'pass';
  return reaches(aim) ? 'pass, aim reached' : 'pass';
}

/** The table of figures as Markdown. Every figure has its row, measured or not. */
export function markdown(figures: readonly Figure[], results: Results): string {
  const rows = figures.map((figure) => {
    const measured = results.get(figure.id);
    const sign = figure.better === 'less' ? '≤' : '≥';
    const bound = (value: number | undefined) => (value === undefined ? '' : `${sign} ${show(value, figure.unit)}`);
    const cells = [figure.what, bound(figure.target), bound(figure.aim)];
    if (!measured) return [...cells, 'not asked for', '', ''];
    if ('missing' in measured) return [...cells, `not measured: ${measured.missing}`, '', ''];
    return [...cells, show(measured.value, figure.unit), verdictOf(figure, measured), measured.note];
  });
  const header = ['figure', 'target', 'aim', 'measured', 'verdict', 'from'];
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The same for programs: one object a figure. */
export function json(figures: readonly Figure[], results: Results, about: Readonly<Record<string, string>>): string {
  const rows = figures.map((figure) => ({
    ...figure,
    ...results.get(figure.id),
    verdict: verdictOf(figure, results.get(figure.id)),
  }));
  return JSON.stringify({ ...about, figures: rows }, undefined, 2);
}

function show(value: number, unit: Unit): string {
  const digits = Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 0.1 ? 2 : 4;
  return unit === 'x' ? value.toFixed(digits) : `${value.toFixed(1)} ${unit}`;
}
