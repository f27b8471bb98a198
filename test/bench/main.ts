import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { figures, type Measured } from './figures.ts';
import { measureCli } from './measure/cli.ts';
import { measureFill } from './measure/fill.ts';
import { measureGets } from './measure/get.ts';
import { measureLoad } from './measure/load.ts';
import { measureMemory } from './measure/memory.ts';
import { measureRefresh } from './measure/refresh.ts';
import { measureScale } from './measure/scale.ts';
import { measureStart } from './measure/start.ts';
import { measureTools } from './measure/tools.ts';
import { dist, HELPER, Rig } from './rig.ts';
import { json, markdown } from './table.ts';
import { compileTools } from './tools.ts';

/** `npm run bench -- [--quick] [--json] [--only get,tools,fill,load,cli,refresh,memory,start,scale]`: the table of figures. README.md here. */

const groups = ['get', 'tools', 'fill', 'load', 'cli', 'refresh', 'memory', 'start', 'scale'] as const;
const options = { quick: { type: 'boolean' }, json: { type: 'boolean' }, only: { type: 'string' } } as const;
const { values } = parseArgs({ options });
const asked = new Set(values.only?.split(',') ?? groups);
const unknown = [...asked].find((name) => !(groups as readonly string[]).includes(name));
if (unknown !== undefined) {
  console.error(`bench: there is no group ${unknown}; there are ${groups.join(', ')}`);
  process.exit(2);
}

const folder = await mkdtemp(join(tmpdir(), 'kh-bench-'));
const rig = new Rig(folder, values.quick ?? false);
const results = new Map<string, Measured>();
const loadBefore = loadavg()[0]!;
const began = Date.now();
try {
  await measureAll();
} finally {
  await rig.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

const about = {
  machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, Linux ${release()}, Node ${process.versions.node}`,
  command: `npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`,
  noise: `load ${loadBefore.toFixed(1)} before and ${loadavg()[0]!.toFixed(1)} after, ${Math.round((Date.now() - began) / 1_000)} s; medians of interleaved rounds; on a shared machine times drift by 2x, ratios by about a tenth`,
};
if (values.json) console.log(json(figures, results, about));
else {
  console.log(`${markdown(figures, results)}\n`);
  for (const [key, text] of Object.entries(about)) console.log(`- ${key}: ${text}`);
}

async function measureAll(): Promise<void> {
  await compileTools(folder);
  const request = await rig.recordRequest(join(dist, 'bin', HELPER));
  const keep = (found: ReadonlyMap<string, Measured>) => {
    for (const [id, measured] of found) results.set(id, measured);
  };
  // Its minute of rest passes while the others are at work; its load comes before them.
  const memory = asked.has('memory') ? await measureMemory(rig, request) : undefined;
  if (asked.has('start')) keep(await measureStart(rig, request));
  if (['get', 'tools', 'fill', 'load', 'cli'].some((name) => asked.has(name))) {
    const many = await rig.agent('many', 'memory', 10_000);
    const cacheOne = await rig.cacheDaemon('cache-1', 1);
    if (asked.has('get')) keep(await measureGets(rig, many, cacheOne));
    if (asked.has('tools')) keep(await measureTools(rig, many));
    if (asked.has('fill')) keep(await measureFill(rig, many, cacheOne));
    if (asked.has('cli')) keep(await measureCli(rig, many));
    if (asked.has('load')) {
      const few = await rig.agent('few', 'memory', 10);
      const cacheMany = await rig.cacheDaemon('cache-10k', 10_000);
      keep(await measureLoad(rig, { many, few, cacheOne, cacheMany, request }));
    }
  }
  if (asked.has('refresh')) keep(await measureRefresh(rig));
  if (asked.has('scale')) keep(await measureScale(rig));
  if (memory) keep(await memory.afterAMinute());
}
