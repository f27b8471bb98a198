/* Finds the agent, and starts one where none listens. */
#include "helper.h"
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char none[] = "no agent answers and none could be started; run: keyhold start";
static const char refused[] = "the agent that was started has ended; to see why, run: keyhold start";

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char folder[sizeof address.sun_path]; /* of the socket */
static char state[PATH_MAX] AT_THE_END;      /* empty where no variable names it */
char autostart_path[PATH_MAX] AT_THE_END;

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

static pid_t started_agent; /* ours while we run, and a child of init afterwards */

/* Runs the agent, of which nothing of ours is left open. Answers 0 once it is executing, else an errno. */
static int start_agent(void) {
  int report[2], why = 0;
  if (pipe2(report, O_CLOEXEC) != 0) return errno;
  pid_t child = fork();
  if (child == 0) {
    setsid();
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
  else
    while (read(report[0], &why, sizeof why) < 0 && errno == EINTR) {}
  close(report[0]);
  started_agent = child;
  return why;
}

/* Whether the agent that we started has ended by a fault. One that found another agent at work ends with 0. */
static int has_failed(void) {
  int how;
  return started_agent > 0 && waitpid(started_agent, &how, WNOHANG) == started_agent && how != 0;
}

/* A link of ours, in a folder that only we may enter, to a program that others cannot change. */
static int may_autostart(void) {
  struct stat link, target;
  const char *no = getenv("KEYHOLD_NO_AUTOSTART");
  if ((no && strcmp(no, "1") == 0) || !*state || in_own_user_namespace()) return 0;
  return join(autostart_path, sizeof autostart_path, state, "/autostart") && is_private(state) &&
         lstat(autostart_path, &link) == 0 && S_ISLNK(link.st_mode) && link.st_uid == geteuid() &&
         stat(autostart_path, &target) == 0 && S_ISREG(target.st_mode) &&
         (target.st_uid == geteuid() || target.st_uid == 0) && !(target.st_mode & 022);
}

/* The lock that one of many clients gets. */
static int open_lock(void) {
  char path[PATH_MAX];
  if (!join(path, sizeof path, state, "/autostart.lock")) return -1;
  return open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Points address and folder at a socket. */
static void use_socket(const char *base, const char *rest) {
  if (!join(address.sun_path, sizeof address.sun_path, base, rest))
    refuse("cannot use the socket: its path is longer than 107 bytes; set KEYHOLD_HOME or KEYHOLD_SOCKET to a shorter one", "");
  strcpy(folder, address.sun_path);
  char *slash = strrchr(folder, '/');
  slash[slash == folder] = 0;
}

/* A connection to what listens in `folder`, which has to be ours alone; -1 where nothing does. */
static int connect_there(void) {
  struct stat s;
  int fd;
  if (lstat(folder, &s) != 0) return -1;
  if (!S_ISDIR(s.st_mode)) refuse("cannot trust the socket folder: it is no folder but a link or a file: ", folder);
  if (s.st_uid != geteuid()) refuse("cannot trust the socket folder: it belongs to another user: ", folder);
  if (s.st_mode & 077 && absolute("KEYHOLD_SOCKET"))
    refuse("cannot trust the socket folder: others may enter it; "
           "set KEYHOLD_SOCKET to a socket in a folder that is yours alone, not in ", folder);
  if (s.st_mode & 077) refuse("cannot trust the socket folder: others may enter it; run: chmod 700 ", folder);
  while ((fd = connect_once()) < 0 && errno == EAGAIN) pause_shortly();
  if (fd < 0 && errno != ENOENT && errno != ECONNREFUSED)
    unavailable("cannot reach the agent; run: keyhold doctor", "");
  return fd;
}

/* A connection to the agent that the variables name, that wrote the link, or that lies where the rules say; else -1. */
static int connect_to_agent(void) {
  const char *given = absolute("KEYHOLD_SOCKET"), *root = absolute("KEYHOLD_HOME");
  char found[PATH_MAX];
  int fd;
  if (given) return use_socket(given, ""), connect_there();
  if (root) return use_socket(root, "/run/agent.sock"), connect_there();
  if (!*state) refuse("cannot find the agent: HOME is not set; set HOME or KEYHOLD_HOME", "");
  if (linked_folder(state, found, sizeof found)) {
    use_socket(found, "/agent.sock");
    if ((fd = connect_there()) >= 0) return fd;
  }
  if (!computed_folder(state, found, sizeof found)) return -1;
  use_socket(found, "/agent.sock");
  return connect_there();
}

/* Starts the agent unless another client is at it, and waits until it listens; the alarm ends it at the deadline. */
static int connect_by_autostart(void) {
  if (!may_autostart()) unavailable(none, "");
  int lock = open_lock(), started = 0, fd;
  if (lock < 0) unavailable(none, "");
  for (;;) {
    int ours = started || flock(lock, LOCK_EX | LOCK_NB) == 0;
    if ((fd = connect_to_agent()) >= 0) break;
    if (ours && !started) {
      if (start_agent() != 0) unavailable(none, "");
      started = 1;
    }
    if (has_failed()) unavailable(refused, "");
    pause_shortly();
  }
  close(lock);
  return fd;
}

int reach_agent(void) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (!find_state(state, sizeof state)) *state = 0;
  int fd = connect_to_agent();
  if (fd < 0) fd = connect_by_autostart();
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.uid != geteuid())
    refuse("cannot trust the agent: another user listens at ", address.sun_path);
  return fd;
}
