/** `keyhold help login`. */
export const loginTopic = {
  summary: 'signing in once, by a browser or a code',
  text: () => `
In a browser on this machine. The page is opened where there is a display, and
its address is printed anyway:

  $ keyhold auth login --way browser --service oidc --for https://git.example

On a machine without one: a code, entered on any other machine:

  $ keyhold auth login --way device --service oidc --for https://git.example

A program with an id and a secret of its own:

  $ keyhold auth login --way client --client-id robot --for https://git.example

Where no service says so, say who the provider is and how it knows you:

  $ keyhold auth login --for https://git.example \\
      --issuer https://id.example --client-id keyhold

From then on the token is refreshed before it is over. Signing in again, once
the provider has ended the login, needs the place alone:

  $ keyhold auth login --for https://git.example

With several logins of one service: which of them acts.

  $ keyhold auth login --for https://git.example --username admin
  $ keyhold auth switch admin --for https://git.example

How it stands, whether the provider takes it, and its end:

  $ keyhold auth status --for https://git.example
  $ keyhold auth token-info --for https://git.example
  $ keyhold auth logout --for https://git.example
`,
};
