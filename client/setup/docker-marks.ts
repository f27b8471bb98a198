import { KeyholdError } from '../../protocol/errors.ts';
import { printable } from '../../protocol/text.ts';
import { targetOfDockerKey } from '../../protocol/tools/docker-key.ts';
import { withAgent } from '../cli/agent.ts';
import { CommandFailure } from '../cli/failure.ts';
import { spoken, type TokenItem, targetOfItem, tokenItems } from '../cli/token/item.ts';
import { shareToken } from '../cli/token/share.ts';

/**
 * Gives docker what is held for a registry's key, and says which. Without an agent that answers nothing is marked, and
 * the notice says how to do it later.
 */
export async function shareWithDocker(key: string, dryRun: boolean): Promise<string[]> {
  try {
    return await withAgent(async (agent) => {
      const notices: string[] = [];
      for (const item of (await tokenItems(agent)).filter((one) => isFor(one, key))) {
        if (item.fronts?.includes('docker')) continue;
        if (!dryRun) await shareToken(agent, item, 'docker');
        notices.push(`${dryRun ? 'docker would list' : 'docker lists'} ${spoken(item)}; to undo: ${undoOf(item)}`);
      }
      return notices;
    });
  } catch (error) {
    if (!(error instanceof KeyholdError) && !(error instanceof CommandFailure)) throw error;
    return [printable(`what is held for ${key} was not given to docker: ${error.message}; then run this again`)];
  }
}

function undoOf({ id }: TokenItem): string {
  return `keyhold token share ${id} --front docker --undo`;
}

function isFor(item: TokenItem, key: string): boolean {
  const { protocol, host, path } = targetOfItem(item);
  return targetOfDockerKey(key).some((one) => one.protocol === protocol && one.host === host && one.path === path);
}
