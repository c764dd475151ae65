/* SPDX-License-Identifier: Apache-2.0 */
/* The system's own file calls behind struct gg_file_ops: retried on EINTR, short writes carried on. */
#include "store/files.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int sys_open(GG_UNUSED void *arg, const char *path, int flags, int *ret_fd)
{
	int fd = open(path, flags | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int sys_write(GG_UNUSED void *arg, int fd, const void *data, size_t len, uint64_t offset)
{
	const uint8_t *p = data;
	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int sys_sync(GG_UNUSED void *arg, int fd)
{
	/* No retry, not on EINTR either: after a failed sync the kernel may have dropped the dirty pages. */
	return fdatasync(fd) == 0 ? 0 : -errno;
}

static int sys_truncate(GG_UNUSED void *arg, int fd, uint64_t size)
{
	return ftruncate(fd, (off_t)size) == 0 ? 0 : -errno;
}

static int sys_reserve(GG_UNUSED void *arg, int fd, uint64_t size)
{
	return fallocate(fd, 0, 0, (off_t)size) == 0 ? 0 : -errno;
}

static int sys_room(GG_UNUSED void *arg, const char *path, uint64_t *ret_bytes)
{
	struct statvfs v;
	if (statvfs(path, &v) < 0)
		return -errno;
	*ret_bytes = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

static int sys_close(GG_UNUSED void *arg, int fd)
{
	return close(fd) == 0 ? 0 : -errno;
}

static int sys_remove(GG_UNUSED void *arg, const char *path)
{
	return unlink(path) == 0 ? 0 : -errno;
}

static int sys_sync_dir(GG_UNUSED void *arg, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int status = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return status;
}

const struct gg_file_ops gg_files_system = {
	.open = sys_open,
	.write = sys_write,
	.sync = sys_sync,
	.truncate = sys_truncate,
	.reserve = sys_reserve,
	.room = sys_room,
	.close = sys_close,
	.remove = sys_remove,
	.sync_dir = sys_sync_dir,
};
