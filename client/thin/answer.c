/* What comes back: the agent's frames, or the tool's own words for "no agent". */
#include "helper.h"

static size_t output_length; /* what of the answer stands behind the request, to be shown when it is whole */
static volatile sig_atomic_t spoken; /* something has gone to standard output: no other answer may follow it */

static NORETURN void leave(int code) {
  wipe(behind_request(), output_length);
  wipe_request();
  _exit(code);
}

/* One line for the human, in one write so that the lines of two clients do not mix. */
void say(const char *what, const char *path) {
  char line[1024];
  const char *const parts[] = {"keyhold: ", what, is_printable(path) ? path : ""};
  size_t at = 0;
  for (size_t i = 0; i < 3; i++)
    for (const char *from = parts[i]; *from && at < sizeof line - 1; from++) line[at++] = *from;
  line[at++] = '\n';
  write_all(2, line, at);
}

/* A tool that talks both ways may be about to write, and must not find that nobody is there to read; it closes soon. */
static void let_it_finish(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  for (int reads = 0; reads < FAREWELL_READS && poll(&input, 1, FAREWELL_MS) > 0; reads++) {
    ssize_t n = read(0, conversation, FRAME_MAX);
    if (n > 0) wipe(conversation, (size_t)n);
    else if (n == 0 || errno != EINTR) return;
  }
}

static NORETURN void give_up(const char *what, const char *path, int loud) {
  int begun = spoken;
  spoken = 1; /* the alarm may still come */
  if (!begun) write_all(1, operation->answer, strlen(operation->answer));
  if (operation->explain || loud) say(what, path);
  if (operation->mode == STREAM && !begun) let_it_finish();
  leave(begun && operation->exit_code == 0 ? 1 : operation->exit_code);
}

void unavailable(const char *what, const char *path) { give_up(what, path, 0); }

void refuse(const char *what, const char *path) { give_up(what, path, operation->exit_code != 0); }

void pass_over(void) {
  spoken = 1;
  write_all(1, operation->unnameable, strlen(operation->unnameable));
  leave(0);
}

/* Nothing of an answer is shown before all of it is there, so that what was cut off is never half an answer. */
static void take_output(const char *bytes, size_t length) {
  if (operation->mode != STREAM && length <= OUTPUT_MAX - output_length) {
    memmove(behind_request() + output_length, bytes, length);
    output_length += length;
    return;
  }
  spoken = 1;
  write_all(1, behind_request(), output_length);
  wipe(behind_request(), output_length);
  output_length = 0;
  write_all(1, bytes, length);
}

static NORETURN void finish(int code) {
  spoken = 1;
  int why = write_all(1, behind_request(), output_length);
  leave(why != 0 && why != EPIPE && code == 0 ? 1 : code);
}

/* The agent refused the run as a whole, with the lines of an ordinary answer: its message is for the human. */
static NORETURN void refused(const char *bytes, size_t length) {
  static char message[512];
  const char *from = memmem(bytes, length, "\nmessage=", 9);
  const char *end = from ? memchr(from + 9, '\n', length - (size_t)(from + 9 - bytes)) : 0;
  if (!end) unavailable("what answers is no agent of ours; run: keyhold doctor", "");
  size_t n = (size_t)(end - from - 9);
  memcpy(message, from + 9, n < sizeof message ? n : sizeof message - 1);
  unavailable("the agent refused: ", message);
}

/* The agent's frames, split as they come: o, standard output; e, standard error; x, the exit code, and the end. */
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

/* Heard behind what is kept of the answer already: what is to be kept of the new moves down to it. */
ssize_t hear(int fd) {
  char *incoming = behind_request() + output_length;
  ssize_t n = read(fd, incoming, FRAME_MAX);
  if (n <= 0) return n;
  take_frames(incoming, (size_t)n);
  char *kept = behind_request() + output_length;
  if (kept < incoming + n) wipe(kept, (size_t)(incoming + n - kept));
  return n;
}
