/* SPDX-License-Identifier: Apache-2.0 */
/* See sealed_file.h. */
#include "store/sealed_file.h"

#include "base/file.h"
#include "core/revisions.h"
#include "store/seal.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <unistd.h>

#define MAGIC "GGSEAL1\n"

enum { HEAD = sizeof MAGIC - 1 + GG_SEAL_TRAILER };

static struct {
	bool sealed;
	uint8_t key[GG_SEAL_KEY];
} here;

static const struct gg_revision_seal of_revisions = {
	.is_sealed = gg_sealed_file_is, .shut = gg_sealed_file_shut, .open = gg_sealed_file_open};

int gg_sealed_files(const uint8_t *root)
{
	uint8_t key[GG_SEAL_KEY] = {0};
	int rc = root ? gg_seal_derive(root, GG_STR("files"), key) : 0;
	if (rc == 0) {
		here.sealed = root != NULL;
		memcpy(here.key, key, sizeof key);
		gg_revisions_seal(&of_revisions);
	}
	OPENSSL_cleanse(key, sizeof key);
	return rc;
}

bool gg_sealed_files_are(void)
{
	return here.sealed;
}

bool gg_sealed_file_is(struct gg_str head)
{
	return gg_str_starts(head, GG_STR(MAGIC));
}

int gg_sealed_file_shut(const char *name, struct gg_str text, struct gg_buf *to)
{
	if (!here.sealed) {
		gg_buf_str(to, text);
		return to->error;
	}
	struct gg_seal *seal = NULL;
	int rc = gg_seal_new(here.key, &seal);
	uint8_t *at = rc == 0 ? (uint8_t *)gg_buf_room(to, HEAD + text.len) : NULL;
	if (rc == 0 && !at)
		rc = to->error;
	if (rc == 0) {
		memcpy(at, MAGIC, sizeof MAGIC - 1);
		rc = gg_seal_shut(seal, gg_str(name), (const uint8_t *)text.p, text.len, at + HEAD,
			at + sizeof MAGIC - 1);
	}
	if (rc == 0)
		to->len += HEAD + text.len;
	gg_seal_free(seal);
	return rc;
}

static int unseal(const char *name, struct gg_str bytes, struct gg_buf *to)
{
	const uint8_t *p = (const uint8_t *)bytes.p;
	struct gg_seal *seal = NULL;
	if (!here.sealed)
		return -ENOKEY;
	if (bytes.len < HEAD)
		return -EKEYREJECTED;
	int rc = gg_seal_new(here.key, &seal);
	uint8_t *at = rc == 0 ? (uint8_t *)gg_buf_room(to, bytes.len) : NULL;
	if (rc == 0 && !at)
		rc = to->error;
	if (rc == 0)
		rc = gg_seal_open(seal, gg_str(name), p + HEAD, bytes.len - HEAD, p + sizeof MAGIC - 1, at);
	if (rc == 0)
		to->len += bytes.len - HEAD;
	gg_seal_free(seal);
	return rc == -EBADMSG ? -EKEYREJECTED : rc;
}

int gg_sealed_file_open(const char *name, struct gg_str bytes, struct gg_buf *to)
{
	if (gg_sealed_file_is(bytes))
		return unseal(name, bytes, to);
	gg_buf_str(to, bytes);
	return to->error;
}

static int write_all(int fd, struct gg_str bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.p, bytes.len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			bytes = gg_str_n(bytes.p + n, bytes.len - (size_t)n);
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

int gg_sealed_file_write(const char *path, const char *name, mode_t mode, struct gg_str text)
{
	struct gg_buf bytes GG_CLEANUP(gg_buf_done) = GG_BUF(text.len + HEAD);
	char fresh[4352];
	int rc = gg_sealed_file_shut(name, text, &bytes);
	if (rc == 0 && (size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
		rc = -ENAMETOOLONG;
	if (rc < 0)
		return rc;
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, gg_buf_view(&bytes));
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(fresh, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(fresh);
	OPENSSL_cleanse(bytes.p, bytes.cap);
	return rc;
}

int gg_sealed_file_read(const char *path, const char *name, size_t most, struct gg_buf *to, bool *ret_sealed)
{
	struct gg_buf bytes GG_CLEANUP(gg_buf_done) = GG_BUF(most + HEAD + 1);
	int rc = gg_file_read(AT_FDCWD, path, GG_FILE_REGULAR | GG_FILE_NO_LINK, most + HEAD, &bytes);
	if (rc == 0)
		rc = gg_sealed_file_open(name, gg_buf_view(&bytes), to);
	if (rc == 0)
		*ret_sealed = gg_sealed_file_is(gg_buf_view(&bytes));
	if (bytes.p)
		OPENSSL_cleanse(bytes.p, bytes.cap);
	return rc;
}
