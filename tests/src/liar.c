// A library that lies: a path below /proc is looked for in LIAR/proc first, and the machine calls itself
// what LIAR/hostname says. Preloaded, it deceives ps, cat, ls, readlink and hostname alike.
//
// LIAR is a folder that is named when this is built.
// No C library is needed to build it: the calls are the kernel's, x86_64 only.

typedef unsigned long size_t;
typedef long ssize_t;

enum { READ = 0, OPEN = 2, CLOSE = 3, STAT = 4, LSTAT = 6, READLINK = 89, OPENAT = 257, AT_FDCWD = -100 };
enum { DIRECTORY = 0200000 | 02000000 }; // O_DIRECTORY | O_CLOEXEC

extern int *__errno_location(void);
extern void *fdopendir(int);

static long ask(long number, long a, long b, long c, long d) {
  long answer;
  register long fourth __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(answer)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                   : "rcx", "r11", "memory");
  return answer;
}

static long result(long answer) {
  if (answer >= 0) return answer;
  *__errno_location() = (int)-answer;
  return -1;
}

// Writes where the lie about `path` would be; 0 where there is none to be told.
static int lie(const char *path, char *into, size_t size) {
  const char *prefix = LIAR, *proc = "/proc";
  size_t n = 0;
  for (size_t i = 0; proc[i]; i++)
    if (!path || path[i] != proc[i]) return 0;
  if (path[5] != '/' && path[5] != 0) return 0;
  while (*prefix) into[n++] = *prefix++;
  while (*path && n + 1 < size) into[n++] = *path++;
  into[n] = 0;
  return 1;
}

static int lying_open(int at, const char *path, int flags, unsigned mode) {
  char other[4096];
  if (lie(path, other, sizeof other)) {
    long fd = ask(OPENAT, AT_FDCWD, (long)other, flags, mode);
    if (fd >= 0) return (int)fd;
  }
  return (int)result(ask(OPENAT, at, (long)path, flags, mode));
}

int open(const char *path, int flags, unsigned mode) { return lying_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, unsigned mode) { return lying_open(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, unsigned mode) { return lying_open(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, unsigned mode) { return lying_open(at, path, flags, mode); }

void *opendir(const char *path) {
  int fd = lying_open(AT_FDCWD, path, DIRECTORY, 0);
  return fd < 0 ? (void *)0 : fdopendir(fd);
}

static int lying_stat(long number, const char *path, void *into) {
  char other[4096];
  if (lie(path, other, sizeof other) && ask(number, (long)other, (long)into, 0, 0) == 0) return 0;
  return (int)result(ask(number, (long)path, (long)into, 0, 0));
}

int stat(const char *path, void *into) { return lying_stat(STAT, path, into); }
int stat64(const char *path, void *into) { return lying_stat(STAT, path, into); }
int lstat(const char *path, void *into) { return lying_stat(LSTAT, path, into); }
int lstat64(const char *path, void *into) { return lying_stat(LSTAT, path, into); }

ssize_t readlink(const char *path, char *into, size_t size) {
  char other[4096];
  if (lie(path, other, sizeof other)) {
    long length = ask(READLINK, (long)other, (long)into, (long)size, 0);
    if (length >= 0) return length;
  }
  return result(ask(READLINK, (long)path, (long)into, (long)size, 0));
}

int gethostname(char *into, size_t size) {
  long fd = ask(OPENAT, AT_FDCWD, (long)LIAR "/hostname", 0, 0);
  if (fd < 0) fd = ask(OPENAT, AT_FDCWD, (long)"/proc/sys/kernel/hostname", 0, 0);
  if (fd < 0) return (int)result(fd);
  long length = ask(READ, fd, (long)into, (long)size, 0);
  ask(CLOSE, fd, 0, 0, 0);
  if (length < 0 || length >= (long)size) return (int)result(length < 0 ? length : -36);
  while (length > 0 && into[length - 1] == '\n') length--;
  into[length] = 0;
  return 0;
}
