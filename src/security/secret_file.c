/* SPDX-License-Identifier: Apache-2.0 */
/* See secret_file.h. */
#include "security/secret_file.h"

#include "base/str.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_credential(const char *path)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	size_t n = folder ? strlen(folder) : 0;
	return n && strncmp(path, folder, n) == 0 && path[n] == '/' && !strstr(path, "/../");
}

static int check(int fd, const char *path, size_t least, size_t most, struct gg_error *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return gg_error_set(e, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return gg_error_set(e, -EINVAL, "%s: expected a regular file", path);
	unsigned others = st.st_mode & (is_credential(path) ? 0007 : 0077);
	if (others)
		return gg_error_set(e, -EACCES,
			"%s: others than its owner may %s it (mode %04o): chmod 600 %s", path,
			others & 0044 ? "read" : "change", (unsigned)st.st_mode & 07777, path);
	if (st.st_size < (off_t)least || st.st_size > (off_t)most)
		return gg_error_set(e, -EINVAL, "%s: expected %zu to %zu bytes, it has %lld", path, least,
			most, (long long)st.st_size);
	return 0;
}

static int read_all(int fd, uint8_t *to, size_t most, size_t *ret_len)
{
	size_t at = 0;
	while (at < most) {
		ssize_t n = read(fd, to + at, most - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		at += (size_t)n;
	}
	*ret_len = at;
	return 0;
}

int gg_secret_file_read(
	const char *path, size_t least, size_t most, uint8_t *to, size_t *ret_len, struct gg_error *e)
{
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return gg_error_set(e, -errno, "%s: %s", path, strerror(errno));
	int rc = check(fd, path, least, most, e);
	if (rc == 0 && (rc = read_all(fd, to, most, &len)) < 0)
		gg_error_set(e, rc, "%s: %s", path, strerror(-rc));
	if (rc == 0 && len < least) /* it was cut meanwhile */
		rc = gg_error_set(e, -EINVAL, "%s: expected at least %zu bytes", path, least);
	close(fd);
	if (rc < 0)
		OPENSSL_cleanse(to, most);
	else
		*ret_len = len;
	return rc;
}
