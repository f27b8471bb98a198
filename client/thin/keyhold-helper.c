/* The program: who was called, for what, and the conversation. */
#include "helper.h"
#ifndef KEYHOLD_TABLE
#define KEYHOLD_TABLE "table.generated.h"
#endif
#include KEYHOLD_TABLE

enum { ROWS = sizeof rows / sizeof *rows };

const struct operation *operation;
static const char broken_off[] = "the agent broke off; run: keyhold doctor";
static const char *volatile late = "the input did not end in time";

/* A secret must never be written to a file that happened to get the number of a closed standard descriptor. */
static void guard_descriptors(void) {
  struct pollfd standard[3] = {{.fd = 0}, {.fd = 1}, {.fd = 2}};
  poll(standard, 3, 0);
  for (int fd = 0; fd < 3; fd++)
    if (standard[fd].revents & POLLNVAL && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd) _exit(1);
}

/* The row of an executable's name; a name with an argument behind an @ is found by what stands before it. */
static const struct row *row_of(const char *program) {
  const char *at = strchr(program, '@');
  size_t prefix = at && at != program ? (size_t)(at - program) : 0;
  for (size_t i = 0; i < ROWS; i++)
    for (const char *const *name = rows[i].programs; *name; name++)
      if (strcmp(*name, program) == 0 ||
          (prefix && strncmp(*name, program, prefix) == 0 && strcmp(*name + prefix, "@*") == 0))
        return &rows[i];
  return 0;
}

static const struct row *row_of_tool(const char *name) {
  for (size_t i = 0; i < ROWS; i++)
    if (strcmp(rows[i].name, name) == 0) return &rows[i];
  return 0;
}

/* The first argument that is no option names the operation. */
static const struct operation *operation_of(const struct row *row, char **arguments) {
  const struct operation *found = row->operations;
  while (*arguments && **arguments == '-') arguments++;
  while (found->name && !(*arguments && strcmp(found->name, *arguments) == 0)) found++;
  return found;
}

static void on_alarm(int signal_number) {
  (void)signal_number;
  alarm(1); /* the handler is reset by now: a reader that takes nothing cannot hold us */
  unavailable(late, "");
}

static void set_signals(void) {
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  sigaction(SIGALRM, &action, 0);
  sigprocmask(SIG_UNBLOCK, &set, 0);
  signal(SIGPIPE, SIG_IGN);
  alarm(SECONDS);
}

/* Comes back only from an agent that closed without a word, as one does that is just ending. */
static void converse(int fd) {
  int stream = operation->mode == STREAM, heard = stream;
  struct pollfd ways[2] = {{.fd = fd, .events = POLLIN}, {.fd = stream ? 0 : -1, .events = POLLIN}};
  send_request(fd);
  if (stream) wipe_request();
  for (;;) {
    if (stream && poll(ways, 2, -1) < 0) continue;
    if (ways[1].revents && !pass_input(fd)) ways[1].fd = -1;
    if (stream && !ways[0].revents) continue;
    ssize_t n = hear(fd);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 && !heard) break;
    if (n <= 0) unavailable(broken_off, "");
    heard = 1;
  }
  close(fd);
}

int main(int count, char **arguments) {
  static const char version[] = "keyhold-helper " KEYHOLD_VERSION "\n";
  static char *nothing[] = {0};
  guard_descriptors();

  const char *program = count > 0 ? arguments[0] : "keyhold-helper", *slash = strrchr(program, '/');
  if (slash) program = slash + 1;
  arguments = count > 0 ? arguments + 1 : nothing;
  const struct row *row = row_of(program);
  if (strcmp(program, "keyhold-helper") == 0 && *arguments) {
    if (strcmp(*arguments, "--version") == 0) return write_all(1, version, sizeof version - 1) != 0;
    const struct row *tool = row_of_tool(*arguments);
    if (tool) row = tool, program = row->programs[0], arguments++;
  }
  if (!row) {
    say("no tool's helper has the name ", program);
    return 11;
  }
  operation = operation_of(row, arguments);

  set_signals();
  put_header(program, arguments, row);
  if (operation->mode == WHOLE) put_input();
  if (operation->mode != STREAM) end_input();
  late = "the agent did not answer in time; run: keyhold doctor";
  for (int attempt = 1; attempt <= 2; attempt++) {
    int fd = reach_agent();
    if (operation->mode == STREAM) alarm(STREAM_SECONDS);
    converse(fd);
  }
  unavailable(broken_off, "");
}
