/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that fails, for a program that is started with LD_PRELOAD=failing_disk_preload.so:
 *
 *   FAULT_FOLDER   the folder whose files it concerns
 *   FAULT_PLAN     a file of struct failing_plan: which calls fail now; the test changes it while the program
 * runs FAULT_SHADOW   a folder that holds what a power cut would leave of FAULT_FOLDER
 *
 *   write ──▶ the file, as ever; which part of it is dirty is remembered
 *   sync  ──▶ the dirty part is copied to the same name in the shadow; new names and sizes with it
 *   rename, unlink ──▶ happen in the shadow when their folder is synced
 *
 * So after kill -9 the shadow is what was surely on the disk. A sync that was under way is torn there, as on
 * a disk.
 */
#include "failing_disk.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST_FDS = 4096, MOST_PENDING = 1024, COPY = 1 << 16 };

struct file {
	char path[256]; /* below the folder; empty: not ours */
	off_t dirty_from, dirty_to;
};

struct pending {                 /* of a folder's entries */
	char from[256], to[256]; /* to: empty for an unlink */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of this */
static struct file files[MOST_FDS];
static struct pending pending[MOST_PENDING];
static size_t pending_count;
static const char *folder, *shadow;
static size_t folder_len;
static struct failing_plan *plan;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);
	if (!p)
		abort();
	return p;
}

__attribute__((constructor)) static void begin(void)
{
	const char *where = getenv("FAULT_PLAN");
	int fd = where ? REAL(open)(where, O_RDWR | O_CLOEXEC) : -1;
	folder = getenv("FAULT_FOLDER");
	shadow = getenv("FAULT_SHADOW");
	folder_len = folder ? strlen(folder) : 0;
	if (fd >= 0) {
		void *p = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		plan = p == MAP_FAILED ? NULL : p;
		close(fd);
	}
}

/* The part of the path below the folder; NULL: not ours. */
static const char *ours(const char *path)
{
	if (!folder || strncmp(path, folder, folder_len) != 0 ||
		(path[folder_len] && path[folder_len] != '/'))
		return NULL;
	return path[folder_len] ? path + folder_len + 1 : ".";
}

static struct file *file_of(int fd)
{
	return fd >= 0 && fd < MOST_FDS && files[fd].path[0] ? &files[fd] : NULL;
}

/* With the lock. */
static bool fails(const char *path, uint32_t op)
{
	if (!plan || !path || !(plan->ops & op) || (plan->part[0] && !strstr(path, plan->part)))
		return false;
	if (plan->skip) {
		plan->skip--;
		return false;
	}
	if (plan->times && plan->hits >= plan->times)
		return false;
	plan->hits++;
	errno = (int)plan->error;
	return true;
}

static bool fd_fails(int fd, uint32_t op)
{
	pthread_mutex_lock(&lock);
	struct file *f = file_of(fd);
	bool yes = f && fails(f->path, op);
	pthread_mutex_unlock(&lock);
	return yes;
}

/* ---- the shadow ---- */

static bool shadow_path(char ret_path[PATH_MAX], const char *path)
{
	return snprintf(ret_path, PATH_MAX, "%s/%s", shadow, path) < PATH_MAX;
}

static void make_parents(char *path)
{
	for (char *p = path + strlen(shadow) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0750);
		*p = '/';
	}
}

static void copy_range(int from, int to, off_t at, off_t end)
{
	static char bytes[COPY]; /* with the lock */
	while (at < end) {
		size_t want = end - at > COPY ? COPY : (size_t)(end - at);
		ssize_t n = REAL(pread)(from, bytes, want, at);
		if (n <= 0 || REAL(pwrite)(to, bytes, (size_t)n, at) != n)
			return;
		at += n;
	}
}

static void keep_file(int fd, struct file *f)
{
	char path[PATH_MAX], itself[32];
	struct stat now;
	if (!shadow_path(path, f->path) || fstat(fd, &now) < 0 || now.st_nlink == 0)
		return;
	make_parents(path);
	snprintf(itself, sizeof itself, "/proc/self/fd/%d", fd); /* it may be open for writing only */
	bool is_new = access(path, F_OK) < 0;
	int from = REAL(open)(itself, O_RDONLY | O_CLOEXEC);
	int to = REAL(open)(path, O_WRONLY | O_CREAT | O_CLOEXEC, now.st_mode & 07777);
	if (from < 0 || to < 0)
		abort();
	copy_range(from, to, is_new ? 0 : f->dirty_from, is_new ? now.st_size : f->dirty_to);
	if (REAL(ftruncate)(to, now.st_size) == 0)
		f->dirty_from = f->dirty_to = 0;
	REAL(close)(from);
	REAL(close)(to);
}

static bool is_in(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	const char *name = strcmp(dir, ".") == 0                          ? path
			   : strncmp(path, dir, n) == 0 && path[n] == '/' ? path + n + 1
									  : NULL;
	return name && !strchr(name, '/');
}

static void keep_folder(const char *dir)
{
	char from[PATH_MAX], to[PATH_MAX];
	size_t left = 0;
	for (size_t i = 0; i < pending_count; i++) {
		struct pending *p = &pending[i];
		if (!is_in(p->from, dir)) {
			pending[left++] = *p;
			continue;
		}
		if (!shadow_path(from, p->from) || !shadow_path(to, p->to))
			continue;
		if (p->to[0])
			REAL(rename)(from, to);
		else
			REAL(unlink)(from);
	}
	pending_count = left;
}

static void keep(int fd)
{
	struct stat s;
	pthread_mutex_lock(&lock);
	struct file *f = file_of(fd);
	if (plan)
		plan->syncs++;
	if (f && shadow && fstat(fd, &s) == 0) {
		if (S_ISDIR(s.st_mode))
			keep_folder(f->path);
		else
			keep_file(fd, f);
	}
	pthread_mutex_unlock(&lock);
}

static void note_dirty(int fd, off_t from, ssize_t n)
{
	if (n <= 0)
		return;
	pthread_mutex_lock(&lock);
	struct file *f = file_of(fd);
	/* Whoever else has the file open may be the one that syncs it. */
	for (int i = 0; f && i < MOST_FDS; i++) {
		struct file *g = &files[i];
		if (strcmp(g->path, f->path) != 0)
			continue;
		if (g->dirty_to == 0 || from < g->dirty_from)
			g->dirty_from = from;
		if (from + n > g->dirty_to)
			g->dirty_to = from + n;
	}
	pthread_mutex_unlock(&lock);
}

/* ---- what stands before libc ---- */

static int opened(int fd, const char *path, int flags)
{
	const char *mine = fd >= 0 && fd < MOST_FDS ? ours(path) : NULL;
	if (fd >= 0 && fd < MOST_FDS) {
		pthread_mutex_lock(&lock);
		files[fd] = (struct file){0};
		if (mine)
			snprintf(files[fd].path, sizeof files[fd].path, "%s", mine);
		if (flags & O_TRUNC)
			files[fd].dirty_to = INT64_MAX; /* up to its end */
		pthread_mutex_unlock(&lock);
	}
	return fd;
}

static bool open_fails(const char *path)
{
	pthread_mutex_lock(&lock);
	bool yes = fails(ours(path), FAIL_OPEN);
	pthread_mutex_unlock(&lock);
	return yes;
}

#define OPEN(name)                                                                                           \
	int name(const char *path, int flags, ...)                                                           \
	{                                                                                                    \
		va_list args;                                                                                \
		va_start(args, flags);                                                                       \
		mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;                      \
		va_end(args);                                                                                \
		return open_fails(path) ? -1 : opened(REAL(name)(path, flags, mode), path, flags);           \
	}

#define OPENAT(name)                                                                                         \
	int name(int dir, const char *path, int flags, ...)                                                  \
	{                                                                                                    \
		char whole[PATH_MAX];                                                                        \
		va_list args;                                                                                \
		va_start(args, flags);                                                                       \
		mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;                      \
		va_end(args);                                                                                \
		name_at(whole, dir, path);                                                                   \
		return open_fails(whole) ? -1 : opened(REAL(name)(dir, path, flags, mode), whole, flags);    \
	}

static void name_at(char ret_whole[PATH_MAX], int dir, const char *path)
{
	pthread_mutex_lock(&lock);
	struct file *f = path[0] == '/' ? NULL : file_of(dir);
	if (f && strcmp(f->path, ".") == 0)
		snprintf(ret_whole, PATH_MAX, "%s/%s", folder, path);
	else if (f)
		snprintf(ret_whole, PATH_MAX, "%s/%s/%s", folder, f->path, path);
	else
		snprintf(ret_whole, PATH_MAX, "%s", path);
	pthread_mutex_unlock(&lock);
}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int close(int fd)
{
	if (fd >= 0 && fd < MOST_FDS) {
		pthread_mutex_lock(&lock);
		files[fd] = (struct file){0};
		pthread_mutex_unlock(&lock);
	}
	return REAL(close)(fd);
}

#define PWRITE(name, offset_t)                                                                               \
	ssize_t name(int fd, const void *p, size_t n, offset_t at)                                           \
	{                                                                                                    \
		if (fd_fails(fd, FAIL_WRITE))                                                                \
			return -1;                                                                           \
		ssize_t done = REAL(name)(fd, p, n, at);                                                     \
		note_dirty(fd, at, done);                                                                    \
		return done;                                                                                 \
	}

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *p, size_t n)
{
	if (fd_fails(fd, FAIL_WRITE))
		return -1;
	ssize_t done = REAL(write)(fd, p, n);
	int why = errno;
	off_t at = file_of(fd) ? lseek(fd, 0, SEEK_CUR) : -1;
	if (at >= 0 && done > 0)
		note_dirty(fd, at - done, done);
	errno = why;
	return done;
}

#define PREAD(name, offset_t)                                                                                \
	ssize_t name(int fd, void *p, size_t n, offset_t at)                                                 \
	{                                                                                                    \
		return fd_fails(fd, FAIL_READ) ? -1 : REAL(name)(fd, p, n, at);                              \
	}

PREAD(pread, off_t)
PREAD(pread64, off64_t)

ssize_t read(int fd, void *p, size_t n)
{
	return fd_fails(fd, FAIL_READ) ? -1 : REAL(read)(fd, p, n);
}

/* As Linux does it: the pages count as clean afterwards, so a second sync succeeds and they are on no disk.
 */
static bool sync_fails(int fd)
{
	bool yes = fd_fails(fd, FAIL_SYNC);
	int why = errno;
	pthread_mutex_lock(&lock);
	for (int i = 0; yes && i < MOST_FDS; i++)
		if (strcmp(files[i].path, files[fd].path) == 0)
			files[i].dirty_from = files[i].dirty_to = 0;
	pthread_mutex_unlock(&lock);
	errno = why;
	return yes;
}

#define SYNC(name)                                                                                           \
	int name(int fd)                                                                                     \
	{                                                                                                    \
		if (sync_fails(fd))                                                                          \
			return -1;                                                                           \
		int rc = REAL(name)(fd);                                                                     \
		if (rc == 0)                                                                                 \
			keep(fd);                                                                            \
		return rc;                                                                                   \
	}

SYNC(fsync)
SYNC(fdatasync)

static void note_entry(const char *from, const char *to)
{
	const char *mine = ours(from), *mine_to = to ? ours(to) : "";
	pthread_mutex_lock(&lock);
	if (mine && mine_to && pending_count < MOST_PENDING) {
		struct pending *p = &pending[pending_count++];
		snprintf(p->from, sizeof p->from, "%s", mine);
		snprintf(p->to, sizeof p->to, "%s", mine_to);
	}
	for (int i = 0; mine && to && mine_to && i < MOST_FDS; i++)
		if (strcmp(files[i].path, mine) == 0)
			snprintf(files[i].path, sizeof files[i].path, "%s", mine_to);
	pthread_mutex_unlock(&lock);
}

int rename(const char *from, const char *to)
{
	int rc = REAL(rename)(from, to);
	if (rc == 0)
		note_entry(from, to);
	return rc;
}

int unlink(const char *path)
{
	int rc = REAL(unlink)(path);
	if (rc == 0)
		note_entry(path, NULL);
	return rc;
}

int unlinkat(int dir, const char *path, int flags)
{
	char whole[PATH_MAX];
	name_at(whole, dir, path);
	int rc = REAL(unlinkat)(dir, path, flags);
	if (rc == 0 && !(flags & AT_REMOVEDIR))
		note_entry(whole, NULL);
	return rc;
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	char whole_from[PATH_MAX], whole_to[PATH_MAX];
	name_at(whole_from, from_dir, from);
	name_at(whole_to, to_dir, to);
	int rc = REAL(renameat2)(from_dir, from, to_dir, to, flags);
	if (rc == 0)
		note_entry(whole_from, whole_to);
	return rc;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat2(from_dir, from, to_dir, to, 0);
}
