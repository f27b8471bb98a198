/** Every bound of the wire, in one place. PROTOCOL.md §2 explains them. */

/** Longest line in bytes, its LF included (git-credential(1), IOFMT). */
export const LINE_MAX = 65_535;
/** Most lines in one request. */
export const LINES_MAX = 1_024;
/** Most bytes in one request, and in the input of one helper run that is taken whole. */
export const REQUEST_MAX = 1_048_576;
/** Longest secret: what still fits on a line behind the longest secret's name, `oauth_refresh_token=`. */
export const SECRET_MAX = 65_000;
/** Longest payload of one frame inside a helper run. */
export const FRAME_MAX = 65_536;
/** Most decoded requests of one connection that may wait for their answer before reading stops. */
export const PIPELINE_MAX = 2_048;
/** Bytes of answers gathered before they are written out. */
export const FLUSH_AT = 32_768;
/** Milliseconds that a request may take to arrive once its first byte has. */
export const REQUEST_DEADLINE = 5_000;
/** Milliseconds that a caller may leave an answer unread: it holds secrets, outside the memory that `lock` wipes. */
export const REPLY_DEADLINE = 30_000;
