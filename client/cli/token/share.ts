import { type Command, Option } from 'commander';
import { frontNames } from '../../../protocol/fronts.ts';
import { printable } from '../../../protocol/text.ts';
import type { Connection } from '../../dial.ts';
import { dockerConfig, registriesAskedFor } from '../../setup/docker-config.ts';
import { ask, documents, withAgent } from '../agent.ts';
import { show } from '../page.ts';
import { addVerb, type VerbOptions } from '../verb.ts';
import { spoken, type TokenItem, targetOfItem, tokenItems } from './item.ts';
import { resolveToken } from './resolve.ts';

type ShareOptions = VerbOptions & { readonly front: string; readonly undo?: boolean };

/** `keyhold token share`: has a front (docker) list a token that came in another way, or list it no more. */
export function addShare(token: Command): void {
  addVerb(token, 'share <token>', "have docker's clients list a token, or list it no more")
    .addOption(
      new Option('--front <name>', 'the helper protocol that lists it').choices(frontNames).makeOptionMandatory(),
    )
    .option('--undo', 'list it no more; the token stays')
    .action(share);
}

async function share(word: string, { front, undo = false, json }: ShareOptions): Promise<void> {
  const shared = await withAgent(async (agent) =>
    shareToken(agent, resolveToken(word, await tokenItems(agent)), front, undo),
  );
  const registries = undo ? registriesStillAskedFor(shared) : undefined;
  show(json, { shared, front, undone: undo, registries }, (page) => {
    page.line(
      undo ? `${front} does not list ${spoken(shared)} any more.` : `${front} lists ${spoken(shared)} from now on.`,
    );
    for (const registry of registries ?? []) {
      page.line(
        printable(
          `docker asks keyhold for ${registry} by name (credHelpers in ${dockerConfig(whereDockerLooks())}), and a classic docker build sends what it gets; to end that, run: keyhold setup docker --undo`,
        ),
        'yellow',
        '  ',
      );
    }
  });
}

/** A list is not all that docker goes by: it asks for each registry that `setup docker --registry` has named. */
function registriesStillAskedFor(item: TokenItem): string[] {
  return registriesAskedFor(dockerConfig(whereDockerLooks()), targetOfItem(item));
}

function whereDockerLooks() {
  return { environment: process.env, home: process.env['HOME'] ?? '/' };
}

/** Answers the token as it is from then on. */
export async function shareToken(
  agent: Connection,
  { id }: TokenItem,
  front: string,
  undo = false,
): Promise<TokenItem> {
  const { details } = await ask(agent, 'share', { attributes: { id, front, undo: undo ? '1' : undefined } });
  return documents(details, 'item[]')[0] as unknown as TokenItem;
}
