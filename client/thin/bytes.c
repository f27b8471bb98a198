/* What request and answer share: the one buffer, and how bytes are written and wiped. */
#include "helper.h"

/* Memory that is never touched costs nothing, so everything has its room from the start. */
char conversation[sizeof conversation] AT_THE_END;
static size_t request_length;

char *behind_request(void) { return conversation + request_length; }

void lengthen_request(size_t length) { request_length += length; }

/* A side that has closed may have answered before that, so a failure to write is no end. */
void send_request(int fd) { write_all(fd, conversation, request_length); }

void wipe_request(void) {
  wipe(conversation, request_length);
  request_length = 0;
}

void wipe(void *bytes, size_t length) {
  memset(bytes, 0, length);
  __asm__ volatile("" : : "r"(bytes) : "memory");
}

/* 0, or the errno that stopped it. */
int write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n >= 0) bytes += n, length -= (size_t)n;
    else if (errno == EAGAIN) poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
    else if (errno != EINTR) return errno;
  }
  return 0;
}

int is_printable(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text < 0x20 || *text == 0x7f) return 0;
  return 1;
}
