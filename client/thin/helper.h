/*
 * The parts of the thin client. It knows no tool's language: it tells the agent who it is (the name it was called by,
 * arguments, folder, the few variables of its row in the table), carries bytes both ways, and exits with the code it is
 * told. Wire: protocol/PROTOCOL.md §6. The same program in TypeScript is helper.ts; one test suite runs over both.
 */
#ifndef KEYHOLD_HELPER_H
#define KEYHOLD_HELPER_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 5, STREAM_SECONDS = 600 }; /* from the first instruction to the last */
enum { HEADER_MAX = 131072, INPUT_MAX = 1048576, FRAME_MAX = 65536, OUTPUT_MAX = 1048576 };
/* What a tool may still say, and how long it may think about it, once it was told that there is no agent. */
enum { FAREWELL_READS = 16, FAREWELL_MS = 1000 };
/* A letter, six digits and LF. */
enum { FRAME_HEADER = 8 };

#define NORETURN __attribute__((noreturn))
/* Behind all other variables, so that what each run touches lies close: a page costs what ten system calls cost. */
#define AT_THE_END __attribute__((common))

enum mode { NONE, WHOLE, STREAM };
struct operation {
  const char *name; /* null: every other */
  enum mode mode;
  const char *answer; /* standard output when no agent can be had */
  int explain;        /* whether the tool bears a line on standard error then */
  int exit_code;
  const char *unnameable; /* standard output, with exit 0, for an argument that names nothing; null: it is a fault */
};
struct row {
  const char *name;
  const char *const *programs, *const *environment;
  const char *const *folders; /* variables that are told where a line can tell them */
  const struct operation *operations;
};

/* keyhold-helper.c: what this run is. */
extern const struct operation *operation;

/* bytes.c */
/* The request, and behind it the answer as it comes: both are small, and share a page. */
enum { REQUEST_MAX = HEADER_MAX + INPUT_MAX + (INPUT_MAX / FRAME_MAX + 2) * FRAME_HEADER };
extern char conversation[REQUEST_MAX + OUTPUT_MAX + FRAME_MAX];
/* Where the request ends. */
char *behind_request(void);
/* What was written there is of the request now. */
void lengthen_request(size_t length);
void send_request(int fd);
void wipe_request(void);
void wipe(void *bytes, size_t length);
/* 0, or the errno that stopped it. */
int write_all(int fd, const char *bytes, size_t length);
int is_printable(const char *text);

/* request.c */
void put_header(const char *program, char **arguments, const struct row *row);
void put_input(void);
void end_input(void);
/* One piece of standard input to the agent. 0 at its end. */
int pass_input(int fd);

/* answer.c */
/* One piece of the agent's answer: read(2)'s result. Ends the program when the answer ends. */
ssize_t hear(int fd);
/* The tool's own answer for "no agent", unless another has begun. Safe in a signal handler. */
NORETURN void unavailable(const char *what, const char *path);
/* What we will not do for the caller's own sake: told also where a missing agent would be met with silence. */
NORETURN void refuse(const char *what, const char *path);
/* What the operation answers where an argument can name nothing that is held. */
NORETURN void pass_over(void);
void say(const char *what, const char *path);

/* places.c */
/* A real folder of ours that others cannot enter. */
int is_private(const char *path);
/* Joins two parts; 0 if they do not fit. Slashes at the end of the first are dropped. */
int join(char *target, size_t room, const char *base, const char *rest);
/* A variable that holds an absolute path; null for any other value. */
const char *absolute(const char *name);
/* The state folder; 0 where no variable says it. */
int find_state(char *path, size_t room);
/* The folder that STATE/socket-folder names, if link, state folder and target are ours alone; else 0. */
int linked_folder(const char *state, char *folder, size_t room);
/* The folder that an agent starting now would choose; 0 where the state folder is not there, and so no agent. */
int computed_folder(const char *state, char *folder, size_t room);
/* Whether this user made the user namespace that we are in: no agent is started there. */
int in_own_user_namespace(void);

/* reach.c: a connection to an agent of our own user, at a place that only we can reach; starts one if need be. */
int reach_agent(void);

#endif
