// A test never talks to the person's own agent, keyring or git configuration.
for (const name of ['KEYHOLD_SOCKET', 'KEYHOLD_PROFILE', 'DBUS_SESSION_BUS_ADDRESS', 'GIT_ASKPASS', 'SSH_ASKPASS']) {
  delete process.env[name];
}
process.env.KEYHOLD_NO_AUTOSTART = '1';
process.env.KEYHOLD_HOME = '/nonexistent/keyhold-test-without-a-home';
process.env.GIT_CONFIG_NOSYSTEM = '1';
process.env.GIT_CONFIG_GLOBAL = '/dev/null';
process.env.GIT_TERMINAL_PROMPT = '0';
// Files of one worker follow each other in one process (vitest.config.ts), and some load what makes the mask stricter.
process.umask(0o022);
