/**
 * How many of `all` runs a long property makes: `npm run check` makes a tenth (KEYHOLD_TEST_SAMPLE=1), `npm test` and CI all
 * of them.
 */
export const runs = (all: number): number => (process.env['KEYHOLD_TEST_SAMPLE'] === '1' ? Math.ceil(all / 10) : all);
