import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Environment } from '../../../client/install/ground.ts';
import { setupTools } from '../../../client/setup/index.ts';
import { type SetupReport, setUp, undo } from '../../../client/setup/planned.ts';
import { accountFor } from '../../../client/setup/target-option.ts';
import { temporaryFolder } from '../../temporary.ts';
import { groundIn, treeOf } from '../home.ts';

/** Where the programs of ours lie, by a path that not every tool bears as it is. */
export const BIN = '/opt/key hold/bin';

/** A home folder in which tools are set up by their plans, without any program of ours. */
export type Wiring = {
  readonly home: string;
  /** Sets a tool up, as `keyhold setup` does with these options. */
  wire(name: string, options?: Readonly<Record<string, string>>, environment?: Environment): Promise<SetupReport>;
  unwire(name: string, environment?: Environment): Promise<void>;
  write(path: string, text: string): void;
  read(path: string): string;
  /** What is there, but for what keyhold notes for itself. */
  tree(): string[];
  remove(): void;
};

/** `bin`: where the programs of ours lie. */
export function aHomeToWire(bin = BIN): Wiring {
  const { path: home, remove } = temporaryFolder('wiring');
  groundIn(home);
  return {
    home,
    remove,
    async wire(name, options = {}, environment = {}) {
      const ground = groundIn(home, environment);
      const tool = setupTools.find((one) => one.name === name)!;
      const option = (key: string) => options[key];
      const plan = await tool.plan(ground, {
        option,
        account: accountFor(tool, option),
        program: (program) => `${bin}/${program}`,
      });
      return setUp(ground, name, plan, { dryRun: false });
    },
    async unwire(name, environment = {}) {
      await undo(groundIn(home, environment), name, { dryRun: false });
    },
    write(path, text) {
      mkdirSync(dirname(join(home, path)), { recursive: true });
      writeFileSync(join(home, path), text);
    },
    read: (path) => readFileSync(join(home, path), 'utf8'),
    tree: () => treeOf(home).filter((entry) => !entry.startsWith('.local/state')),
  };
}
