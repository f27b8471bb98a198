/*
 * keyhold-helper: the thin client. It knows no tool's language: it tells the agent who it is (the name it was called
 * by, arguments, folder, the few variables of its row in the table), carries bytes both ways, and exits with the code
 * it is told. Wire: protocol/PROTOCOL.md §6. The same program in TypeScript is helper.ts; one test suite runs over both.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 5, STREAM_SECONDS = 600 };            /* from the first instruction to the last */
enum { HEADER_MAX = 131072, INPUT_MAX = 1048576, FRAME_MAX = 65536, FRAME_HEADER = 8, OUTPUT_MAX = 1048576 };
enum { INPUT_FRAMES = INPUT_MAX / FRAME_MAX + 1 };

enum mode { NONE, WHOLE, STREAM };
struct operation {
  const char *name; /* null: every other */
  enum mode mode;
  const char *answer; /* standard output when no agent can be had */
  int explain;        /* whether the tool bears a line on standard error then */
  int exit_code;
};
struct row {
  const char *name;
  const char *const *programs, *const *environment;
  const struct operation *operations;
};
#ifndef KEYHOLD_TABLE
#define KEYHOLD_TABLE "table.generated.h"
#endif
#include KEYHOLD_TABLE

/* Memory that is never touched costs nothing, so everything has its room from the start. */
static char request[HEADER_MAX + INPUT_MAX + INPUT_FRAMES * FRAME_HEADER + 4];
static char output[OUTPUT_MAX], incoming[FRAME_MAX];
static size_t request_length, output_length;
static const struct operation *operation;
static volatile sig_atomic_t spoken; /* something has gone to standard output: no other answer may follow it */
static char folder[sizeof((struct sockaddr_un *)0)->sun_path]; /* of the socket */
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char autostart_path[4096];

static void wipe(void *bytes, size_t length) {
  memset(bytes, 0, length);
  __asm__ volatile("" : : "r"(bytes) : "memory");
}

static __attribute__((noreturn)) void leave(int code) {
  wipe(request, request_length);
  wipe(output, output_length);
  wipe(incoming, sizeof incoming);
  _exit(code);
}

/* 0, or the errno that stopped it. */
static int write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n >= 0) bytes += n, length -= (size_t)n;
    else if (errno == EAGAIN) poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
    else if (errno != EINTR) return errno;
  }
  return 0;
}

static int is_printable(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text < 0x20 || *text == 0x7f) return 0;
  return 1;
}

/* One line for the human, in one write so that the lines of two clients do not mix. */
static void say(const char *what, const char *path, const char *remedy) {
  static char line[1024];
  const char *const parts[] = {"keyhold: ", what, path && is_printable(path) ? path : "", remedy, "\n"};
  size_t at = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    size_t length = strlen(parts[i]);
    if (length > sizeof line - at) length = sizeof line - at;
    memcpy(line + at, parts[i], length);
    at += length;
  }
  write_all(2, line, at);
}

/* The tool's own answer for "no agent", unless another answer has begun. Safe in a signal handler. */
static __attribute__((noreturn)) void unavailable(const char *what, const char *path, const char *remedy, int loud) {
  if (!spoken) write_all(1, operation->answer, strlen(operation->answer));
  if (operation->explain || loud) say(what, path, remedy);
  leave(spoken && operation->exit_code == 0 ? 1 : operation->exit_code);
}

/* What we will not do for the caller's own sake: told also where a missing agent would be met with silence. */
static __attribute__((noreturn)) void refuse(const char *what, const char *path, const char *remedy) {
  unavailable(what, path, remedy, operation->exit_code != 0);
}

static void on_alarm(int signal_number) {
  (void)signal_number;
  alarm(1); /* the handler is reset by now: a reader that takes nothing cannot hold us */
  unavailable("the agent did not answer in time; run: keyhold doctor", 0, "", 0);
}

static int is_private(const char *path) {
  struct stat s;
  return lstat(path, &s) == 0 && S_ISDIR(s.st_mode) && s.st_uid == geteuid() && (s.st_mode & 077) == 0;
}

/* Joins two parts; 0 if it does not fit. Slashes at the end of the first are dropped. */
static int join(char *target, size_t room, const char *base, const char *rest) {
  size_t length = strlen(base), more = strlen(rest);
  while (length > 1 && base[length - 1] == '/') length--;
  if (length + more >= room) return 0;
  memcpy(target, base, length);
  memcpy(target + length, rest, more + 1);
  return 1;
}

static const char *absolute(const char *name) {
  const char *value = getenv(name);
  return value && *value == '/' ? value : 0;
}

/* Fills in address, folder and autostart_path as protocol/places.ts has it. 0: the socket's path is too long. */
static int find_places(void) {
  const char *socket_path = absolute("KEYHOLD_SOCKET"), *root = absolute("KEYHOLD_HOME");
  const char *state = absolute("XDG_STATE_HOME"), *home = absolute("HOME"), *runtime = absolute("XDG_RUNTIME_DIR");
  char *target = address.sun_path, run_user[32] = "/run/user/";
  size_t room = sizeof address.sun_path;
  int fits;

  if (root) join(autostart_path, sizeof autostart_path, root, "/state/autostart");
  else if (state) join(autostart_path, sizeof autostart_path, state, "/keyhold/autostart");
  else if (home) join(autostart_path, sizeof autostart_path, home, "/.local/state/keyhold/autostart");

  if (!socket_path && !root && !runtime) {
    char digits[12], *at = digits + sizeof digits - 1;
    unsigned long uid = geteuid();
    *at = 0;
    do *--at = (char)('0' + uid % 10);
    while (uid /= 10);
    strcat(run_user, at);
    if (is_private(run_user)) runtime = run_user;
  }
  if (socket_path) fits = join(target, room, socket_path, "");
  else if (root) fits = join(target, room, root, "/run/agent.sock");
  else if (runtime) fits = join(target, room, runtime, "/keyhold/agent.sock");
  else if (state) fits = join(target, room, state, "/keyhold/run/agent.sock");
  else if (home) fits = join(target, room, home, "/.local/state/keyhold/run/agent.sock");
  else unavailable("cannot find the agent: HOME is not set", 0, "", 0);
  if (!fits) return 0;
  strcpy(folder, target);
  char *slash = strrchr(folder, '/');
  slash[slash == folder] = 0;
  return 1;
}

static void put(const char *text) {
  size_t length = strlen(text);
  if (request_length + length > HEADER_MAX) refuse("cannot ask the agent: the arguments are too long", 0, "");
  memcpy(request + request_length, text, length);
  request_length += length;
}

static void put_attribute(const char *key, const char *name, const char *value) {
  put(key);
  if (name) put(name), put("=");
  put(value);
  put("\n");
}

/* The request's lines. An empty argument would clear the list on the wire, so it cannot be told either. */
static void put_header(const char *program, char **arguments, const struct row *row) {
  char cwd[4096];
  put_attribute("action=run\nname=", 0, program);
  for (; *arguments; arguments++) {
    if (!**arguments || !is_printable(*arguments))
      refuse("cannot ask the agent: an argument is empty or holds a control byte", 0, "");
    put_attribute("argument[]=", 0, *arguments);
  }
  if (getcwd(cwd, sizeof cwd) && *cwd == '/' && is_printable(cwd)) put_attribute("cwd=", 0, cwd);
  for (const char *const *name = row->environment; *name; name++) {
    const char *value = getenv(*name);
    if (!value) continue;
    if (!is_printable(value)) refuse("cannot ask the agent: a control byte in the variable ", *name, "");
    put_attribute("env[]=", *name, value);
  }
  put_attribute("version=", 0, KEYHOLD_VERSION "\n");
}

/* Makes room for a frame of input, and writes its header once its length is known. */
static void put_frame(size_t length) {
  char *at = request + request_length;
  *at = 'i';
  at[FRAME_HEADER - 1] = '\n';
  for (size_t i = FRAME_HEADER - 2, rest = length; i > 0; i--, rest /= 10) at[i] = (char)('0' + rest % 10);
  request_length += FRAME_HEADER + length;
}

/* Reads standard input to its end, straight into the request's frames. */
static void put_input(void) {
  size_t total = 0, length = 0;
  for (;;) {
    ssize_t n = read(0, request + request_length + FRAME_HEADER + length, FRAME_MAX - length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      poll(&(struct pollfd){.events = POLLIN}, 1, -1);
      continue;
    }
    if (n <= 0) break;
    length += (size_t)n;
    total += (size_t)n;
    if (total > INPUT_MAX) refuse("cannot ask the agent: the input is longer than 1 MiB", 0, "");
    if (length == FRAME_MAX) put_frame(length), length = 0;
  }
  if (length > 0) put_frame(length);
}

static int connect_once(void) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) unavailable("cannot reach the agent: no descriptor is left", 0, "", 0);
  while (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    if (errno == EINTR) continue;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
  }
  return fd;
}

/* Runs the agent, of which nothing of ours is left open. Answers 0 once it is executing, else an errno. */
static int start_agent(void) {
  int report[2], why = 0;
  if (pipe2(report, O_CLOEXEC) != 0) return errno;
  pid_t child = fork();
  if (child == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2; fd++) dup2(null, fd);
    dup3(report[1], 3, O_CLOEXEC);
    if (report[1] == 3) fcntl(3, F_SETFD, FD_CLOEXEC);
    if (syscall(SYS_close_range, 4u, ~0u, 0u) != 0)
      for (int fd = 4; fd < 4096; fd++) close(fd);
    signal(SIGPIPE, SIG_DFL);
    umask(077);
    char *arguments[] = {"keyhold-agent", 0};
    if (chdir("/") == 0) execv(autostart_path, arguments);
    why = errno;
    write_all(3, (char *)&why, sizeof why);
    _exit(127);
  }
  close(report[1]);
  if (child < 0) why = EAGAIN;
  else {
    while (waitpid(child, 0, 0) < 0 && errno == EINTR) {}
    while (read(report[0], &why, sizeof why) < 0 && errno == EINTR) {}
  }
  close(report[0]);
  return why;
}

/* A link of ours to a program that nobody else can change, in a folder that nobody else can change. */
static int may_autostart(void) {
  struct stat link, target, state;
  char parent[sizeof autostart_path];
  const char *no = getenv("KEYHOLD_NO_AUTOSTART");
  if ((no && strcmp(no, "1") == 0) || !*autostart_path) return 0;
  strcpy(parent, autostart_path);
  *strrchr(parent, '/') = 0;
  return lstat(parent, &state) == 0 && S_ISDIR(state.st_mode) && state.st_uid == geteuid() && !(state.st_mode & 022) &&
         lstat(autostart_path, &link) == 0 && S_ISLNK(link.st_mode) && link.st_uid == geteuid() &&
         stat(autostart_path, &target) == 0 && S_ISREG(target.st_mode) &&
         (target.st_uid == geteuid() || target.st_uid == 0) && !(target.st_mode & 022);
}

/* The lock that one of many clients gets. Its folder is made where its parent is ours. */
static int open_lock(void) {
  char path[sizeof folder + 16];
  struct stat parent;
  join(path, sizeof path, folder, "");
  char *slash = strrchr(path, '/');
  if (slash != path) {
    *slash = 0;
    if (lstat(path, &parent) == 0 && S_ISDIR(parent.st_mode) && parent.st_uid == geteuid()) mkdir(folder, 0700);
  }
  if (!is_private(folder)) return -1;
  join(path, sizeof path, folder, "/autostart.lock");
  return open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Starts the agent unless another client is at it, and waits until it listens; the alarm ends it at the deadline. */
static int connect_by_autostart(void) {
  static const char none[] = "no agent answers and none could be started; run: keyhold start";
  if (!may_autostart()) unavailable(none, 0, "", 0);
  int lock = open_lock(), started = 0, fd;
  if (lock < 0) unavailable(none, 0, "", 0);
  for (;;) {
    int ours = started || flock(lock, LOCK_EX | LOCK_NB) == 0;
    if ((fd = connect_once()) >= 0) break;
    if (ours && !started) {
      if (start_agent() != 0) unavailable(none, 0, "", 0);
      started = 1;
    }
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, 0);
  }
  close(lock);
  return fd;
}

/* A connection to an agent of our own user, at a place that only we can reach. */
static int reach_agent(void) {
  struct ucred peer;
  struct stat s;
  socklen_t length = sizeof peer;
  int fd = -1;
  if (lstat(folder, &s) == 0) {
    if (!S_ISDIR(s.st_mode)) refuse("refused to ask the agent: its folder must not be a link: ", folder, "");
    if (s.st_uid != geteuid()) refuse("refused to ask the agent: its folder belongs to somebody else: ", folder, "");
    if (s.st_mode & 077) refuse("refused to ask the agent: others may enter its folder; run: chmod 700 ", folder, "");
    while ((fd = connect_once()) < 0 && errno == EAGAIN) nanosleep(&(struct timespec){.tv_nsec = 2000000}, 0);
    if (fd < 0 && errno != ENOENT && errno != ECONNREFUSED)
      unavailable("cannot reach the agent; run: keyhold doctor", 0, "", 0);
  }
  if (fd < 0) fd = connect_by_autostart();
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.uid != geteuid())
    refuse("refused to ask the agent: somebody else listens at ", address.sun_path, "");
  return fd;
}

/* Sends what is in the request. A side that has closed may have answered before, so that is no end. */
static void send_request(int fd) {
  write_all(fd, request, request_length);
  wipe(request, request_length);
  request_length = 0;
}

static void take_output(const char *bytes, size_t length) {
  if (operation->mode == STREAM || length > OUTPUT_MAX - output_length) {
    spoken = 1;
    write_all(1, output, output_length);
    wipe(output, output_length);
    output_length = 0;
    write_all(1, bytes, length);
  } else {
    memcpy(output + output_length, bytes, length);
    output_length += length;
  }
}

/* Nothing of an answer is shown before all of it is there, so that what was cut off is never half an answer. */
static __attribute__((noreturn)) void finish(int code) {
  spoken = 1;
  int why = write_all(1, output, output_length);
  leave(why != 0 && why != EPIPE && code == 0 ? 1 : code);
}

/* The agent refused the run as a whole, with the lines of an ordinary answer: its message is for the human. */
static __attribute__((noreturn)) void refused(const char *bytes, size_t length) {
  static char message[512];
  const char *from = memmem(bytes, length, "\nmessage=", 9), *end;
  if (from && (end = memchr(from + 9, '\n', length - (size_t)(from + 9 - bytes)))) {
    size_t n = (size_t)(end - from - 9);
    memcpy(message, from + 9, n < sizeof message ? n : sizeof message - 1);
  }
  unavailable(*message ? "the agent refused: " : "what answers is no agent of ours; run: keyhold doctor", message, "", 0);
}

/* The agent's frames, as they come: o, standard output; e, standard error; x, the exit code, and the end. */
static void take_frames(const char *bytes, size_t length) {
  static char letter;
  static size_t number, digits, rest;
  while (length > 0) {
    if (rest > 0) {
      size_t n = rest < length ? rest : length;
      if (letter == 'o') take_output(bytes, n);
      else write_all(2, bytes, n);
      bytes += n, length -= n, rest -= n;
      if (rest == 0) letter = 0;
    } else if (!letter && (*bytes == 'o' || *bytes == 'e' || *bytes == 'x')) {
      letter = *bytes++, length--, number = digits = 0;
    } else if (letter && *bytes >= '0' && *bytes <= '9' && digits < 9) {
      number = number * 10 + (size_t)(*bytes++ - '0'), length--, digits++;
    } else if (letter && digits > 0 && *bytes == '\n') {
      if (letter == 'x') finish(number < 256 ? (int)number : 1);
      bytes++, length--;
      if ((rest = number) == 0) letter = 0;
    } else refused(bytes, length);
  }
}

static __attribute__((noreturn)) void converse(int fd, int stream) {
  struct pollfd ways[2] = {{.fd = fd, .events = POLLIN}, {.fd = stream ? 0 : -1, .events = POLLIN}};
  for (;;) {
    if (stream && poll(ways, 2, -1) < 0) continue;
    if (ways[1].revents) {
      ssize_t n = read(0, request + FRAME_HEADER, FRAME_MAX);
      if (n > 0 || (n < 0 && errno != EINTR && errno != EAGAIN) || n == 0) {
        put_frame(n > 0 ? (size_t)n : 0);
        send_request(fd);
      }
      if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) ways[1].fd = -1;
    }
    if (stream && !ways[0].revents) continue;
    ssize_t n = read(fd, incoming, sizeof incoming);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) unavailable("the agent broke off; run: keyhold doctor", 0, "", 0);
    take_frames(incoming, (size_t)n);
    wipe(incoming, (size_t)n);
  }
}

/* The row of an executable's name; a name with an argument behind an @ is found by what stands before it. */
static const struct row *row_of(const char *program) {
  const char *at = strchr(program, '@');
  size_t prefix = at && at != program ? (size_t)(at - program) : 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (const char *const *name = rows[i].programs; *name; name++)
      if (strcmp(*name, program) == 0 ||
          (prefix && strlen(*name) == prefix + 2 && strncmp(*name, program, prefix) == 0 &&
           strcmp(*name + prefix, "@*") == 0))
        return &rows[i];
  return 0;
}

/* A secret must never be written to a file that happened to get the number of a closed standard descriptor. */
static void guard_descriptors(void) {
  struct pollfd standard[3] = {{.fd = 0}, {.fd = 1}, {.fd = 2}};
  poll(standard, 3, 0);
  for (int fd = 0; fd < 3; fd++)
    if (standard[fd].revents & POLLNVAL && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd) _exit(1);
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

int main(int count, char **arguments) {
  static char *nothing[] = {0};
  guard_descriptors();
  const char *program = count > 0 ? arguments[0] : "keyhold-helper", *slash = strrchr(program, '/');
  if (slash) program = slash + 1;
  arguments = count > 0 ? arguments + 1 : nothing;
  const struct row *row = row_of(program);
  if (strcmp(program, "keyhold-helper") == 0 && *arguments) {
    if (strcmp(*arguments, "--version") == 0) {
      static const char version[] = "keyhold-helper " KEYHOLD_VERSION "\n";
      return write_all(1, version, sizeof version - 1) != 0;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
      if (strcmp(rows[i].name, *arguments) == 0) {
        row = &rows[i];
        program = row->programs[0];
        arguments++;
        break;
      }
  }
  if (!row) {
    say("no tool's helper has the name ", program, "");
    return 11;
  }
  char **first = arguments;
  while (*first && **first == '-') first++;
  for (operation = row->operations; operation->name; operation++)
    if (*first && strcmp(operation->name, *first) == 0) break;

  set_signals();
  put_header(program, arguments, row);
  if (operation->mode == WHOLE) put_input();
  if (operation->mode != STREAM) put_frame(0);
  if (!find_places()) unavailable("cannot reach the agent: the path of its socket is longer than 107 bytes", 0, "", 0);
  int fd = reach_agent();
  if (operation->mode == STREAM) alarm(STREAM_SECONDS);
  send_request(fd);
  converse(fd, operation->mode == STREAM);
}
