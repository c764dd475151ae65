/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 16384 };

static int check_kind(int fd, unsigned flags)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return (flags & GG_FILE_REGULAR) && !S_ISREG(st.st_mode) ? -EINVAL : 0;
}

/* 1: there may be more. */
static int read_some(int fd, unsigned flags, size_t left, struct gg_buf *to)
{
	/* one byte beyond says that it is too large */
	size_t want = gg_min_size(CHUNK, flags & GG_FILE_HEAD ? left : left + 1);
	char *at = want ? gg_buf_room(to, want) : NULL;
	if (!at)
		return want ? to->error : 0;
	ssize_t n = read(fd, at, want);
	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	to->len += (size_t)n;
	return (size_t)n > left ? -E2BIG : n > 0;
}

int gg_file_read(int folder, const char *name, unsigned flags, size_t most, struct gg_buf *to)
{
	int how = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (flags & GG_FILE_NO_LINK ? O_NOFOLLOW : 0);
	int fd = openat(folder, name, how);
	if (fd < 0)
		return -errno;
	size_t start = to->len;
	int rc = check_kind(fd, flags);
	if (rc == 0)
		rc = 1;
	while (rc > 0)
		rc = read_some(fd, flags, most - (to->len - start), to);
	close(fd);
	return rc;
}
