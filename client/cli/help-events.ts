/** `keyhold help audit`. */
export const auditTopic = {
  summary: 'what happened to your tokens',
  text: () => `
Every change, every refusal, and the first use of a token by a program:

  $ keyhold audit list
  $ keyhold audit list --since 7d --tool git --action first-use

When each token was last used, and what is due:

  $ keyhold token list
  $ keyhold token list --due
  $ keyhold token list --unused --days 30

Has anything been changed or taken out? Keep an export elsewhere, and a cut
end is found too:

  $ keyhold audit export > audit.jsonl
  $ keyhold audit verify --against audit.jsonl

How long it is kept:

  $ keyhold config set audit.keep 365d
`,
};

/** `keyhold help events`. */
export const eventsTopic = {
  summary: 'follow what happens, and views for other programs',
  text: () => `
What happens to your tokens, as it happens:

  $ keyhold watch
  $ keyhold watch --event rotated --event revoked --json

A job of yours that needs to know is docs/events.md: how to listen, in
TypeScript, Python and anything else that can read a socket.

How long before its expiry a token is announced:

  $ keyhold config set events.lead 2d

Tokens, use, the audit log and metrics over HTTP, read-only (docs/admin.md):

  $ cd ~/.local/state/keyhold/socket-folder
  $ curl --unix-socket admin.sock http://localhost/tokens
`,
};
