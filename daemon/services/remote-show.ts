import { mergeAbout } from '../../protocol/about.ts';
import type { CredentialReply, Detail } from '../../protocol/handler.ts';
import { callOf, type Manifest, type Operation, operations, type Read } from '../../protocol/services/index.ts';
import { entryById } from '../credentials/entry-by-id.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { type ActorParts, actorFor } from './actor.ts';
import { item, told } from './asking.ts';
import { type CallParts, call, disposeAll } from './call.ts';
import { dateIn } from './dates.ts';
import { refused } from './outcomes.ts';
import { type NoteParts, noteTokenId, ownIdIn } from './own-id.ts';
import { kindOfToken } from './planning.ts';
import { introspectLogin, type ProviderParts } from './provider.ts';
import type { RemoteParts } from './remote.ts';
import { endedIn, sightOf } from './verdicts.ts';
import { serviceOf } from './which-service.ts';

/** The held token that is asked about, and the operations, separated by spaces. */
export type RemoteShowRequest = { readonly id: string | undefined; readonly what: string | undefined };

const asked: readonly Operation[] = ['whoami', 'show', 'introspect', 'usage', 'audit'];

/**
 * What a service says of one held token: `what` names the operations, separated by spaces; one that the service does not
 * have is left out where several are asked for.
 */
export async function remoteShow(
  parts: RemoteParts & ProviderParts,
  { id, what }: RemoteShowRequest,
): Promise<CredentialReply> {
  await parts.credentials.lifecycle.ready();
  const entry = entryById(parts.credentials.entries, id, 'find the token');
  const isLogin = entry.about?.oauth !== undefined;
  // A login may be for a place that no service is known for: then its provider alone is asked.
  const manifest = isLogin && entry.about?.service === undefined ? undefined : serviceOf(parts, entry);
  const names = (what ?? 'whoami').split(' ');
  const wanted = names.filter(
    (name): name is Operation => (operations as readonly string[]).includes(name) && asked.includes(name as Operation),
  );
  if (wanted.length !== names.length) return refused('bad-request', 'show', `what is one of ${asked.join(', ')}`);
  const details: Detail[] = [];
  let refusal: CredentialReply | undefined;
  for (const operation of wanted) {
    if (isLogin && isOfProvider(manifest, operation)) {
      const heard = await introspectLogin(parts, entry);
      if (heard.ok) details.push(item({ operation, answer: heard.read }));
      else if (heard.reply.status !== 'unsupported' || wanted.length === 1) refusal ??= heard.reply;
      continue;
    }
    if (!manifest) continue;
    const seen = sightOf(entry);
    const heard = await askAbout(parts, manifest, entry, operation);
    if (heard.ok) {
      disposeAll(heard.secrets);
      const ended = endedIn({ ...heard.read, expiresAt: dateIn(heard.read.expiresAt) }, parts.clock.now());
      if (ended) await parts.verdicts.note(entry, seen, ended);
      if (operation === 'whoami' && !ended) await noteVerified(parts, entry);
      await noteTokenId(parts, entry, seen, ownIdIn(operation, heard.read));
      const read = operation === 'audit' ? heard.items : normal(heard.read);
      details.push(item({ operation, answer: read }));
    } else if (heard.reply.status !== 'unsupported' || wanted.length === 1) {
      refusal ??= { ...heard.reply, details: told('unread', heard.failure === 'unread' ? 1 : undefined) };
    }
  }
  if (refusal) return refusal;
  if (details.length > 0) return { status: 'ok', details };
  return refused(
    'unsupported',
    'show',
    `${manifest?.title ?? 'its provider'} has no known call that tells about a token`,
  );
}

/** Its service has confirmed a token that it could not be asked about when it was stored. */
export async function noteVerified(parts: NoteParts, entry: Entry | undefined): Promise<void> {
  const { credentials } = parts;
  if (entry?.about?.unverified === undefined) return;
  await credentials.queue.run(entry, async () => {
    const now = credentials.entries.at(entry);
    if (now === entry) await credentials.changes.annotate(now, mergeAbout(now.about, { unverified: undefined }));
  });
}

/** What the provider of a login tells, unless the service has a call of its own for it. */
function isOfProvider(manifest: Manifest | undefined, operation: Operation): boolean {
  if (operation !== 'introspect' && operation !== 'whoami') return false;
  return manifest === undefined || callOf(manifest, operation).status !== 'ok';
}

/** By the token itself where it may ask, else by another that may. */
async function askAbout(parts: CallParts & ActorParts, manifest: Manifest, entry: Entry, operation: Operation) {
  const id = entry.about?.tokenId;
  const kind = kindOfToken(manifest, entry).name;
  const question = { manifest, operation, kind, target: entry, values: id === undefined ? {} : { id } };
  const isOwn = operation === 'whoami' || operation === 'introspect';
  return call(parts, { ...question, as: isOwn ? entry : (actorFor(parts, question, undefined) ?? entry) });
}

/** Dates as seconds, whatever the service writes. */
export function normal(read: Read): object {
  const dated = Object.entries(read).map(([name, value]) => [
    name,
    /At$/.test(name) ? (dateIn(value) ?? value) : value,
  ]);
  return Object.fromEntries(dated);
}
