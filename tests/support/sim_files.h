/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that fails when told: struct gg_file_ops over real files. The n-th changing call can fail, calls of
 * a kind can fail for as long as wanted, and the power can be cut: what was written but not synced is then
 * forgotten, or reaches the disk in part.
 */
#ifndef GG_SIM_FILES_H
#define GG_SIM_FILES_H

#include "store/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIM_FILES = 256 };

enum sim_call {
	SIM_OPEN = 1,
	SIM_WRITE = 2,
	SIM_SYNC = 4,
	SIM_TRUNCATE = 8,
	SIM_SYNC_DIR = 16,
	SIM_ALL = 31
};

struct sim_file {
	char path[256];
	int fd;
	bool open, name_safe;
	uint8_t *safe; /* content as of the last sync */
	size_t safe_len;
};

struct sim {
	struct gg_file_ops ops;
	unsigned fails;  /* calls of these kinds fail now */
	int error;       /* with this */
	long calls, nth; /* the nth call fails once, 0 = none */
	bool tear;       /* a failing write leaves half of its bytes */
	struct sim_file files[SIM_FILES];
	size_t count;
};

static inline int sim_fails(struct sim *s, enum sim_call call)
{
	long n = __atomic_add_fetch(&s->calls, 1, __ATOMIC_SEQ_CST);
	unsigned fails = __atomic_load_n(&s->fails, __ATOMIC_SEQ_CST);
	return (fails & call) || (s->nth && n == s->nth) ? s->error : 0;
}

static inline struct sim_file *sim_find(struct sim *s, int fd)
{
	for (size_t i = s->count; i-- > 0;)
		if (s->files[i].open && s->files[i].fd == fd)
			return &s->files[i];
	abort();
}

static inline void sim_remember(struct sim_file *f)
{
	struct stat st;
	if (fstat(f->fd, &st) != 0)
		abort();
	free(f->safe);
	f->safe_len = (size_t)st.st_size;
	f->safe = malloc(f->safe_len + 1);
	if (pread(f->fd, f->safe, f->safe_len, 0) != (ssize_t)f->safe_len)
		abort();
}

static inline int sim_open(void *arg, const char *path, int flags, int *ret_fd)
{
	struct sim *s = arg;
	int status = sim_fails(s, SIM_OPEN);
	if (status == 0)
		status = gg_files_system.open(NULL, path, flags, ret_fd);
	if (status < 0)
		return status;
	if (s->count == SIM_FILES)
		abort();
	struct sim_file *f = &s->files[s->count++];
	*f = (struct sim_file){.fd = *ret_fd, .open = true, .name_safe = !(flags & O_CREAT)};
	snprintf(f->path, sizeof f->path, "%s", path);
	if (f->name_safe)
		sim_remember(f);
	return 0;
}

static inline int sim_write(void *arg, int fd, const void *data, size_t len, uint64_t offset)
{
	struct sim *s = arg;
	int status = sim_fails(s, SIM_WRITE);
	if (status < 0 && !s->tear)
		return status;
	int done = gg_files_system.write(NULL, fd, data, status < 0 ? len / 2 : len, offset);
	return status < 0 ? status : done;
}

static inline int sim_sync(void *arg, int fd)
{
	struct sim *s = arg;
	int status = sim_fails(s, SIM_SYNC);
	if (status < 0)
		return status;
	sim_remember(sim_find(s, fd));
	return 0;
}

static inline int sim_truncate(void *arg, int fd, uint64_t size)
{
	int status = sim_fails(arg, SIM_TRUNCATE);
	return status < 0 ? status : gg_files_system.truncate(NULL, fd, size);
}

static inline int sim_reserve(GG_UNUSED void *arg, int fd, uint64_t size)
{
	return gg_files_system.reserve(NULL, fd, size);
}

static inline int sim_close(void *arg, int fd)
{
	sim_find(arg, fd)->open = false;
	return gg_files_system.close(NULL, fd);
}

static inline int sim_remove(void *arg, const char *path)
{
	struct sim *s = arg;
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->files[i].path, path) == 0) {
			free(s->files[i].safe);
			s->files[i].safe = NULL;
			s->files[i].path[0] = 0;
		}
	return gg_files_system.remove(NULL, path);
}

static inline int sim_sync_dir(void *arg, GG_UNUSED const char *path)
{
	struct sim *s = arg;
	int status = sim_fails(s, SIM_SYNC_DIR);
	for (size_t i = 0; i < s->count && status == 0; i++)
		s->files[i].name_safe = true;
	return status;
}

static inline void sim_init(struct sim *s)
{
	*s = (struct sim){.error = -EIO};
	s->ops = (struct gg_file_ops){.arg = s, .open = sim_open, .write = sim_write, .sync = sim_sync};
	s->ops.truncate = sim_truncate;
	s->ops.reserve = sim_reserve;
	s->ops.close = sim_close;
	s->ops.remove = sim_remove;
	s->ops.sync_dir = sim_sync_dir;
}

/* To be called when nobody uses the files any more: makes them what they would be after a power cut. partly:
 * of each file some of the unsynced 512-byte sectors are there and some are not. */
static inline void sim_cut_power(struct sim *s, bool partly, unsigned seed)
{
	for (size_t i = 0; i < s->count; i++) {
		struct sim_file *f = &s->files[i];
		if (!f->path[0])
			continue;
		if (!f->name_safe && !(partly && rand_r(&seed) % 2)) {
			unlink(f->path);
			continue;
		}
		int fd = open(f->path, O_RDWR);
		struct stat st;
		if (fd < 0 || fstat(fd, &st) != 0)
			continue;
		size_t size = partly ? gg_max_size((size_t)st.st_size, f->safe_len) : f->safe_len;
		uint8_t *now = calloc(1, size + 512);
		if (pread(fd, now, (size_t)st.st_size < size ? (size_t)st.st_size : size, 0) < 0)
			abort();
		for (size_t at = 0; at < size; at += 512) {
			size_t known = f->safe && at < f->safe_len ? gg_min_size(512, f->safe_len - at) : 0;
			if (partly && rand_r(&seed) % 2 &&
				!(known && memcmp(now + at, f->safe + at, known) == 0))
				continue;
			memset(now + at, 0, 512);
			if (known)
				memcpy(now + at, f->safe + at, known);
		}
		if (ftruncate(fd, (off_t)size) != 0 || pwrite(fd, now, size, 0) != (ssize_t)size)
			abort();
		free(now);
		close(fd);
	}
}

static inline void sim_done(struct sim *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->files[i].safe);
	s->count = 0;
}

#endif
