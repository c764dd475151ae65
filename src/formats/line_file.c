/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/line_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MOST = 200 };

bool gg_line_file_name_ok(struct gg_str name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	for (size_t i = 0; i < name.len; i++)
		if (!name.p[i] || !strchr(letters, name.p[i]))
			return false;
	return name.len && name.len <= NAME_MOST && name.p[0] != '.';
}

static int write_all(int fd, struct gg_str bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.p, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes = gg_str_n(bytes.p + n, bytes.len - (size_t)n);
	}
	return 0;
}

static int open_file(struct gg_line_file *f)
{
	struct stat st;
	char last = '\n';
	f->fd = openat(f->folder, f->name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (f->fd < 0)
		return -errno;
	if (fstat(f->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	f->at = (uint64_t)st.st_size;
	if (st.st_size && pread(f->fd, &last, 1, st.st_size - 1) < 0)
		return -errno;
	if (last == '\n')
		return 0;
	f->at++;
	return write_all(f->fd, GG_STR("\n"));
}

int gg_line_file_open(struct gg_line_file *f, const char *folder)
{
	int rc = 0;
	if (mkdir(folder, 0750) < 0 && errno != EEXIST)
		return -errno;
	f->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->folder < 0) {
		rc = -errno;
		f->folder = -1;
		f->fd = -1;
		return rc;
	}
	rc = open_file(f);
	if (rc < 0)
		gg_line_file_close(f);
	return rc;
}

void gg_line_file_close(struct gg_line_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->folder >= 0)
		close(f->folder);
	f->fd = f->folder = -1;
}

/* name.2 becomes name.3, name.1 name.2, name name.1; the oldest is written over. */
static int rotate(struct gg_line_file *f)
{
	char from[NAME_MOST + 24], to[NAME_MOST + 24];
	int rc = 0;
	close(f->fd);
	f->fd = -1;
	for (uint64_t i = f->keep; i > 0 && rc == 0; i--) {
		snprintf(to, sizeof to, "%s.%llu", f->name, (unsigned long long)i);
		if (i > 1)
			snprintf(from, sizeof from, "%s.%llu", f->name, (unsigned long long)i - 1);
		else
			gg_str_copy(from, sizeof from, gg_str(f->name));
		if (renameat(f->folder, from, f->folder, to) < 0 && errno != ENOENT)
			rc = -errno;
	}
	if (f->keep == 0 && unlinkat(f->folder, f->name, 0) < 0)
		rc = -errno;
	int opened = open_file(f);
	if (rc == 0 && opened == 0 && f->sync && fsync(f->folder) < 0)
		rc = -errno;
	return rc < 0 ? rc : opened;
}

/* Another instance may write to the same name, or somebody move the file away: whoever appends has the lock,
 * and the file that has the name. */
static int lock(struct gg_line_file *f)
{
	for (int tries = 0; tries < 10; tries++) {
		struct stat mine, named;
		if (f->fd < 0 || flock(f->fd, LOCK_EX) < 0 || fstat(f->fd, &mine) < 0)
			return f->fd < 0 ? -EBADF : -errno;
		if (fstatat(f->folder, f->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
			named.st_ino == mine.st_ino && named.st_dev == mine.st_dev) {
			f->at = (uint64_t)mine.st_size;
			return 0;
		}
		close(f->fd); /* with its lock */
		int rc = open_file(f);
		if (rc < 0)
			return rc;
	}
	return -EBUSY;
}

static int append(struct gg_line_file *f, struct gg_str bytes)
{
	int rc = write_all(f->fd, bytes);
	if (rc == 0 && f->sync && fdatasync(f->fd) < 0)
		rc = -errno;
	if (rc == 0)
		f->at += bytes.len;
	else if (ftruncate(f->fd, (off_t)f->at) < 0)
		gg_line_file_close(f); /* a new look at it, when it is opened again */
	return rc;
}

int gg_line_file_add(struct gg_line_file *f, struct gg_str bytes)
{
	int rc = lock(f);
	if (rc == 0 && f->size && f->at && f->at + bytes.len > f->size) {
		rc = rotate(f);
		if (rc == 0)
			rc = lock(f);
	}
	if (rc == 0)
		rc = append(f, bytes);
	if (f->fd >= 0)
		flock(f->fd, LOCK_UN);
	return rc;
}
