// Stands between a process and the C library (LD_PRELOAD), and lets reads and opens of certain files fail.
//   REFUSE_BELOW  paths that begin with this are meant
//   REFUSE_CALL   "read" or "open"
//   REFUSE_FROM   which of these calls fails, counted from 1
//   REFUSE_COUNT  how many of them do, from that one on
//   REFUSE_ERRNO  with what
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int calls;

static int refused(const char *call, const char *path) {
  const char *below = getenv("REFUSE_BELOW"), *which = getenv("REFUSE_CALL");
  if (!below || !which || strcmp(which, call) || strncmp(path, below, strlen(below))) return 0;
  int from = atoi(getenv("REFUSE_FROM")), number = atomic_fetch_add(&calls, 1) + 1;
  if (number < from || number >= from + atoi(getenv("REFUSE_COUNT"))) return 0;
  errno = atoi(getenv("REFUSE_ERRNO"));
  return 1;
}

static int read_refused(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return refused("read", path);
}

/** Relative paths count from the folder that the process was started in. */
static int open_refused(int folder, const char *path) {
  char whole[2 * PATH_MAX], cwd[PATH_MAX];
  if (path[0] == '/') return refused("open", path);
  if (folder != AT_FDCWD || !getcwd(cwd, sizeof cwd)) return 0;
  snprintf(whole, sizeof whole, "%s/%s", cwd, path);
  return refused("open", whole);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t read(int fd, void *into, size_t count) {
  return read_refused(fd) ? -1 : NEXT(read)(fd, into, count);
}
ssize_t pread(int fd, void *into, size_t count, off_t at) {
  return read_refused(fd) ? -1 : NEXT(pread)(fd, into, count, at);
}
ssize_t pread64(int fd, void *into, size_t count, off64_t at) {
  return read_refused(fd) ? -1 : NEXT(pread64)(fd, into, count, at);
}
ssize_t readv(int fd, const struct iovec *into, int count) {
  return read_refused(fd) ? -1 : NEXT(readv)(fd, into, count);
}
ssize_t preadv(int fd, const struct iovec *into, int count, off_t at) {
  return read_refused(fd) ? -1 : NEXT(preadv)(fd, into, count, at);
}
ssize_t preadv64(int fd, const struct iovec *into, int count, off64_t at) {
  return read_refused(fd) ? -1 : NEXT(preadv64)(fd, into, count, at);
}

#define OPEN(name)                                          \
  int name(const char *path, int flags, ...) {              \
    va_list more;                                           \
    va_start(more, flags);                                  \
    mode_t mode = va_arg(more, mode_t);                     \
    va_end(more);                                           \
    return open_refused(AT_FDCWD, path) ? -1 : NEXT(name)(path, flags, mode); \
  }
#define OPENAT(name)                                        \
  int name(int folder, const char *path, int flags, ...) {  \
    va_list more;                                           \
    va_start(more, flags);                                  \
    mode_t mode = va_arg(more, mode_t);                     \
    va_end(more);                                           \
    return open_refused(folder, path) ? -1 : NEXT(name)(folder, path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
