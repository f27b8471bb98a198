import type { Call, Cause, ErrorRule, Operation, Read, Values } from '../../protocol/services/index.ts';

/**
 * What the agent asks its upstream child to do, and what it hears. All of it is plain JSON without a secret: secrets go
 * beside it as bytes, by name, both ways.
 */

/** How a call reaches its service, as the person has configured it. */
export type Route = {
  /** Milliseconds that the call may take, from the first look-up of the name to the last byte. */
  readonly deadline: number;
  /** Certificates (PEM) that are trusted beside those that node brings along. */
  readonly authorities?: string | undefined;
  /** `http://host:port`, by which every call goes but those to this machine. */
  readonly proxy?: string | undefined;
};

/** One call of a service's interface. */
export type Plan = Route & {
  readonly operation: Operation;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `https://host[:port]`; http is for this machine only. */
  readonly origin: string;
  /** With the query, encoded. */
  readonly path: string;
  /** How the secret `token` goes along; absent: the call needs none. */
  readonly auth?: { readonly header: string; readonly before: string; readonly basicUser?: string | undefined };
  /** Templates of the body's members, which are filled with `values` and the secrets. */
  readonly body?: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly values: Values;
  readonly success?: readonly number[] | undefined;
  readonly items?: string | undefined;
  readonly fields?: Call['fields'];
  readonly leaks?: readonly string[] | undefined;
  readonly errors?: readonly ErrorRule[] | undefined;
};

/** The secrets of a call and of its answer. */
export const secretNames = ['token', 'refreshToken', 'password', 'code', 'challenge', 'value'] as const;
export type SecretName = (typeof secretNames)[number];

/**
 * Why there is no answer that could be judged. After `cut`, `late`, `no-json`, `too-long` and `redirected` a call that
 * changes something may have had its effect.
 */
export const failures = [
  'unreachable',
  'untrusted',
  'late',
  'cut',
  'no-json',
  'unread',
  'too-long',
  'redirected',
  'unfit',
  'fell',
] as const;
export type FailureName = (typeof failures)[number];

/** What the child answers. `read` and `items` hold no secret. */
export type Reply =
  | {
      readonly status: number;
      /** Absent: it succeeded. */
      readonly cause?: Cause | undefined;
      readonly read: Read;
      /** A page for browsers came in place of an answer of the interface: it is not the service's word about a token. */
      readonly isPage?: boolean | undefined;
      /** Why `read` has no id although the service gave one. */
      readonly unfitId?: string | undefined;
      /** Of a list; absent where the answer has none. */
      readonly items?: readonly Read[] | undefined;
    }
  | { readonly failure: FailureName; readonly why?: string | undefined };
