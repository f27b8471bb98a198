import type { CredentialReply } from '../../protocol/handler.ts';
import type { ActionName } from '../../protocol/wire/actions.ts';
import type { Of, Schema } from './schema.ts';

/** A reply that says what was asked for. */
export type Ok = Extract<CredentialReply, { status: 'ok' }>;
/** Asks the agent for a view; throws `Refused` where it is not answered with ok. */
export type View = (action: ActionName, attributes?: Readonly<Record<string, string | undefined>>) => Promise<Ok>;

/** What a route is asked: the parameters of its path and of its query, checked against its schema. */
export type Question<Q> = { readonly view: View; readonly parameters: Q };

/** A view of the agent over HTTP, by GET: where it is, what it may be asked and what it answers. */
export type Route = {
  /** With parameters as OpenAPI writes them: `/usage/{id}`. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  /** Of type object: the parameters of path and query together. */
  readonly parameters: Schema;
  /** Of the answer's body; a text is answered as it is. */
  readonly answer: Schema;
  readonly contentType: string;
  readonly respond: (question: Question<never>) => Promise<unknown>;
};

type Typed<Q, A> = Omit<Route, 'parameters' | 'answer' | 'respond' | 'contentType'> & {
  readonly parameters: Schema<Q>;
  readonly answer: Schema<A>;
  readonly contentType?: string;
  readonly respond: (question: Question<Q>) => Promise<A>;
};

/** A route whose answer is of the type that its schema says. */
export function route<Q, A>(typed: Typed<Q, A>): Route {
  return { contentType: 'application/json; charset=utf-8', ...typed, respond: typed.respond as Route['respond'] };
}

export type { Of };

/** Names of the parameters that stand in a path. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
}
