/* What goes to the agent: the lines of action=run, then frames of input. */
#include "helper.h"

static void want_room(size_t length) {
  if ((size_t)(behind_request() - conversation) + length > HEADER_MAX) refuse("cannot ask the agent: the arguments are too long", "");
}

static void put(const char *text) {
  size_t length = strlen(text);
  want_room(length);
  memcpy(behind_request(), text, length);
  lengthen_request(length);
}

static void put_line(const char *key, const char *value) {
  put(key);
  put(value);
  put("\n");
}

/* Where we are, written in its place, unless it is out of reach or could not be told. */
static void put_folder(void) {
  want_room(sizeof "cwd=" + PATH_MAX);
  char *line = behind_request(), *cwd = line + strlen("cwd=");
  if (!getcwd(cwd, PATH_MAX) || *cwd != '/' || !is_printable(cwd)) return;
  memcpy(line, "cwd=", (size_t)(cwd - line));
  lengthen_request(strlen(line));
  put("\n");
}

/* A control byte goes over no wire of lines. An empty argument names nothing, where the tool's protocol says what that means. */
void put_header(const char *program, char **arguments, const struct row *row) {
  put_line("action=run\nname=", program);
  for (; *arguments; arguments++) {
    int fits = is_printable(*arguments);
    if (operation->unnameable && (!fits || !**arguments)) pass_over();
    if (!fits) refuse("cannot ask the agent: an argument holds a control byte", "");
    put_line("argument[]=", *arguments);
  }
  put_folder();
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
  for (const char *const *name = row->folders; *name; name++) {
    const char *value = getenv(*name);
    if (!value || !*value || !is_printable(value)) continue;
    put("env[]=");
    put(*name);
    put_line("=", value);
  }
  put_line("version=", KEYHOLD_VERSION "\n");
}

/* Makes a frame of what was read behind the room for its header. */
static void put_frame(size_t length) {
  char *at = behind_request();
  at[0] = 'i';
  at[FRAME_HEADER - 1] = '\n';
  for (size_t i = FRAME_HEADER - 2, rest = length; i > 0; i--, rest /= 10) at[i] = (char)('0' + rest % 10);
  lengthen_request(FRAME_HEADER + length);
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
  while ((n = read_input(behind_request() + FRAME_HEADER + length, FRAME_MAX - length)) > 0) {
    length += n;
    total += n;
    if (total > INPUT_MAX) refuse("cannot ask the agent: the input is longer than 1 MiB", "");
    if (length == FRAME_MAX) put_frame(length), length = 0;
  }
  if (length > 0) put_frame(length);
}

int pass_input(int fd) {
  size_t n = read_input(conversation + FRAME_HEADER, FRAME_MAX);
  put_frame(n);
  send_request(fd);
  wipe_request();
  return n > 0;
}
