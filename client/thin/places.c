/* Where the agent's sockets are: the rules of protocol/places.ts and platform/places.ts. */
#include "helper.h"

int is_private(const char *path) {
  struct stat s;
  return lstat(path, &s) == 0 && S_ISDIR(s.st_mode) && s.st_uid == geteuid() && (s.st_mode & 077) == 0;
}

/* Joins two parts; 0 if it does not fit. Slashes at the end of the first are dropped. */
int join(char *target, size_t room, const char *base, const char *rest) {
  size_t length = strlen(base), more = strlen(rest);
  while (length > 1 && base[length - 1] == '/') length--;
  if (length + more >= room) return 0;
  memcpy(target, base, length);
  memcpy(target + length, rest, more + 1);
  return 1;
}

const char *absolute(const char *name) {
  const char *value = getenv(name);
  return value && *value == '/' ? value : 0;
}

int find_state(char *path, size_t room) {
  const char *root = absolute("KEYHOLD_HOME"), *state = absolute("XDG_STATE_HOME"), *home = absolute("HOME");
  if (root) return join(path, room, root, "/state");
  if (state) return join(path, room, state, "/keyhold");
  return home && join(path, room, home, "/.local/state/keyhold");
}

int linked_folder(const char *state, char *folder, size_t room) {
  char link[PATH_MAX];
  struct stat s;
  if (!join(link, sizeof link, state, "/socket-folder") || !is_private(state)) return 0;
  if (lstat(link, &s) != 0 || s.st_uid != geteuid()) return 0;
  ssize_t length = readlink(link, folder, room);
  if (length <= 0 || (size_t)length >= room || *folder != '/') return 0;
  folder[length] = 0;
  return is_private(folder);
}

/* The first bytes of a file of /proc; 0 if it cannot be read. */
static size_t read_start(const char *path, char *target, size_t room) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, target, room - 1);
  if (fd >= 0) close(fd);
  target[length > 0 ? length : 0] = 0;
  return length > 0 ? (size_t)length : 0;
}

/* Whether the first process that we see shares our user namespace: then it is a container's whole system. */
static int is_systems_namespace(void) {
  char first[64], own[64];
  ssize_t length = readlink("/proc/1/ns/user", first, sizeof first);
  return length > 0 && readlink("/proc/self/ns/user", own, sizeof own) == length && memcmp(first, own, (size_t)length) == 0;
}

/* The uid as seen outside a user namespace that we made ourselves: one that maps us as a range of exactly one id. */
static unsigned long host_uid(int *mapped) {
  char map[1024], *at = map;
  unsigned long uid = geteuid();
  *mapped = 0;
  read_start("/proc/self/uid_map", map, sizeof map);
  while (*at) {
    unsigned long inside = strtoul(at, &at, 10), outside = strtoul(at, &at, 10), count = strtoul(at, &at, 10);
    if (count == 1 && inside == uid && !is_systems_namespace()) {
      *mapped = 1;
      return outside;
    }
    while (*at && *at != '\n') at++;
    while (*at == '\n') at++;
  }
  return uid;
}

int in_own_user_namespace(void) {
  int mapped;
  host_uid(&mapped);
  return mapped;
}

/* The home folder of a uid by /etc/passwd; 0 if it has none. The table is read in pieces: it may be long. */
static int home_of(unsigned long uid, char *home, size_t room) {
  char buffer[4096], *at, *end;
  size_t kept = 0;
  ssize_t length;
  int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC), found = 0;
  if (fd < 0) return 0;
  while (!found && (length = read(fd, buffer + kept, sizeof buffer - 1 - kept)) > 0) {
    kept += (size_t)length;
    buffer[kept] = 0;
    for (at = buffer; !found && (end = strchr(at, '\n')); at = end + 1) {
      char *field = at;
      *end = 0;
      for (int colons = 0; field && colons < 2; colons++) field = (field = strchr(field, ':')) ? field + 1 : 0;
      if (!field || *field < '0' || *field > '9' || strtoul(field, &field, 10) != uid || *field != ':') continue;
      for (int colons = 0; field && colons < 3; colons++) field = (field = strchr(field, ':')) ? field + 1 : 0;
      if (!field) continue;
      *strchrnul(field, ':') = 0;
      found = *field == '/' && join(home, room, field, "");
    }
    kept -= (size_t)(at - buffer);
    memmove(buffer, at, kept);
    if (kept == sizeof buffer - 1) kept = 0; /* no line of a user is that long */
  }
  close(fd);
  return found;
}

/* FNV-1a with 64 bits, as 16 hex digits. */
static void put_hash(char *target, const char *text) {
  unsigned long long hash = 0xcbf29ce484222325ull;
  for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
  for (int digit = 15; digit >= 0; digit--, hash >>= 4) target[digit] = "0123456789abcdef"[hash & 15];
  target[16] = 0;
}

int computed_folder(const char *state, char *folder, size_t room) {
  char real[PATH_MAX], home[PATH_MAX], usual[PATH_MAX], path[PATH_MAX], digits[12], *at = digits + sizeof digits - 1;
  int mapped;
  unsigned long uid = host_uid(&mapped), rest = uid;
  *at = 0;
  do *--at = (char)('0' + rest % 10);
  while (rest /= 10);
  strcpy(path, "/run/user/");
  strcat(path, at);
  if (!is_private(path)) return join(folder, room, state, "/run");
  strcat(path, "/keyhold");
  /* A state folder that is not there has no agent. */
  if (!realpath(state, real)) return 0;
  if (home_of(uid, home, sizeof home) && join(usual, sizeof usual, home, "/.local/state/keyhold") &&
      realpath(usual, home) && strcmp(home, real) == 0)
    return join(folder, room, path, "");
  strcat(path, "/d.");
  put_hash(path + strlen(path), real);
  return join(folder, room, path, "");
}
