import type { Command } from 'commander';
import { exitCodeOf } from '../../protocol/status.ts';
import { requestOf, withAgent } from './agent.ts';
import { current, currentOf, drawWho, whoOf } from './auth/current.ts';
import { addLogin } from './auth/login.ts';
import { logout } from './auth/logout.ts';
import type { AuthOptions } from './auth/options.ts';
import { addSwitch } from './auth/switch.ts';
import { CommandFailure } from './failure.ts';
import { show } from './page.ts';
import { addSecretOptions } from './secret-input.ts';
import { tokenItems } from './token/item.ts';
import { refreshOne } from './token/refresh.ts';
import { saidFacts, saidOf } from './token/remote.ts';
import { revokeAll } from './token/revoke.ts';
import { addServicePlace, SERVICE_DEADLINE } from './token/service-place.ts';
import { addDestructiveVerb, addNoun, addVerb, type DestructiveOptions, type VerbOptions } from './verb.ts';

/** `keyhold auth`: signing in at a service and out of it, and the token of the account that is signed in. */
export function addAuth(program: Command): void {
  const auth = addNoun(program, 'auth', 'signing in at services, and out');
  addSecretOptions(addAccount(addVerb(auth, 'login', 'sign in, and keep the session or token')), 'what is asked for');
  addLogin(auth.commands.find((one) => one.name() === 'login')!);
  addAccount(addVerb(auth, 'status', 'who is signed in, and for how long; asks no service')).action(status);
  addSwitch(auth);
  addAccount(addVerb(auth, 'whoami', 'whose token it is, as the service says')).action(whoami);
  addAccount(addVerb(auth, 'token-info', 'what the service says of the token')).action(tokenInfo);
  addAccount(addVerb(auth, 'refresh', 'trade the token for a fresh one')).action(refresh);
  addAccount(addDestructiveVerb(auth, 'revoke', 'end the token at the service, and here')).action(revoke);
  addAccount(addDestructiveVerb(auth, 'logout', "sign out: there, here, and in the service's own file")).action(logout);
}

function addAccount(command: Command): Command {
  return addServicePlace(command).option('--username <name>', 'the account');
}

async function status({ json, ...options }: AuthOptions & VerbOptions): Promise<void> {
  const found = await withAgent(async (agent) => currentOf(await tokenItems(agent), options));
  show(json, { accounts: found.map(({ item, manifest }) => ({ ...whoOf(item), service: manifest?.id })) }, (page) => {
    for (const { item, manifest } of found) drawWho(page, item, manifest?.title ?? item.host);
  });
  if (found.length === 0) {
    throw new CommandFailure(
      exitCodeOf('interaction-required'),
      json
        ? ''
        : `nobody is signed in; run: keyhold auth login${options.service ? ` --service ${options.service}` : ' --service NAME'}`,
    );
  }
}

async function whoami({ json, ...options }: AuthOptions & VerbOptions): Promise<void> {
  const { item, said } = await withAgent(async (agent) => {
    const { item } = current(await tokenItems(agent), options);
    return { item, said: await saidOf(agent, item.id, 'whoami') };
  }, SERVICE_DEADLINE);
  const answer = (said['whoami'] ?? {}) as Record<string, unknown>;
  show(json, { ...whoOf(item), ...answer }, (page) => {
    const user = answer['user'] ?? answer['account'] ?? item.account ?? item.username;
    page.line(user === undefined ? 'The service takes the token, and does not say whose it is.' : String(user));
  });
}

async function tokenInfo({ json, ...options }: AuthOptions & VerbOptions): Promise<void> {
  const { item, title, said } = await withAgent(async (agent) => {
    const found = current(await tokenItems(agent), options);
    const reply = await agent(
      requestOf('remote-show', { attributes: { id: found.item.id, what: 'introspect show whoami' } }),
    );
    // What the service has no call for is told by what is known here.
    if (reply.status === 'unsupported')
      return { item: found.item, title: found.manifest?.title ?? found.item.host, said: {} };
    return {
      item: found.item,
      title: found.manifest?.title ?? found.item.host,
      said: await saidOf(agent, found.item.id, 'introspect show whoami'),
    };
  }, SERVICE_DEADLINE);
  show(json, { ...whoOf(item), remote: said }, (page) => {
    drawWho(page, item, title);
    const facts = saidFacts(said);
    if (facts.length > 0) page.facts(facts);
  });
}

async function refresh({ json, ...options }: AuthOptions & VerbOptions): Promise<void> {
  await withAgent(
    async (agent) => refreshOne(agent, current(await tokenItems(agent), options).item, json),
    SERVICE_DEADLINE,
  );
}

async function revoke(options: AuthOptions & DestructiveOptions): Promise<void> {
  await withAgent(async (agent) => {
    const held = await tokenItems(agent);
    const { item } = current(held, options);
    await revokeAll(agent, [item], held, options);
    if (!options.json) show(false, undefined, (page) => page.line('To sign in again: keyhold auth login'));
  }, SERVICE_DEADLINE);
}
