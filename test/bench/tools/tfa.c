/*
 * tfa: time to the first answer of programs that serve on a Unix socket, interleaved.
 * usage: tfa [-n rounds] -s SOCKET -q REQUEST-FILE -e TEXT name mode 'words' ...   (VAR=VALUE may stand before the command)
 *   answer    from spawning the command until a connection to SOCKET is answered with TEXT in it
 *   activate  the command listens on SOCKET for another program: from connecting until that answer
 *   exit      from spawning the command until it has ended
 * A line each: name, us, and 1 if the answer was right. What serves is ended by SIGTERM and waited for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS = 16, WORDS = 64, REQUEST = 8192, PATIENCE_US = 10000000, POLL_US = 200 };
struct command {
  const char *name, *mode;
  char *words[WORDS], *environment[WORDS + 1];
};
static struct command commands[COMMANDS];
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char request[REQUEST];
static ssize_t request_length;
static const char *expected = "";

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void parse(struct command *c, const char *name, const char *mode, char *words) {
  int environment = 0, count = 0;
  c->name = name;
  c->mode = mode;
  for (; environ[environment] && environment < WORDS / 2; environment++) c->environment[environment] = environ[environment];
  for (char *word = strtok(words, " "); word && count < WORDS - 1; word = strtok(0, " ")) {
    if (count == 0 && strchr(word, '=') && environment < WORDS) c->environment[environment++] = word;
    else c->words[count++] = word;
  }
}

/* -1: nobody listens yet; else whether the answer was right. */
static int ask(void) {
  char answer[REQUEST];
  size_t length = 0;
  ssize_t n;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 || write(fd, request, request_length) != request_length) {
    close(fd);
    return -1;
  }
  while (length < sizeof answer - 1 && (n = read(fd, answer + length, sizeof answer - 1 - length)) > 0) length += n;
  close(fd);
  answer[length] = 0;
  return strstr(answer, expected) != 0;
}

static void wait_for_listener(void) {
  struct stat s;
  while (stat(address.sun_path, &s) != 0) usleep(POLL_US);
  usleep(50000);
}

static void run(const struct command *c, int counts) {
  posix_spawn_file_actions_t actions;
  int status, right = -1, activates = strcmp(c->mode, "activate") == 0, serves = strcmp(c->mode, "exit") != 0;
  pid_t pid;
  unlink(address.sun_path);
  posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd <= 2; fd++) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  double began = now();
  if ((errno = posix_spawnp(&pid, c->words[0], &actions, 0, c->words, c->environment))) {
    perror(c->words[0]);
    exit(1);
  }
  if (activates) {
    wait_for_listener();
    began = now();
  }
  if (serves)
    while ((right = ask()) < 0 && now() - began < PATIENCE_US) usleep(POLL_US);
  double ended = now();
  if (serves) kill(pid, SIGTERM);
  waitpid(pid, &status, 0);
  if (!serves) {
    ended = now();
    right = status == 0;
  }
  posix_spawn_file_actions_destroy(&actions);
  if (counts) printf("%s\t%.1f\t%d\n", c->name, ended - began, right == 1);
}

int main(int argc, char **argv) {
  int rounds = 10, option, count = 0, fd;
  while ((option = getopt(argc, argv, "+n:s:q:e:")) != -1) switch (option) {
    case 'n': rounds = atoi(optarg); break;
    case 's': strncpy(address.sun_path, optarg, sizeof address.sun_path - 1); break;
    case 'q':
      if ((fd = open(optarg, O_RDONLY)) < 0 || (request_length = read(fd, request, sizeof request)) <= 0) return 2;
      close(fd);
      break;
    case 'e': expected = optarg; break;
    default: return 2;
  }
  for (; optind + 2 < argc && count < COMMANDS; optind += 3) parse(&commands[count++], argv[optind], argv[optind + 1], argv[optind + 2]);
  for (int round = -1; round < rounds; round++)
    for (int i = 0; i < count; i++) run(&commands[(round + 1 + i) % count], round >= 0);
  return 0;
}
