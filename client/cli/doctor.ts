import type { Command } from 'commander';
import { checkAgent } from '../doctor/agent.ts';
import { checkBuild } from '../doctor/build.ts';
import type { Finding } from '../doctor/finding.ts';
import { checkFronts } from '../doctor/fronts.ts';
import { checkGit } from '../doctor/git.ts';
import { checkHelpers } from '../doctor/helpers.ts';
import { checkKubectl } from '../doctor/kubectl.ts';
import { checkPlaces } from '../doctor/places.ts';
import { repair } from '../doctor/repair.ts';
import { checkServices } from '../doctor/services.ts';
import { locate } from '../locate.ts';
import { CommandFailure } from './failure.ts';
import { show } from './page.ts';
import { addVerb, type VerbOptions } from './verb.ts';

/** `keyhold doctor`: what is not as it should be, and how to mend it. Ends with 1 if anything needs mending. */
export function addDoctor(program: Command): void {
  addVerb(program, 'doctor', 'what needs mending, and how')
    .option('--repair', 'remove what a migrate that was cut left over')
    .action(doctor);
}

type DoctorOptions = VerbOptions & { readonly repair?: boolean };

async function doctor(options: DoctorOptions): Promise<void> {
  const { json } = options;
  const repaired = options.repair ? await repair(options) : [];
  const { findings: shadowing, shadows } = await checkServices();
  const findings = [
    ...repaired,
    ...checkPlaces(locate()),
    ...(await checkAgent()),
    ...checkBuild(),
    ...checkGit(),
    ...(await checkHelpers()),
    ...(await checkKubectl()),
    ...(await checkFronts()),
    ...shadowing,
  ];
  const toMend = findings.filter(({ state }) => state === 'mend').length;
  show(json, { healthy: toMend === 0, findings, shadows }, (page) => {
    for (const { state, check, what, remedy } of findings) {
      page.line(`${state.padEnd(4)}  ${check}: ${what}`, styleOf(state), '      ');
      if (remedy) page.line(`      ${remedy}`, undefined, '      ');
    }
    page.line(toMend === 0 ? 'All is well.' : `${toMend} to mend.`);
  });
  if (toMend > 0) throw new CommandFailure(1, '');
}

function styleOf(state: Finding['state']): 'green' | 'dim' | 'yellow' {
  if (state === 'ok') return 'green';
  return state === 'note' ? 'dim' : 'yellow';
}
