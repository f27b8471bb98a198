import { readSync } from 'node:fs';
import { openRegion } from '../../daemon/credentials/unlocked/region.ts';
import { loadNative } from '../../daemon/native/load.ts';

/**
 * A process that keeps what it reads from standard input in a region, ten thousand other secrets too, and one planted
 * text elsewhere; says how its region is protected and what all that costs, and stays.
 */
const native = loadNative(process.argv[2]!);
const region = openRegion({ native });

const input = Buffer.allocUnsafeSlow(1_024);
const secret = region.keep(input.subarray(0, readSync(0, input)));
input.fill(0);

const planted = Buffer.from(`planted-${process.argv[3]}-EXAMPLE`);
globalThis.gc?.();
const before = process.memoryUsage().heapUsed;
const token = Buffer.alloc(40, 'x');
const others = Array.from({ length: 10_000 }, () => region.keep(token));
globalThis.gc?.();
const cost = process.memoryUsage().heapUsed - before + region.used;

console.log(JSON.stringify({ protection: region.protection, cost, length: secret.length }));
setTimeout(() => console.log(others.length, planted.length), 30_000);
