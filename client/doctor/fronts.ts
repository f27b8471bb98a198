import { KeyholdError } from '../../protocol/errors.ts';
import { ask, documents } from '../cli/agent.ts';
import { CommandFailure } from '../cli/failure.ts';
import { spoken, tokenItems } from '../cli/token/item.ts';
import { dial } from '../dial.ts';
import { type Finding, note } from './finding.ts';

/** Milliseconds that the agent may take for each answer. */
const DEADLINE = 3_000;

/** Tokens that docker was given and does not list, because it is not known whether they are its own. */
export async function checkFronts(): Promise<Finding[]> {
  try {
    using agent = await dial({ deadline: DEADLINE });
    const undecided = (await tokenItems(agent)).filter(({ fronts }) => fronts === undefined);
    if (undecided.length === 0) return [];
    const asked = await ask(agent, 'audit-list', { attributes: { tool: 'docker', event: 'first-use', limit: '1000' } });
    const given = new Set(documents(asked.details, 'item[]').map(({ credential }) => credential));
    return undecided
      .filter(({ id }) => given.has(id))
      .map((item) =>
        note(
          'front',
          `docker asked for ${spoken(item)} and does not list it`,
          `if it is docker's, run: keyhold token share ${item.id} --front docker`,
        ),
      );
  } catch (error) {
    // That no agent answers, or that it is locked, another check says.
    if (error instanceof KeyholdError || error instanceof CommandFailure) return [];
    throw error;
  }
}
