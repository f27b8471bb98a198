import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { groundOf } from '../install/ground.ts';
import { install } from '../install/install.ts';
import { ownPackage, programOf } from '../install/root.ts';
import { uninstall } from '../install/uninstall.ts';
import { confirm } from './confirm.ts';
import { show } from './page.ts';
import { addDestructiveVerb, addVerb, type DestructiveOptions, type VerbOptions } from './verb.ts';

/** `keyhold install` and `keyhold uninstall`. */
export function addInstall(program: Command): void {
  addVerb(program, 'install', 'put a copy under ~/.local and link its names').action(async ({ json }: VerbOptions) => {
    const ground = groundOf();
    const { manifest, changed, removedVersions, isOnPath, restarted } = await install(ground, ownPackage());
    show(json, { ...manifest, changed, removedVersions, isOnPath, restarted }, (page) => {
      page.line(`${changed ? 'installed' : 'installed already'}: keyhold ${manifest.version}`, 'green');
      page.facts([
        ['version', `${manifest.data}/versions/${manifest.id}`],
        ['names', `${manifest.bin}: ${manifest.names.join(' ')}`],
      ]);
      for (const version of removedVersions) page.line(`removed: version ${version}`);
      if (restarted) page.line(`agent restarted: ${restarted.agent.version}, pid ${restarted.agent.pid}`);
      for (const name of restarted?.gone ?? []) page.line(`gone, it was in memory only: ${name}`, 'yellow');
      if (!isOnPath) {
        page.line(`${manifest.bin} is not on PATH; put this into the startup file of your shell:`, 'yellow');
        page.verbatim(`    PATH="${manifest.bin}:$PATH"`);
      }
      page.line('next: keyhold setup git');
    });
  });

  addDestructiveVerb(program, 'uninstall', 'take everything back that install and setup did')
    .option('--purge', 'also every credential, the configuration and the state')
    .action(async ({ json, input, yes, purge = false }: DestructiveOptions & { purge?: boolean }) => {
      const ground = groundOf();
      const question = purge ? 'Remove keyhold, and erase every credential that it keeps?' : 'Remove keyhold?';
      await confirm(question, { yes, input });
      const agent = programOf(ownPackage(), 'keyhold-agent');
      const removal = await uninstall(ground, { purge, agent });
      show(json, removal, (page) => {
        for (const line of removal.done) page.line(line);
        for (const path of removal.left) page.line(`left alone, it is not keyhold's: ${path}`, 'yellow');
        page.line(removal.done.length > 0 ? 'uninstalled' : 'uninstalled already', 'green');
        const kept = [ground.places.config, ground.places.state].filter((folder) => existsSync(folder));
        if (kept.length > 0 && !purge) page.line(`kept: ${kept.join(' and ')} (--purge takes everything)`);
      });
    });
}
