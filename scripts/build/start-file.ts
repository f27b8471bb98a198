/** Where compiled code lies, below dist/lib. It may be left out: then it is made anew, or the program starts slower. */
export const CODE_CACHE = 'code-cache';

/** What node makes of a CommonJS file before it compiles it. */
const WRAPPER = ['(function (exports, require, module, __filename, __dirname) { ', '\n})'] as const;

/** What is compiled of a bundle: the very text that the code was made of is what V8 takes it for. */
export function wrapped(bundle: string): string {
  return WRAPPER.join(bundle);
}

/** The bundle of a program that starts with `startFile`. */
export function mainOf(name: string): string {
  return `${name}-main.cjs`;
}

/** The code that `keep-code.ts` has kept of a program, below dist/lib. */
export function keptCodeOf(name: string): string {
  return `${CODE_CACHE}/${name}.code`;
}

/**
 * The file that a program starts with. Node's own compile cache keeps of a bundle what is compiled when it is loaded; every
 * function that then runs is compiled anew at every start. So the build keeps the code of a whole run, and this file
 * takes it. Where there is none, or it is another V8's, node's cache does what it can.
 */
export function startFile(name: string): string {
  return `'use strict';
const filename = __dirname + '/${mainOf(name)}';
const script = withKeptCode();
if (script) script.runInThisContext()(exports, require, module, filename, __dirname);
else {
  require('node:module').enableCompileCache({ directory: __dirname + '/${CODE_CACHE}', portable: true });
  require(filename);
}

function withKeptCode() {
  const { readFileSync } = require('node:fs');
  try {
    const cachedData = readFileSync(__dirname + '/${keptCodeOf(name)}');
    const { Script } = require('node:vm');
    const [before, after] = ${JSON.stringify(WRAPPER)};
    const source = before + readFileSync(filename, 'latin1') + after;
    const script = new Script(source, { filename, cachedData });
    if (!script.cachedDataRejected) return script;
  } catch {
    // None was kept.
  }
}
`;
}
