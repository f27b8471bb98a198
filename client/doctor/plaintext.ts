import { homedir } from 'node:os';
import type { Connection } from '../dial.ts';
import { type Searched, searchPlaintext } from '../import/find.ts';
import { compareSecrets, type Holding } from './compare.ts';
import { type Finding, mend, note } from './finding.ts';
import type { Comparison } from './shadows.ts';
import type { Environment } from './sightings.ts';

/** Tokens that tools keep in plaintext, and whether each is what keyhold holds. No value is shown. */
export async function checkPlaintext(
  environment: Environment,
  agent?: Connection,
  holdings: readonly Holding[] = [],
): Promise<Finding[]> {
  const searched = await searchPlaintext({ home: environment['HOME'] ?? homedir(), environment });
  const findings: Finding[] = [];
  for (const one of searched) findings.push(...(await judgeFile(one, agent, holdings)));
  return findings;
}

async function judgeFile(
  one: Searched,
  agent: Connection | undefined,
  holdings: readonly Holding[],
): Promise<Finding[]> {
  const { source, file } = one;
  if (one.status === 'unusable') {
    return [
      note('plaintext', `${source.name}: ${file} was not looked into: ${one.why}`, 'see what it is, and mend it'),
    ];
  }
  if (one.entries.length === 0) return [];
  const comparisons: Comparison['status'][] = [];
  for (const { target, secret } of one.entries) {
    const here = holdings.filter(
      ({ target: { protocol, host } }) => protocol === target.protocol && host === target.host,
    );
    comparisons.push(agent ? (await compareSecrets(agent, [secret], here)).status : 'unknown');
    secret.dispose();
  }
  const counts = (Object.keys(words) as Comparison['status'][])
    .map((status) => [comparisons.filter((one) => one === status).length, words[status]] as const)
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word}`);
  const what = `${source.name}: ${file} holds tokens in plaintext: ${counts.join(', ')}`;
  const others = comparisons.includes('differs') ? mend : note;
  const findings = [others('plaintext', what, `run: keyhold import --only ${source.name} --remove`)];
  const excess = one.stats.mode & 0o077;
  if (excess !== 0)
    findings.push(mend('plaintext', `others may open ${file}, which holds tokens`, `run: chmod 600 ${file}`));
  return findings;
}

const words: Readonly<Record<Comparison['status'], string>> = {
  same: 'copied from keyhold or into it, and older at the next change',
  differs: 'other than what keyhold holds for the same host',
  unheld: 'for which keyhold holds none',
  unknown: 'not compared with what keyhold holds',
};
