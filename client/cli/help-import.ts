/** `keyhold help import`. */
export const importTopic = {
  summary: 'tokens that other tools keep in plaintext',
  text: () => `
See what there is; nothing is changed and no value is shown:

  $ keyhold import --dry-run

Take in what you choose, and then take it out of the files:

  $ keyhold import
  $ keyhold import --remove

One tool only; in a script, without a question:

  $ keyhold import --only docker --remove
  $ keyhold import --all --remove --yes

A token leaves its file only after keyhold holds it for certain. Killed at any
moment, it is in keyhold, in its file, or in both. What was found, and why
something was left: docs/import.md.
`,
};
