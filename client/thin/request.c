/* What goes to the agent: the lines of action=run, then frames of input. */
#include "helper.h"

enum { INPUT_FRAMES = INPUT_MAX / FRAME_MAX + 1 };

/* Memory that is never touched costs nothing, so everything has its room from the start; the last frame ends it. */
static char request[HEADER_MAX + INPUT_MAX + (INPUT_FRAMES + 1) * FRAME_HEADER];
static size_t request_length;

static void put(const char *text) {
  size_t length = strlen(text);
  if (request_length + length > HEADER_MAX) refuse("cannot ask the agent: the arguments are too long", "");
  memcpy(request + request_length, text, length);
  request_length += length;
}

static void put_line(const char *key, const char *value) {
  put(key);
  put(value);
  put("\n");
}

/* An empty argument would clear the list on the wire, so it cannot be told, just as a control byte cannot. */
void put_header(const char *program, char **arguments, const struct row *row) {
  char cwd[4096];
  put_line("action=run\nname=", program);
  for (; *arguments; arguments++) {
    if (!**arguments || !is_printable(*arguments))
      refuse("cannot ask the agent: an argument is empty or holds a control byte", "");
    put_line("argument[]=", *arguments);
  }
  if (getcwd(cwd, sizeof cwd) && *cwd == '/' && is_printable(cwd)) put_line("cwd=", cwd);
  const char *profile = getenv("KEYHOLD_PROFILE");
  if (profile && *profile) {
    if (!is_printable(profile)) refuse("cannot ask the agent: a control byte in the variable ", "KEYHOLD_PROFILE");
    put_line("profile=", profile);
  }
  for (const char *const *name = row->environment; *name; name++) {
    char *value = getenv(*name);
    if (!value) continue;
    size_t end = strlen(value);
    if (end > 0 && value[end - 1] == '\n') value[end - 1] = 0; /* kubectl ends its document with one */
    if (!is_printable(value)) refuse("cannot ask the agent: a control byte in the variable ", *name);
    put("env[]=");
    put(*name);
    put_line("=", value);
  }
  put_line("version=", KEYHOLD_VERSION "\n");
}

/* Makes a frame of what was read behind the room for its header. */
static void put_frame(size_t length) {
  char *at = request + request_length;
  at[0] = 'i';
  at[FRAME_HEADER - 1] = '\n';
  for (size_t i = FRAME_HEADER - 2, rest = length; i > 0; i--, rest /= 10) at[i] = (char)('0' + rest % 10);
  request_length += FRAME_HEADER + length;
}

void end_input(void) { put_frame(0); }

/* read(2) that waits where the descriptor does not. What cannot be read is an empty input. */
static size_t read_input(char *target, size_t room) {
  for (;;) {
    ssize_t n = read(0, target, room);
    if (n >= 0) return (size_t)n;
    if (errno == EAGAIN) poll(&(struct pollfd){.events = POLLIN}, 1, -1);
    else if (errno != EINTR) return 0;
  }
}

/* Reads standard input to its end, straight into the request's frames. */
void put_input(void) {
  size_t total = 0, length = 0, n;
  while ((n = read_input(request + request_length + FRAME_HEADER + length, FRAME_MAX - length)) > 0) {
    length += n;
    total += n;
    if (total > INPUT_MAX) refuse("cannot ask the agent: the input is longer than 1 MiB", "");
    if (length == FRAME_MAX) put_frame(length), length = 0;
  }
  if (length > 0) put_frame(length);
}

int pass_input(int fd) {
  size_t n = read_input(request + FRAME_HEADER, FRAME_MAX);
  put_frame(n);
  send_request(fd);
  wipe_request();
  return n > 0;
}

/* A side that has closed may have answered before that, so a failure to write is no end. */
void send_request(int fd) { write_all(fd, request, request_length); }

void wipe_request(void) {
  wipe(request, request_length);
  request_length = 0;
}
