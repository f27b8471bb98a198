/**
 * What a command creates is its owner's alone, from its first moment: importing this file sees to it. It tells what
 * held before, for the program that `exec` becomes.
 */
export const inheritedUmask = process.umask(0o077);
