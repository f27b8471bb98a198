import { documentLine } from '../../protocol/document-line.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Detail } from '../../protocol/handler.ts';
import type { AttributesNamed } from '../../protocol/wire/attribute-names.ts';
import { type BackendName, type Held, isBackendName } from '../backends/backend.ts';
import { placeOf } from '../backends/backup-pages.ts';
import type { MemoryOver } from '../backends/memory-over.ts';
import { migrate } from '../backends/migrate.ts';
import type { Caller } from '../socket/caller.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

/** What carrying everything to another backend needs. */
export type Carrying = Pick<Parts, 'credentials' | 'backends' | 'recovery' | 'emit'>;

export const backendMigrate = action('backend-migrate', backendIn, async (name, parts: Carrying, caller) => {
  const { credentials, recovery } = parts;
  await credentials.lifecycle.ready();
  if (name === credentials.lifecycle.backend?.name) return { status: 'ok', details: [['carried', '0']] };
  const { carried, notRemoved, notCarried } = await carryTo(name, parts, caller);
  const remark =
    notRemoved.length > 0
      ? `${notRemoved.length} could not be removed where they were`
      : recovery.over && undoable(recovery.over);
  const left = [
    ...notRemoved.map((held) => leftItem(held, 'not-removed')),
    ...notCarried.map((held) => leftItem(held, 'not-carried')),
  ];
  return { status: 'ok', details: [['carried', String(carried)], ...left], message: remark };
});

/** A credential that stays where it was: its copy could not be removed there, or its record is damaged. */
function leftItem(held: Held, why: 'not-removed' | 'not-carried'): Detail {
  return ['left[]', documentLine({ ...placeOf(held), why })];
}

function undoable({ copies, before }: MemoryOver): string {
  return `what is stored from now on ends with the agent; ${copies} copies stay in the backend ${before.name} for a day: keyhold backend undo`;
}

/** The backend that a request names. Throws `bad_request` where it names none. */
export function backendIn({ attributes }: { readonly attributes: AttributesNamed<'name'> }): BackendName {
  const name = attributes.text('name') ?? '';
  if (isBackendName(name)) return name;
  throw new KeyholdError('bad_request', 'cannot use that backend: name is keyring, vault or memory');
}

/** Carries everything that is held to another backend, and uses that from now on. */
export async function carryTo(
  name: BackendName,
  { credentials, backends, recovery, emit }: Carrying,
  caller: Caller,
): ReturnType<typeof migrate> {
  await recovery.settleFirst();
  const { usable, what } = (await backends.survey()).find((one) => one.name === name)!;
  if (!usable) throw new KeyholdError('backend_absent', `cannot use ${name}: ${what}; see: keyhold backend list`);
  const over = recovery.over?.before.name === name ? recovery.over : undefined;
  const next = over ? over.release() : await backends.open(name);
  try {
    return await migrate(credentials, next, recovery.steps(credentials.lifecycle.backend!.name, name), emit, caller);
  } catch (error) {
    if (over) over.takeBack();
    else await next.dispose();
    throw error;
  }
}
