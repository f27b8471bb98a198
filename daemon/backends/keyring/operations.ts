/** What the child can be asked. Every operation but `unlock` ends without a prompt. */
export const operations = ['probe', 'get', 'set', 'remove', 'count', 'list', 'unlock'] as const;
export type Operation = (typeof operations)[number];

/**
 * How an operation ended: `locked`, `absent` and `ambiguous` (more than one item matches) are told before anything was
 * changed; after `failed` the item may be either way.
 */
export const outcomes = ['ok', 'missing', 'locked', 'absent', 'dismissed', 'ambiguous', 'too-long', 'failed'] as const;
export type Outcome = (typeof outcomes)[number];
