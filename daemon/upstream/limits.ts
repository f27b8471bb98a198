/** Bytes of a request to the upstream child: a plan with a folder of certificates in it. */
export const REQUEST_MAX = 2 * 1_048_576;
/** Bytes of its reply: what is read out of an answer is less than the answer, and JSON may double it. */
export const REPLY_MAX = 4 * 1_048_576;
