import { toWire } from '../../../protocol/text.ts';
import { type BlockEdit, Conflict, type Editor } from './edit.ts';

/** Whole lines at the end of a file. */
export const block: Editor<BlockEdit> = {
  make(text, { text: human, unless }) {
    const lines = toWire(human);
    if (text.includes(lines)) return undefined;
    const other = unless === undefined ? undefined : new RegExp(unless, 'm').exec(text)?.[0];
    if (other !== undefined) throw new Conflict(`it has "${other.trim()}" already`);
    return { at: text.length, removed: '', inserted: `${text === '' || text.endsWith('\n') ? '' : '\n'}${lines}` };
  },
  withdraw(text, { text: human }) {
    const lines = toWire(human);
    const at = text.indexOf(lines);
    return at < 0 ? undefined : { at, removed: lines, inserted: '' };
  },
};
