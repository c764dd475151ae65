/* SPDX-License-Identifier: Apache-2.0 */
/* A backup's archive, without its compression. Whatever it says, only names that are a backup's may come
 * through, and what comes of a file is as long as was said. */
#include "formats/tar.h"
#include "gateway/backup.h"

struct bytes {
	const uint8_t *p;
	size_t left;
	uint64_t expected;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(void *arg, void *to, size_t len, size_t *ret_len, GG_UNUSED struct gg_error *e)
{
	struct bytes *b = arg;
	*ret_len = len < b->left ? len : b->left;
	if (*ret_len)
		memcpy(to, b->p, *ret_len);
	b->p += *ret_len;
	b->left -= *ret_len;
	return 0;
}

static int begin(void *arg, const char *name, uint64_t bytes, GG_UNUSED struct gg_error *e)
{
	if (!gg_backup_name_is_plain(name) || name[0] == '/' || strstr(name, "..") == name ||
		strstr(name, "/.") || !name[0])
		abort();
	((struct bytes *)arg)->expected = bytes;
	return 0;
}

static int got(void *arg, GG_UNUSED const void *data, size_t len, GG_UNUSED struct gg_error *e)
{
	struct bytes *b = arg;
	if (len > b->expected)
		abort();
	b->expected -= len;
	return 0;
}

static int end(void *arg, GG_UNUSED struct gg_error *e)
{
	if (((struct bytes *)arg)->expected)
		abort();
	return 0;
}

/* A head that reads is written so that it reads as the same. */
static void check_head(const uint8_t *block)
{
	struct gg_tar_file f, again;
	uint8_t out[GG_TAR_BLOCK];
	if (gg_tar_read(block, &f) != 1)
		return;
	if (gg_tar_write(out, &f) < 0 || gg_tar_read(out, &again) != 1 || strcmp(f.name, again.name) != 0 ||
		f.bytes != again.bytes || f.mode != again.mode)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (size_t at = 0; at + GG_TAR_BLOCK <= size && at < 8 * (size_t)GG_TAR_BLOCK; at += GG_TAR_BLOCK)
		check_head(data + at);
	static const struct gg_backup_reader_ops ops = {take, begin, got, end};
	struct bytes b = {data, size, 0};
	struct gg_backup_about about;
	struct gg_error e = {0};
	int rc = gg_backup_read(&ops, &b, &about, &e);
	if (rc < 0 && (!e.code || !e.text[0] || !gg_backup_name_is_plain(e.text)))
		abort();
	return 0;
}
