import { KeyholdError } from '../../protocol/errors.ts';
import type { Detail } from '../../protocol/handler.ts';
import type { AttributesNamed } from '../../protocol/wire/attribute-names.ts';
import { type BackendName, type Held, isBackendName } from '../backends/backend.ts';
import type { MemoryOver } from '../backends/memory-over.ts';
import { migrate } from '../backends/migrate.ts';
import { NAMED_MAX, named } from '../backends/named.ts';
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
  const details: Detail[] = [['carried', String(carried)], ...leftDetails(notRemoved, notCarried)];
  return { status: 'ok', details, message: remark };
});

/** The credentials that stay where they were: a copy could not be removed there, or a record is damaged. */
function leftDetails(notRemoved: readonly Held[], notCarried: readonly Held[]): Detail[] {
  const some = notRemoved.slice(0, NAMED_MAX);
  const others = notCarried.slice(0, NAMED_MAX - some.length);
  const more = notRemoved.length + notCarried.length - some.length - others.length;
  return [
    ...named('left[]', some, { why: 'not-removed' }),
    ...named('left[]', others, { why: 'not-carried' }),
    ...(more > 0 ? [['left_more', String(more)] as const] : []),
  ];
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
