import type { CredentialReply } from '../../protocol/handler.ts';
import { type ActionName, rowOf } from '../../protocol/wire/actions.ts';
import type { Action, Answerer } from './action.ts';
import { annotate } from './annotate.ts';
import { auditList } from './audit-list.ts';
import { auditVerify } from './audit-verify.ts';
import { authorize } from './authorize.ts';
import { authorized } from './authorized.ts';
import { backendList } from './backend-list.ts';
import { backendMigrate } from './backend-migrate.ts';
import { backendPassphrase } from './backend-passphrase.ts';
import { backendUndo } from './backend-undo.ts';
import { backendUse } from './backend-use.ts';
import { backup } from './backup.ts';
import { bury } from './bury.ts';
import { capability } from './capability.ts';
import { create } from './create.ts';
import { erase } from './erase.ts';
import { erasedRestore } from './erased-restore.ts';
import { explain } from './explain.ts';
import { get } from './get.ts';
import { list } from './list.ts';
import { lock } from './lock.ts';
import { login } from './login.ts';
import { metrics } from './metrics.ts';
import type { Parts } from './parts.ts';
import { profileReload } from './profile-reload.ts';
import { progress } from './progress.ts';
import { refresh } from './refresh.ts';
import { remoteList } from './remote-list.ts';
import { remoteShow } from './remote-show.ts';
import { repair } from './repair.ts';
import { restart } from './restart.ts';
import { restore } from './restore.ts';
import { revoke } from './revoke.ts';
import { rotate } from './rotate.ts';
import { same } from './same.ts';
import { share } from './share.ts';
import { status } from './status.ts';
import { stop } from './stop.ts';
import { store } from './store.ts';
import { unlock } from './unlock.ts';
import { usage } from './usage.ts';
import { verify } from './verify.ts';

/** Every action but a helper run, which is answered in frames (protocol/helper-run.ts). */
export type AnsweredAction = Exclude<ActionName, 'run'>;

/** What runs each action. A row of protocol/wire/actions.ts without one, and one without a row, do not compile. */
export const actions = {
  get,
  store,
  erase,
  capability,
  status,
  progress,
  list,
  metrics,
  annotate,
  share,
  bury,
  'erased-restore': erasedRestore,
  explain,
  same,
  'profile-reload': profileReload,
  authorize,
  authorized,
  'remote-list': remoteList,
  'remote-show': remoteShow,
  verify,
  create,
  revoke,
  rotate,
  refresh,
  login,
  lock,
  unlock,
  stop,
  restart,
  'backend-list': backendList,
  'backend-use': backendUse,
  'backend-migrate': backendMigrate,
  repair,
  'backend-passphrase': backendPassphrase,
  'backend-undo': backendUndo,
  backup,
  restore,
  'audit-list': auditList,
  'audit-verify': auditVerify,
  usage,
} satisfies { readonly [Name in AnsweredAction]: Action<Name, Parts> };

/** Answers every request with the action that it names. */
export function answerer(parts: Parts): Answerer {
  return (request, caller) => {
    const row = rowOf(request.action);
    if (!row || !Object.hasOwn(actions, request.action)) return unknown;
    if (!row.plain && !request.capabilities.keyhold) return needsCapability;
    try {
      return actions[request.action as AnsweredAction].answer(request, parts, caller);
    } catch (error) {
      return Promise.reject(error);
    }
  };
}

const unknown: Promise<CredentialReply> = Promise.resolve({
  status: 'unsupported',
  message: 'cannot answer: this agent knows no such action',
});

/** git's cache client could send `exit`, `lock` or `stop` by mistake. */
const needsCapability: Promise<CredentialReply> = Promise.resolve({
  status: 'unsupported',
  message: 'cannot answer: management needs the capability keyhold',
});
