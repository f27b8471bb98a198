/*
 * pbench: whole-process time of several commands, interleaved. usage: pbench [-n rounds] [-w warmup] [-e TEXT] name 'words' ...
 * Every round starts every command once, the order rotated by the round. No shell: words are split at blanks; in front
 * of the command stand '<FILE' (its standard input) and VAR=VALUE (its environment, beside our own).
 * Time runs from posix_spawn to the end of its output and of itself. A line each: name, wall and cpu in us, peak
 * resident KiB, and 1 if it exited 0 with TEXT in its output. Static, so that its own memory is no floor for theirs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS = 32, WORDS = 64, INPUT = 4096, OUTPUT = 65536 };
struct command {
  const char *name, *input;
  char *words[WORDS], *environment[WORDS + 1];
};
static struct command commands[COMMANDS];
static const char *expected = "";

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static const char *read_file(const char *path) {
  char *text = calloc(1, INPUT);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, text, INPUT - 1) < 0) fail(path);
  close(fd);
  return text;
}

static void parse(struct command *c, const char *name, char *words) {
  int environment = 0, count = 0;
  c->name = name;
  c->input = "";
  for (; environ[environment] && environment < WORDS / 2; environment++) c->environment[environment] = environ[environment];
  for (char *word = strtok(words, " "); word && count < WORDS - 1; word = strtok(0, " ")) {
    if (count == 0 && *word == '<') c->input = read_file(word + 1);
    else if (count == 0 && strchr(word, '=') && environment < WORDS) c->environment[environment++] = word;
    else c->words[count++] = word;
  }
}

static void run(const struct command *c, int counts) {
  static char output[OUTPUT];
  int in[2], out[2], status;
  size_t length = 0;
  ssize_t n;
  pid_t pid;
  struct rusage usage;
  posix_spawn_file_actions_t actions;
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) fail("pipe");
  if (write(in[1], c->input, strlen(c->input)) < 0) fail("write");
  close(in[1]);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  double began = now();
  if ((errno = posix_spawnp(&pid, c->words[0], &actions, 0, c->words, c->environment))) fail(c->words[0]);
  close(in[0]);
  close(out[1]);
  while (length < OUTPUT - 1 && (n = read(out[0], output + length, OUTPUT - 1 - length)) > 0) length += n;
  while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {}
  double ended = now();
  close(out[0]);
  posix_spawn_file_actions_destroy(&actions);
  output[length] = 0;
  if (!counts) return;
  double cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  printf("%s\t%.1f\t%.0f\t%ld\t%d\n", c->name, ended - began, cpu, usage.ru_maxrss, status == 0 && strstr(output, expected) != 0);
}

int main(int argc, char **argv) {
  int rounds = 100, warmup = 5, option, count = 0;
  while ((option = getopt(argc, argv, "+n:w:e:")) != -1) switch (option) {
    case 'n': rounds = atoi(optarg); break;
    case 'w': warmup = atoi(optarg); break;
    case 'e': expected = optarg; break;
    default: return 2;
  }
  for (; optind + 1 < argc && count < COMMANDS; optind += 2) parse(&commands[count++], argv[optind], argv[optind + 1]);
  for (int round = -warmup; round < rounds; round++)
    for (int i = 0; i < count; i++) run(&commands[(round + warmup + i) % count], round >= 0);
  return 0;
}
