import { Bus, BusError } from './bus.ts';

const SERVICE = 'org.freedesktop.secrets';
const SERVICE_PATH = '/org/freedesktop/secrets';
const SERVICE_FACE = 'org.freedesktop.Secret.Service';
/** The path that means "none". */
const NO_PATH = '/';

export type LockState = 'usable' | 'locked' | 'absent';

/**
 * The questions to a Secret Service that neither raise a prompt nor open a secret.
 *
 * @see https://specifications.freedesktop.org/secret-service/latest/
 */
export interface SecretService {
  /** Whether the default collection can be read and written without a prompt. `absent`: there is none. */
  lockState(): Promise<LockState>;
  /** How many items match exactly, in all collections: those that are open and those that only a prompt would open. */
  count(service: string, account: string): Promise<{ readonly open: number; readonly locked: number }>;
  /** The paths of all items of the default collection. Answers what can be asked for them without opening a secret. */
  items(): Promise<readonly string[]>;
  /** What is known of an item; undefined if it is gone. */
  describe(path: string): Promise<ItemDescription | undefined>;
  /** Unlocks the default collection; the desktop may ask the person, for as long as it takes. */
  unlock(): Promise<LockState | 'dismissed'>;
}

/** An item's attributes, and when it was changed last, in epoch seconds. */
export type ItemDescription = { readonly attributes: ReadonlyMap<string, string>; readonly modified: number };

/** Connects to the session bus at `addresses`. Throws when nobody can be reached there. */
export async function openSecretService(addresses: string): Promise<SecretService> {
  let bus = await Bus.open(addresses);

  async function call(path: string, face: string, member: string, signature: string, args: readonly unknown[]) {
    if (bus.broken) bus = await Bus.open(addresses);
    return bus.call(SERVICE, path, face, member, signature, args);
  }

  function property(path: string, face: string, name: string) {
    return call(path, 'org.freedesktop.DBus.Properties', 'Get', 'ss', [face, name]);
  }

  async function defaultCollection(): Promise<string> {
    return (await call(SERVICE_PATH, SERVICE_FACE, 'ReadAlias', 's', ['default'])).string();
  }

  async function stateOf(collection: string): Promise<LockState> {
    if (collection === NO_PATH) return 'absent';
    const reply = await property(collection, 'org.freedesktop.Secret.Collection', 'Locked');
    return reply.booleanVariant() === false ? 'usable' : 'locked';
  }

  /** Shows a prompt and waits for its end. True: the person said no, or nobody could be asked. */
  function prompt(path: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      bus.onSignal = ({ path: from, member, body }) => {
        if (from === path && member === 'Completed') resolve(body.boolean());
      };
      bus
        .call('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'AddMatch', 's', [
          `type='signal',interface='org.freedesktop.Secret.Prompt',path='${path}'`,
        ])
        .then(() => call(path, 'org.freedesktop.Secret.Prompt', 'Prompt', 's', ['']))
        .catch(reject);
    });
  }

  return {
    lockState: async () => stateOf(await defaultCollection()),
    async count(service, account) {
      const found = await call(SERVICE_PATH, SERVICE_FACE, 'SearchItems', 'a{ss}', [{ service, username: account }]);
      return { open: found.paths().length, locked: found.paths().length };
    },
    async items() {
      const collection = await defaultCollection();
      if (collection === NO_PATH) return [];
      return (await property(collection, 'org.freedesktop.Secret.Collection', 'Items')).pathsVariant() ?? [];
    },
    async describe(path) {
      const face = 'org.freedesktop.Secret.Item';
      try {
        const attributes = (await property(path, face, 'Attributes')).textsVariant();
        const modified = (await property(path, face, 'Modified')).uint64Variant();
        return attributes && { attributes, modified: modified ?? 0 };
      } catch (error) {
        if (error instanceof BusError && /UnknownObject|UnknownMethod|NoSuchObject/.test(error.name)) return undefined;
        throw error;
      }
    },
    async unlock() {
      const collection = await defaultCollection();
      const state = await stateOf(collection);
      if (state !== 'locked') return state;
      const reply = await call(SERVICE_PATH, SERVICE_FACE, 'Unlock', 'ao', [[collection]]);
      reply.paths();
      const promptPath = reply.string();
      const dismissed = promptPath !== NO_PATH && (await prompt(promptPath));
      const now = await stateOf(collection);
      // The person may have unlocked it elsewhere meanwhile.
      return dismissed && now === 'locked' ? 'dismissed' : now;
    },
  };
}
