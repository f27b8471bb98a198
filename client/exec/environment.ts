import { exitCodeOf } from '../../protocol/status.ts';
import { CommandFailure } from '../cli/failure.ts';
import type { Fetched } from './fetch.ts';
import { MARKER, type Plan } from './plan.ts';

/** Where the launcher leaves the environment that it was started with (base64 of environ(7), as proc(5) shows it). */
export const ORIGINAL = 'KEYHOLD_ENVIRONMENT';

export type Environment = Readonly<Record<string, string>>;

/** An environment, and in words what of it cannot be handed on. */
export type Original = { readonly environment: Environment; readonly lost: readonly string[] };

/**
 * The environment that the person gave us. The launcher takes out of ours what could steer node; the command that is
 * run must get it back. Run without the launcher, ours is theirs.
 */
export function originalEnvironment(ours: NodeJS.ProcessEnv = process.env): Original {
  const left = ours[ORIGINAL];
  if (!left) {
    const { environment, lost } = fromPairs(Object.entries(ours).map(([name, value]) => [name, value ?? '']));
    return { environment, lost: left === undefined ? lost : [...lost, 'NODE_OPTIONS, LD_PRELOAD and their like'] };
  }
  const bytes = Buffer.from(left, 'base64');
  const pairs: [string, string][] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at) < 0 ? bytes.length : bytes.indexOf(0, at);
    const variable = bytes.toString('utf8', at, end);
    const equals = variable.indexOf('=', 1);
    if (equals > 0) pairs.push([variable.slice(0, equals), variable.slice(equals + 1)]);
    at = end + 1;
  }
  return fromPairs(pairs);
}

function fromPairs(pairs: readonly (readonly [string, string])[]): Original {
  const environment: Record<string, string> = Object.create(null) as Record<string, string>;
  const lost: string[] = [];
  for (const [name, value] of pairs) {
    if (name === ORIGINAL) continue;
    if (`${name}${value}`.includes('\ufffd')) lost.push(`the variable ${name}, which is not UTF-8`);
    // getenv(3) finds the first of two with one name.
    else if (!(name in environment)) environment[name] = value;
  }
  return { environment, lost };
}

/** The child's environment: the person's, without what could win over the tokens, and with these. */
export function childEnvironment(original: Environment, plan: Plan, fetched: readonly Fetched[]): Environment {
  const environment: Record<string, string> = Object.assign(Object.create(null) as Record<string, string>, original);
  for (const { name } of plan.remove) delete environment[name];
  for (const { name, value } of plan.plain) environment[name] = value;
  const named: string[] = [];
  for (const { variables, bytes, endpoints = [] } of fetched) {
    for (const { name, value } of endpoints) environment[name] = value;
    const value = textOf(bytes, variables[0]!);
    for (const name of variables) environment[name] = value;
    named.push(...variables);
  }
  const before = original[MARKER];
  environment[MARKER] = [...(before ? before.split(',') : []), ...named].join(',');
  return environment;
}

/** execve(2) takes strings from node, so that a token which is not UTF-8 would reach the command as another one. */
function textOf(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CommandFailure(exitCodeOf('unsupported'), `cannot put a token into ${name}: it is not UTF-8`);
  }
}
