import { homedir } from 'node:os';
import { join } from 'node:path';
import { fromWire } from '../../protocol/text.ts';
import { isServerOf, targetOfUrl } from '../../protocol/tools/url.ts';
import { openFile } from '../formats/file.ts';
import { readLeaves } from '../formats/read.ts';
import { leavesIn } from '../import/source.ts';
import { shellWord } from '../setup/program.ts';
import { type Finding, mend, note } from './finding.ts';
import type { Environment } from './sightings.ts';

/**
 * Contexts of the kubeconfigs whose token keyhold gives: whether each sends it to the server that it is kept for, and whether
 * kubectl says which server that is.
 */
export async function checkKubectl(environment: Environment = process.env): Promise<Finding[]> {
  const given = (environment['KUBECONFIG'] ?? '').split(':').filter((path) => path.startsWith('/'));
  const files = given.length > 0 ? given : [join(environment['HOME'] ?? homedir(), '.kube/config')];
  const findings: Finding[] = [];
  for (const file of files) findings.push(...(await judgeFile(file)));
  return findings;
}

async function judgeFile(file: string): Promise<Finding[]> {
  const opened = openFile(file);
  if (opened.status !== 'ok') return [];
  const lists = listsOf(leavesIn(await readLeaves('yaml', opened.bytes)));
  const named = (list: string, name: string | undefined) =>
    lists(list).find((one) => name !== undefined && one.get('name') === name);
  return lists('contexts').flatMap((context): Finding[] => {
    const user = named('users', context.get('context/user'));
    const words = wordsOf(user);
    const [first, verb, url, flag, address] = words;
    if (!/(?:^|\/)keyhold-helper$/.test(user?.get('user/exec/command') ?? '') || first !== 'kubectl' || verb !== 'get')
      return [];
    const server = named('clusters', context.get('context/cluster'))?.get('cluster/server');
    const pinned = flag === '--server' ? address : url;
    const name = fromWire(context.get('name') ?? '');
    const account = words[words.indexOf('--account') + 1];
    const as = words.includes('--account') ? ` --account ${shellWord(fromWire(account ?? ''))}` : '';
    const again = `run: keyhold setup kubectl --context ${shellWord(name)}${as}`;
    const [from, to] = [targetOfUrl(server ?? ''), targetOfUrl(pinned ?? '')];
    if (server !== undefined && !(from && to && isServerOf(from, to))) {
      const what = `the context ${name} of ${file} asks ${fromWire(server)}, and its token is for ${fromWire(pinned ?? '')}`;
      return [mend('kubectl', what, `set the address back, or ${again}`)];
    }
    const says = user?.get('user/exec/provideClusterInfo') === 'true' || flag === '--server';
    const unsaid = `the context ${name} of ${file} does not say to which server it sends its token`;
    return says ? [] : [note('kubectl', unsaid, again)];
  });
}

/** The members of a list of the document, each as its values by their path. */
function listsOf(leaves: readonly { readonly path: readonly string[]; readonly value: string }[]) {
  return (list: string): ReadonlyMap<string, string>[] => {
    const members = new Map<string, Map<string, string>>();
    for (const { path, value } of leaves) {
      const [first, at = '', ...rest] = path;
      if (first !== list) continue;
      const member = members.get(at) ?? new Map<string, string>();
      members.set(at, member.set(rest.join('/'), value));
    }
    return [...members.values()];
  };
}

function wordsOf(user: ReadonlyMap<string, string> | undefined): (string | undefined)[] {
  return [0, 1, 2, 3, 4, 5, 6].map((at) => user?.get(`user/exec/args/${at}`));
}
