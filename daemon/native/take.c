/*
 * Connections without libuv's streams: most are accepted, read, answered and closed in one turn, and a stream for each
 * costs more than all of that. Those that stay become node's own sockets. What each call promises stands in native.ts.
 */
#define _GNU_SOURCE
#include "take.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* Connections taken in one turn: as many as the kernel queues, so that other events have their turn too. */
enum { TURN = 511 };

/*
 * The first answer of a turn is sent at once, and the others together at its end: each by itself would wake a client that
 * has just gone back to sleep, and that costs more than all the rest of sending it. Who asks alone waits for nobody.
 */
enum { ANSWERS = 32, SHORT = 2048 };
static struct {
  int begun, answered, count;
  size_t length;
  struct {
    int fd, is_last;
    size_t length;
  } answers[ANSWERS];
  char bytes[ANSWERS * SHORT];
} turn;

static ssize_t send_all(int fd, const void *bytes, size_t length) {
  ssize_t sent;
  do sent = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent;
}

static void send_answers(void) {
  const char *at = turn.bytes;
  for (int i = 0; i < turn.count; i++) {
    ssize_t sent = send_all(turn.answers[i].fd, at, turn.answers[i].length);
    at += turn.answers[i].length;
    if (turn.answers[i].is_last) close(turn.answers[i].fd);
    /* New connections take short answers whole. Where one does not all the same, half an answer must not look whole. */
    else if (sent != (ssize_t)turn.answers[i].length) shutdown(turn.answers[i].fd, SHUT_RDWR);
  }
  explicit_bzero(turn.bytes, turn.length);
  turn.count = 0;
  turn.length = 0;
}

/* Keeps an answer for the end of the turn, if it may wait. */
static int keeps(int fd, const void *bytes, size_t length) {
  if (!turn.begun || !turn.answered) {
    turn.answered = 1;
    return 0;
  }
  if (length > SHORT || turn.count == ANSWERS) send_answers();
  if (length > SHORT) return 0;
  turn.answers[turn.count].fd = fd;
  turn.answers[turn.count].is_last = 0;
  turn.answers[turn.count].length = length;
  turn.count++;
  memcpy(turn.bytes + turn.length, bytes, length);
  turn.length += length;
  return 1;
}

struct taker {
  uv_poll_t poll;
  napi_env env;
  napi_async_context context;
  napi_ref on_connection, on_taken, peer;
  uint32_t *who;
  int listening;
  /* Let go when descriptors run out, to take a connection and end it: else it would wake us for ever. */
  int spare;
};

/* Calls into JavaScript; what it leaves for later (microtasks) is done when this returns. */
static void call(struct taker *self, napi_ref function, size_t count, const napi_value *arguments) {
  napi_value callee, receiver, thrown;
  napi_get_reference_value(self->env, function, &callee);
  napi_get_global(self->env, &receiver);
  if (napi_make_callback(self->env, self->context, receiver, callee, count, arguments, NULL) == napi_pending_exception &&
      napi_get_and_clear_last_exception(self->env, &thrown) == napi_ok)
    napi_fatal_exception(self->env, thrown);
}

static int next(struct taker *self) {
  int fd;
  do fd = accept4(self->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
  return fd;
}

static int shed(struct taker *self) {
  close(self->spare);
  int fd = next(self);
  if (fd >= 0) close(fd);
  self->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  struct taker *self = poll->data;
  napi_handle_scope scope;
  (void)events;
  if (status < 0 || napi_open_handle_scope(self->env, &scope) != napi_ok) return;
  turn.begun = 1;
  turn.answered = 0;
  for (int taken = 0; taken < TURN && self->listening >= 0; taken++) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    napi_handle_scope inner;
    napi_value fd;
    int client = next(self);
    if (client < 0) {
      int is_full = errno == EMFILE || errno == ENFILE;
      /* Those that are answered hold descriptors until they are sent. */
      if (is_full && turn.count > 0) send_answers();
      else if (!is_full || !shed(self)) break;
      continue;
    }
    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) peer = (struct ucred){0, (uid_t)-1, (gid_t)-1};
    self->who[0] = peer.uid;
    self->who[1] = peer.gid;
    self->who[2] = (uint32_t)peer.pid;
    napi_open_handle_scope(self->env, &inner);
    napi_create_int32(self->env, client, &fd);
    call(self, self->on_connection, 1, &fd);
    napi_close_handle_scope(self->env, inner);
  }
  turn.begun = 0;
  send_answers();
  call(self, self->on_taken, 0, NULL);
  napi_close_handle_scope(self->env, scope);
}

static void released(uv_handle_t *poll) {
  struct taker *self = poll->data;
  napi_delete_reference(self->env, self->on_connection);
  napi_delete_reference(self->env, self->on_taken);
  napi_delete_reference(self->env, self->peer);
  napi_async_destroy(self->env, self->context);
  free(self);
}

static napi_value stop(napi_env env, napi_callback_info info) {
  struct taker *self;
  napi_get_cb_info(env, info, NULL, NULL, NULL, (void **)&self);
  uv_close((uv_handle_t *)&self->poll, released);
  close(self->listening);
  close(self->spare);
  self->listening = -1;
  return NULL;
}

/* take(listening, peer, onConnection, onTaken): { fd, stop } */
napi_value take(napi_env env, napi_callback_info info) {
  napi_value arguments[4], name, result, value;
  napi_typedarray_type type;
  napi_valuetype kinds[2] = {napi_undefined, napi_undefined};
  uv_loop_t *loop;
  size_t count = 4, room = 0;
  int32_t listening;
  void *who;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  for (int i = 0; i < 2 && count == 4; i++) napi_typeof(env, arguments[2 + i], &kinds[i]);
  if (count < 4 || napi_get_value_int32(env, arguments[0], &listening) != napi_ok ||
      napi_get_typedarray_info(env, arguments[1], &type, &room, &who, NULL, NULL) != napi_ok ||
      type != napi_uint32_array || room < 3 || kinds[0] != napi_function || kinds[1] != napi_function) {
    napi_throw_error(env, NULL, "take: not a descriptor, room for three numbers and two functions");
    return NULL;
  }
  struct taker *self = calloc(1, sizeof *self);
  /* A copy, because the loop takes a descriptor once and the original may be in it. */
  int copy = fcntl(listening, F_DUPFD_CLOEXEC, 3);
  if (self == NULL || copy < 0 || napi_get_uv_event_loop(env, &loop) != napi_ok ||
      uv_poll_init(loop, &self->poll, copy) != 0) {
    if (copy >= 0) close(copy);
    free(self);
    napi_throw_error(env, NULL, "take: no socket that can be waited for");
    return NULL;
  }
  self->env = env;
  self->who = who;
  self->listening = copy;
  self->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  self->poll.data = self;
  napi_create_string_utf8(env, "keyhold", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &self->context);
  napi_create_reference(env, arguments[1], 1, &self->peer);
  napi_create_reference(env, arguments[2], 1, &self->on_connection);
  napi_create_reference(env, arguments[3], 1, &self->on_taken);
  uv_poll_start(&self->poll, UV_READABLE, on_readable);
  napi_create_object(env, &result);
  napi_create_int32(env, copy, &value);
  napi_set_named_property(env, result, "fd", value);
  napi_create_function(env, "stop", NAPI_AUTO_LENGTH, stop, self, &value);
  napi_set_named_property(env, result, "stop", value);
  return result;
}

/* The descriptor and the bytes of receive and send; 0 with a pending error. */
static int words(napi_env env, napi_callback_info info, int32_t *fd, void **bytes, size_t *length) {
  napi_value arguments[2];
  size_t count = 2;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  if (count == 2 && napi_get_value_int32(env, arguments[0], fd) == napi_ok &&
      napi_get_buffer_info(env, arguments[1], bytes, length) == napi_ok)
    return 1;
  napi_throw_error(env, NULL, "not a descriptor and bytes");
  return 0;
}

static napi_value number(napi_env env, int64_t value) {
  napi_value result;
  napi_create_int64(env, value, &result);
  return result;
}

static int is_early(void) { return errno == EAGAIN || errno == EWOULDBLOCK; }

/* receive(fd, into): number */
napi_value receive(napi_env env, napi_callback_info info) {
  int32_t fd;
  void *bytes;
  size_t length;
  ssize_t got;
  if (!words(env, info, &fd, &bytes, &length)) return NULL;
  do got = recv(fd, bytes, length, MSG_DONTWAIT);
  while (got < 0 && errno == EINTR);
  return number(env, got >= 0 ? got : is_early() ? -1 : -2);
}

/* send(fd, bytes): number */
napi_value send_now(napi_env env, napi_callback_info info) {
  int32_t fd;
  void *bytes;
  size_t length;
  if (!words(env, info, &fd, &bytes, &length)) return NULL;
  if (keeps(fd, bytes, length)) return number(env, (int64_t)length);
  ssize_t sent = send_all(fd, bytes, length);
  return number(env, sent >= 0 ? sent : is_early() ? 0 : -2);
}

/* close(fd) */
napi_value close_now(napi_env env, napi_callback_info info) {
  napi_value argument;
  size_t count = 1;
  int32_t fd;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  if (count != 1 || napi_get_value_int32(env, argument, &fd) != napi_ok || fd <= 2) return NULL;
  for (int i = turn.count - 1; i >= 0; i--) {
    if (turn.answers[i].fd != fd) continue;
    turn.answers[i].is_last = 1;
    return NULL;
  }
  close(fd);
  return NULL;
}
