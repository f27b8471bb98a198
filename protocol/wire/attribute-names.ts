import type { Attributes } from '../attributes.ts';
import type { CredentialRequest } from '../handler.ts';
import type { ActionName, actions } from './actions.ts';

/** The words of a row's `reads`, taken apart at the blanks. */
type Words<Text extends string, Before = never> = Text extends `${infer Head} ${infer Rest}`
  ? Words<Rest, Before | Head>
  : Before | Text;

/** A word without its `?` and without the comma of an alternative; nothing for the `|` between two alternatives. */
type Bare<Word> = Word extends '|' | ''
  ? never
  : Word extends `${infer Name},`
    ? Bare<Name>
    : Word extends `${infer Name}?`
      ? Name
      : Word;

/** The names of the attributes that an action reads, as its row says. */
export type AttributeName<Name extends ActionName> = Bare<Words<(typeof actions)[Name]['reads']>>;

/** Attributes of which only those of the given names can be read. */
export type AttributesNamed<Key extends string> = {
  text(key: Key): string | undefined;
  secret(key: Key): ReturnType<Attributes['secret']>;
  list(key: Key): readonly string[];
  has(key: Key): boolean;
};

/** A request for one action as it came: what every request says, and the attributes that the action's row names. */
export type RequestFor<Name extends ActionName> = Omit<CredentialRequest, 'action' | 'attributes'> & {
  readonly attributes: AttributesNamed<AttributeName<Name>>;
};
