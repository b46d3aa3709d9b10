// Stands between a process and the C library (LD_PRELOAD), and lets calls on certain files fail.
//   REFUSE_BELOW  paths that begin with this are meant
//   REFUSE_CALL   "read", "write", "sync", "open", "rename" (also links), "list" or "delete"
//   REFUSE_FROM   which of these calls fails, counted from 1
//   REFUSE_COUNT  how many of them do, from that one on
//   REFUSE_ERRNO  with what
#define _GNU_SOURCE
#include <dirent.h>
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

static int fd_refused(const char *call, int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return refused(call, path);
}

/** Relative paths count from the folder that the process was started in. */
static int path_refused(const char *call, int folder, const char *path) {
  char whole[2 * PATH_MAX], cwd[PATH_MAX];
  if (path[0] == '/') return refused(call, path);
  if (folder != AT_FDCWD || !getcwd(cwd, sizeof cwd)) return 0;
  snprintf(whole, sizeof whole, "%s/%s", cwd, path);
  return refused(call, whole);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define ON_FD(call, type, name, parameters, ...) \
  type name parameters { return fd_refused(call, fd) ? -1 : NEXT(name)(__VA_ARGS__); }
#define ON_PATH(call, type, name, parameters, folder, path, ...) \
  type name parameters { return path_refused(call, folder, path) ? -1 : NEXT(name)(__VA_ARGS__); }

ON_FD("read", ssize_t, read, (int fd, void *into, size_t count), fd, into, count)
ON_FD("read", ssize_t, pread, (int fd, void *into, size_t count, off_t at), fd, into, count, at)
ON_FD("read", ssize_t, pread64, (int fd, void *into, size_t count, off64_t at), fd, into, count, at)
ON_FD("read", ssize_t, readv, (int fd, const struct iovec *into, int count), fd, into, count)
ON_FD("read", ssize_t, preadv, (int fd, const struct iovec *into, int count, off_t at), fd, into, count, at)
ON_FD("read", ssize_t, preadv64, (int fd, const struct iovec *into, int count, off64_t at), fd, into, count, at)
ON_FD("write", ssize_t, write, (int fd, const void *from, size_t count), fd, from, count)
ON_FD("write", ssize_t, pwrite, (int fd, const void *from, size_t count, off_t at), fd, from, count, at)
ON_FD("write", ssize_t, pwrite64, (int fd, const void *from, size_t count, off64_t at), fd, from, count, at)
ON_FD("write", ssize_t, writev, (int fd, const struct iovec *from, int count), fd, from, count)
ON_FD("write", ssize_t, pwritev, (int fd, const struct iovec *from, int count, off_t at), fd, from, count, at)
ON_FD("write", ssize_t, pwritev64, (int fd, const struct iovec *from, int count, off64_t at), fd, from, count, at)
ON_FD("write", int, ftruncate, (int fd, off_t length), fd, length)
ON_FD("write", int, ftruncate64, (int fd, off64_t length), fd, length)
ON_FD("sync", int, fsync, (int fd), fd)
ON_FD("sync", int, fdatasync, (int fd), fd)
ON_PATH("rename", int, rename, (const char *from, const char *to), AT_FDCWD, to, from, to)
ON_PATH("rename", int, link, (const char *from, const char *to), AT_FDCWD, to, from, to)
ON_PATH("delete", int, unlink, (const char *path), AT_FDCWD, path, path)
ON_PATH("delete", int, rmdir, (const char *path), AT_FDCWD, path, path)
ON_PATH("list", int, scandir,
        (const char *path, struct dirent ***names, int (*fits)(const struct dirent *),
         int (*order)(const struct dirent **, const struct dirent **)),
        AT_FDCWD, path, path, names, fits, order)
ON_PATH("list", int, scandir64,
        (const char *path, struct dirent64 ***names, int (*fits)(const struct dirent64 *),
         int (*order)(const struct dirent64 **, const struct dirent64 **)),
        AT_FDCWD, path, path, names, fits, order)
DIR *opendir(const char *path) {
  return path_refused("list", AT_FDCWD, path) ? NULL : NEXT(opendir)(path);
}

#define OPEN(name)                                          \
  int name(const char *path, int flags, ...) {              \
    va_list more;                                           \
    va_start(more, flags);                                  \
    mode_t mode = va_arg(more, mode_t);                     \
    va_end(more);                                           \
    return path_refused("open", AT_FDCWD, path) ? -1 : NEXT(name)(path, flags, mode); \
  }
#define OPENAT(name)                                        \
  int name(int folder, const char *path, int flags, ...) {  \
    va_list more;                                           \
    va_start(more, flags);                                  \
    mode_t mode = va_arg(more, mode_t);                     \
    va_end(more);                                           \
    return path_refused("open", folder, path) ? -1 : NEXT(name)(folder, path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
