import manifest from '../package.json' with { type: 'json' };

/** Of the agent; `status` shows it beside the client's. */
export const version: string = manifest.version;

/** Of the wire: grows when a client must know the difference (protocol/PROTOCOL.md). */
export const WIRE_VERSION = '1';
