/* Finds the agent, and starts one where none listens. The rules of places are protocol/places.ts's. */
#include "helper.h"
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char none[] = "no agent answers and none could be started; run: keyhold start";

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char folder[sizeof address.sun_path]; /* of the socket */
char autostart_path[PATH_MAX] AT_THE_END;

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

/* /run/user/UID, if it is ours alone. */
static const char *run_user(void) {
  static char path[32] = "/run/user/";
  char digits[12], *at = digits + sizeof digits - 1;
  unsigned long uid = geteuid();
  *at = 0;
  do *--at = (char)('0' + uid % 10);
  while (uid /= 10);
  strcat(path, at);
  return is_private(path) ? path : 0;
}

/* Fills in address and folder. */
static void find_socket(void) {
  const char *given = absolute("KEYHOLD_SOCKET"), *root = absolute("KEYHOLD_HOME"), *home = absolute("HOME");
  const char *state = absolute("XDG_STATE_HOME"), *runtime = absolute("XDG_RUNTIME_DIR");
  const char *base = root ? root : state ? state : home, *rest;
  if (given) base = given, rest = "";
  else if (root) rest = "/run/agent.sock";
  else if (runtime || (runtime = run_user())) base = runtime, rest = "/keyhold/agent.sock";
  else rest = state ? "/keyhold/run/agent.sock" : "/.local/state/keyhold/run/agent.sock";
  if (!base) refuse("cannot find the agent: HOME is not set; set HOME or KEYHOLD_HOME", "");
  if (!join(address.sun_path, sizeof address.sun_path, base, rest))
    refuse("cannot use the socket: its path is longer than 107 bytes; set KEYHOLD_HOME or KEYHOLD_SOCKET to a shorter one", "");
  strcpy(folder, address.sun_path);
  char *slash = strrchr(folder, '/');
  slash[slash == folder] = 0;
}

/* Fills in autostart_path, which stays empty where there is none. */
static void find_autostart(void) {
  const char *root = absolute("KEYHOLD_HOME"), *state = absolute("XDG_STATE_HOME");
  const char *base = root ? root : state ? state : absolute("HOME");
  const char *rest = root ? "/state/autostart" : state ? "/keyhold/autostart" : "/.local/state/keyhold/autostart";
  if (base) join(autostart_path, sizeof autostart_path, base, rest);
}

static void pause_shortly(void) { nanosleep(&(struct timespec){.tv_nsec = 2000000}, 0); }

static int connect_once(void) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) unavailable("cannot reach the agent: no descriptor is left", "");
  while (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    if (errno == EINTR) continue;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
  }
  return fd;
}

/* A service manager's messages to the program that called us: the agent would take them for its own. */
static const char *const not_for_agents[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "JOURNAL_STREAM"};

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
    if (report[1] != 3) dup3(report[1], 3, O_CLOEXEC);
    if (syscall(SYS_close_range, 4u, ~0u, 0u) != 0)
      for (int fd = 4; fd < 4096; fd++) close(fd);
    signal(SIGPIPE, SIG_DFL);
    umask(077);
    for (size_t i = 0; i < sizeof not_for_agents / sizeof *not_for_agents; i++) unsetenv(not_for_agents[i]);
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

/* A link of ours, in a folder that only we may enter, to a program that nobody else can change. */
static int may_autostart(void) {
  struct stat link, target;
  char state[sizeof autostart_path];
  const char *no = getenv("KEYHOLD_NO_AUTOSTART");
  if ((no && strcmp(no, "1") == 0) || !*autostart_path) return 0;
  strcpy(state, autostart_path);
  *strrchr(state, '/') = 0;
  return is_private(state) && lstat(autostart_path, &link) == 0 && S_ISLNK(link.st_mode) && link.st_uid == geteuid() &&
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
  find_autostart();
  if (!may_autostart()) unavailable(none, "");
  int lock = open_lock(), started = 0, fd;
  if (lock < 0) unavailable(none, "");
  for (;;) {
    int ours = started || flock(lock, LOCK_EX | LOCK_NB) == 0;
    if ((fd = connect_once()) >= 0) break;
    if (ours && !started) {
      if (start_agent() != 0) unavailable(none, "");
      started = 1;
    }
    pause_shortly();
  }
  close(lock);
  return fd;
}

int reach_agent(void) {
  struct ucred peer;
  struct stat s;
  socklen_t length = sizeof peer;
  int fd = -1;
  if (!*folder) find_socket();
  if (lstat(folder, &s) == 0) {
    if (!S_ISDIR(s.st_mode)) refuse("cannot trust the socket folder: it is no folder but a link or a file: ", folder);
    if (s.st_uid != geteuid()) refuse("cannot trust the socket folder: it belongs to somebody else: ", folder);
    if (s.st_mode & 077 && absolute("KEYHOLD_SOCKET"))
      refuse("cannot trust the socket folder: others may enter it; "
             "set KEYHOLD_SOCKET to a socket in a folder that is yours alone, not in ", folder);
    if (s.st_mode & 077) refuse("cannot trust the socket folder: others may enter it; run: chmod 700 ", folder);
    while ((fd = connect_once()) < 0 && errno == EAGAIN) pause_shortly();
    if (fd < 0 && errno != ENOENT && errno != ECONNREFUSED)
      unavailable("cannot reach the agent; run: keyhold doctor", "");
  }
  if (fd < 0) fd = connect_by_autostart();
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.uid != geteuid())
    refuse("cannot trust the agent: somebody else listens at ", address.sun_path);
  return fd;
}
