/* keyhold.node: the few calls that Node has no word for. What each promises stands in native.ts. Node-API only. */
#define _GNU_SOURCE
#include "take.h"
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static napi_value fail(napi_env env, const char *what) {
  napi_throw_error(env, NULL, what);
  return NULL;
}

static void put_boolean(napi_env env, napi_value object, const char *name, int truth) {
  napi_value value;
  napi_get_boolean(env, truth != 0, &value);
  napi_set_named_property(env, object, name, value);
}

/* peer(fd, into): uid, gid and pid into three numbers of 32 bits, because an object for each caller costs more than the
 * question. */
static napi_value peer(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  napi_typedarray_type type;
  size_t count = 2, room;
  void *into;
  int32_t fd;
  struct ucred who;
  socklen_t length = sizeof who;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  if (count < 2 || napi_get_value_int32(env, arguments[0], &fd) != napi_ok)
    return fail(env, "peer: not a descriptor");
  if (napi_get_typedarray_info(env, arguments[1], &type, &room, &into, NULL, NULL) != napi_ok ||
      type != napi_uint32_array || room < 3)
    return fail(env, "peer: no room for three numbers");
  /* A pair or a socket that is not connected has a peer of uid -1: nobody. */
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0 || who.uid == (uid_t)-1)
    return fail(env, "peer: not a connected Unix socket");
  const uint32_t numbers[3] = {who.uid, who.gid, (uint32_t)who.pid};
  memcpy(into, numbers, sizeof numbers);
  return NULL;
}

/* Memory that not even root can read by /proc/PID/mem. The descriptor is closed at once: with it, the memory could be
 * mapped by whoever may take a process's descriptors (pidfd_getfd). */
static void *map_hidden(size_t size) {
  void *memory = MAP_FAILED;
  int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
  if (fd < 0) return MAP_FAILED;
  if (ftruncate(fd, (off_t)size) == 0) memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  /* It is shared by nature, so that a child would see it: children get none. */
  if (memory != MAP_FAILED) madvise(memory, size, MADV_DONTFORK);
  return memory;
}

static void release(napi_env env, void *memory, void *hint) {
  (void)env;
  explicit_bzero(memory, (size_t)hint);
  munmap(memory, (size_t)hint);
}

/* region(size): { memory, hidden, locked } */
static napi_value region(napi_env env, napi_callback_info info) {
  napi_value argument, result, buffer;
  size_t count = 1;
  int64_t asked;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  if (count < 1 || napi_get_value_int64(env, argument, &asked) != napi_ok || asked < 1 || asked > (1 << 30))
    return fail(env, "region: not a size");
  size_t page = (size_t)sysconf(_SC_PAGESIZE), size = ((size_t)asked + page - 1) / page * page;
  int hidden = 1, locked = 1;
  void *memory = map_hidden(size);
  if (memory == MAP_FAILED) {
    hidden = 0;
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return fail(env, "region: no memory");
    locked = mlock(memory, size) == 0;
    madvise(memory, size, MADV_WIPEONFORK);
  }
  madvise(memory, size, MADV_DONTDUMP);
  if (napi_create_external_arraybuffer(env, memory, size, release, (void *)size, &buffer) != napi_ok) {
    munmap(memory, size);
    return fail(env, "region: this runtime takes no outside memory");
  }
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "memory", buffer);
  put_boolean(env, result, "hidden", hidden);
  put_boolean(env, result, "locked", locked);
  return result;
}

/* harden(): boolean */
static napi_value harden(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value result;
  const struct rlimit none = {0, 0};
  int undumpable = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, coreless = setrlimit(RLIMIT_CORE, &none) == 0;
  int bound = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  napi_get_boolean(env, undumpable && coreless && bound, &result);
  return result;
}

/* lockMemory(): boolean */
static napi_value lock_memory(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value result;
  /* What is mapped now first: where the limit is too low that fails and changes nothing, while MCL_FUTURE under a low limit
   * would make every later allocation fail. Pages that are not there yet are locked when they come. */
  int locked = mlockall(MCL_CURRENT | MCL_ONFAULT) == 0;
  if (locked) locked = mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
  if (!locked) munlockall();
  napi_get_boolean(env, locked, &result);
  return result;
}

/* notify(path, state): boolean */
static napi_value notify(napi_env env, napi_callback_info info) {
  napi_value arguments[2], result;
  size_t count = 2, path_length, state_length;
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  char path[sizeof to.sun_path + 1], state[4096];
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  if (count < 2 || napi_get_value_string_utf8(env, arguments[0], path, sizeof path, &path_length) != napi_ok ||
      napi_get_value_string_utf8(env, arguments[1], state, sizeof state, &state_length) != napi_ok)
    return fail(env, "notify: not a path and a text");
  int sent = 0, fd = -1;
  if (path_length > 1 && path_length < sizeof to.sun_path && (*path == '/' || *path == '@'))
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    memcpy(to.sun_path, path, path_length);
    if (*path == '@') to.sun_path[0] = 0;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length + (*path == '/'));
    sent = sendto(fd, state, state_length, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to, length) ==
           (ssize_t)state_length;
    close(fd);
  }
  napi_get_boolean(env, sent, &result);
  return result;
}

/* Code and constants of the program itself, which comes first, are clean copies of its file. What is used again is
 * mapped again. */
static int release_clean(struct dl_phdr_info *program, size_t size, void *page) {
  (void)size;
  for (int i = 0; i < program->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &program->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || (part->p_flags & PF_W)) continue;
    uintptr_t mask = *(uintptr_t *)page - 1, from = (program->dlpi_addr + part->p_vaddr + mask) & ~mask;
    uintptr_t to = (program->dlpi_addr + part->p_vaddr + part->p_filesz) & ~mask;
    if (from < to) madvise((void *)from, to - from, MADV_DONTNEED);
  }
  return 1;
}

/* giveBack() */
static napi_value give_back(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  malloc_trim(0);
  dl_iterate_phdr(release_clean, &page);
  return NULL;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor calls[] = {
      {"peer", NULL, peer, NULL, NULL, NULL, napi_enumerable, NULL},
      {"region", NULL, region, NULL, NULL, NULL, napi_enumerable, NULL},
      {"harden", NULL, harden, NULL, NULL, NULL, napi_enumerable, NULL},
      {"lockMemory", NULL, lock_memory, NULL, NULL, NULL, napi_enumerable, NULL},
      {"giveBack", NULL, give_back, NULL, NULL, NULL, napi_enumerable, NULL},
      {"notify", NULL, notify, NULL, NULL, NULL, napi_enumerable, NULL},
      {"take", NULL, take, NULL, NULL, NULL, napi_enumerable, NULL},
      {"receive", NULL, receive, NULL, NULL, NULL, napi_enumerable, NULL},
      {"send", NULL, send_now, NULL, NULL, NULL, napi_enumerable, NULL},
      {"close", NULL, close_now, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, sizeof calls / sizeof *calls, calls);
  return exports;
}
