/*
 * loadgen: load for a server on a Unix socket, from one thread.
 * usage: loadgen -s SOCKET -q REQUEST-FILE [-m conn|pipe] [-c clients] [-d depth] [-n requests] [-H] [-e TEXT] [-p server-pid]
 *   conn  a connection a request: connect, send, close our side (-H: leave it open), read to the end
 *   pipe  CLIENTS connections that stay, each with up to DEPTH requests under way; an empty line ends an answer
 * Prints, separated by tabs: requests, seconds, requests a second, p50 and p99 in us, the server's CPU us a request
 * (all its threads, from schedstat), and how many went wrong: reset, empty, or (conn) without TEXT.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH_MAX = 256, REQUEST = 65536, EVENTS = 64, STALL_MS = 10000 };
struct client {
  int fd, head, under_way, line_empty;
  size_t length;
  double began[DEPTH_MAX];
  char answer[4096];
};
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char request[REQUEST], batch[1 << 20], piece[1 << 18];
static size_t request_length;
static const char *expected = "";
static int poller, half_close = 1, depth = 1;
static long total = 20000, issued, finished, wrong;
static float *latency;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* Nanoseconds on a CPU, of every living thread. */
static double cpu_of(int pid) {
  char path[300];
  double sum = 0;
  struct dirent *entry;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *tasks = pid ? opendir(path) : 0;
  if (!tasks) return 0;
  while ((entry = readdir(tasks))) {
    unsigned long long ns;
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, entry->d_name);
    FILE *file = fopen(path, "r");
    if (!file) continue;
    if (fscanf(file, "%llu", &ns) == 1) sum += ns;
    fclose(file);
  }
  closedir(tasks);
  return sum;
}

static void open_connection(struct client *c) {
  c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) {
    perror("connect");
    exit(1);
  }
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

static void finish(struct client *c, double at) {
  latency[finished++] = at - c->began[c->head];
  c->head = (c->head + 1) % depth;
  c->under_way--;
}

static void issue(struct client *c, int count, double at) {
  int sent = 0;
  for (; sent < count && issued < total; sent++, issued++) {
    c->began[(c->head + c->under_way++) % depth] = at;
    memcpy(batch + sent * request_length, request, request_length);
  }
  if (sent && write(c->fd, batch, sent * request_length) != (ssize_t)(sent * request_length)) wrong++;
}

static void ask_once(struct client *c) {
  double at = now();
  c->length = 0;
  open_connection(c);
  issue(c, 1, at);
  if (half_close) shutdown(c->fd, SHUT_WR);
}

/* Whether the client is still at work. */
static int take_answer(struct client *c) {
  ssize_t n = read(c->fd, c->answer + c->length, sizeof c->answer - 1 - c->length);
  if (n > 0) {
    c->length += n;
    return 1;
  }
  if (n < 0 && errno == EAGAIN) return 1;
  c->answer[c->length] = 0;
  if (n < 0 || c->length == 0 || !strstr(c->answer, expected)) wrong++;
  close(c->fd);
  finish(c, now());
  if (issued >= total) return 0;
  ask_once(c);
  return 1;
}

static int take_answers(struct client *c) {
  ssize_t n = read(c->fd, piece, sizeof piece);
  int ended = 0;
  if (n <= 0) {
    wrong++;
    close(c->fd);
    return 0;
  }
  double at = now();
  for (ssize_t i = 0; i < n; i++) {
    if (piece[i] != '\n') c->line_empty = 0;
    else if (!c->line_empty) c->line_empty = 1;
    else {
      c->line_empty = 0;
      finish(c, at);
      ended++;
    }
  }
  issue(c, ended, at);
  if (c->under_way > 0) return 1;
  close(c->fd);
  return 0;
}

int main(int argc, char **argv) {
  int clients = 1, pid = 0, option, live = 0, pipelined = 0, fd;
  struct epoll_event events[EVENTS];
  while ((option = getopt(argc, argv, "s:q:m:c:d:n:He:p:")) != -1) switch (option) {
    case 's': strncpy(address.sun_path, optarg, sizeof address.sun_path - 1); break;
    case 'q':
      if ((fd = open(optarg, O_RDONLY)) < 0) return 2;
      request_length = read(fd, request, sizeof request);
      close(fd);
      break;
    case 'm': pipelined = strcmp(optarg, "pipe") == 0; break;
    case 'c': clients = atoi(optarg); break;
    case 'd': depth = atoi(optarg); break;
    case 'n': total = atol(optarg); break;
    case 'H': half_close = 0; break;
    case 'e': expected = optarg; break;
    case 'p': pid = atoi(optarg); break;
    default: return 2;
  }
  if (request_length < 1 || depth < 1 || depth > DEPTH_MAX || depth * request_length > sizeof batch) return 2;
  poller = epoll_create1(EPOLL_CLOEXEC);
  latency = malloc(sizeof *latency * (total + 1));
  struct client *all = calloc(clients, sizeof *all);
  double cpu = cpu_of(pid), began = now();
  for (int i = 0; i < clients && issued < total; i++, live++) {
    if (!pipelined) ask_once(&all[i]);
    else {
      open_connection(&all[i]);
      issue(&all[i], depth, now());
    }
  }
  while (live > 0) {
    int count = epoll_wait(poller, events, EVENTS, STALL_MS);
    if (count <= 0) {
      fprintf(stderr, "loadgen: no answer: %d clients wait, %ld answers came\n", live, finished);
      return 1;
    }
    for (int i = 0; i < count; i++)
      if (!(pipelined ? take_answers : take_answer)(events[i].data.ptr)) live--;
  }
  double seconds = (now() - began) / 1e6;
  cpu = (cpu_of(pid) - cpu) / 1e3;
  qsort(latency, finished, sizeof *latency, by_size);
  printf("%ld\t%.4f\t%.1f\t%.1f\t%.1f\t%.3f\t%ld\n", finished, seconds, finished / seconds, latency[finished / 2],
         latency[finished * 99 / 100], cpu / finished, wrong);
  return wrong != 0;
}
