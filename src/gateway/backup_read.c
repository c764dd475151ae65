/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/map.h"
#include "formats/tar.h"
#include "gateway/backup.h"

#include <openssl/evp.h>

enum { CHUNK = 128 << 10, ABOUT_MAX = 64 << 10, SUMS_MAX = 64 << 20, HEX = 64 };

struct reader {
	const struct gg_backup_reader_ops *ops;
	void *arg;
	struct gg_error *e;
	uint8_t *chunk;
	EVP_MD_CTX *hash;
	struct gg_buf keep; /* of backup.json and SHA256SUMS */
	struct gg_buf seen; /* the line for each file, as SHA256SUMS must have it */
	struct gg_map names;
	struct gg_backup_about about;
	bool known, whole; /* backup.json and SHA256SUMS were there */
};

static int damaged(struct reader *r, const char *text)
{
	return gg_error_set(r->e, -EBADMSG, "%s", text);
}

bool gg_backup_name_is_plain(const char *name)
{
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return gg_utf8_valid(gg_str(name));
}

/* For people: what is no printable ASCII as \xNN. */
static const char *show(const char *name, char *to, size_t size)
{
	size_t at = 0;
	for (const char *p = name; *p && at + 5 <= size; p++) {
		bool plain = *p >= ' ' && *p <= '~' && *p != '\\';
		int n = snprintf(to + at, size - at, plain ? "%c" : "\\x%02x", (unsigned char)*p);
		at += (size_t)n;
	}
	to[at] = '\0';
	return to;
}

/* Only names that a backup of ours has: nothing can be written elsewhere. */
static bool is_ours(const char *name)
{
	static const char *const files[] = {"backup.json", "catalog.db", "history.db", "api-certificate.pem",
		"api-key.pem", "keys.json", "SHA256SUMS"};
	static const char *const folders[] = {"journal/", "revisions/"};
	if (!gg_backup_name_is_plain(name))
		return false;
	for (size_t i = 0; i < GG_COUNT(files); i++)
		if (strcmp(name, files[i]) == 0)
			return true;
	for (size_t i = 0; i < GG_COUNT(folders); i++) {
		size_t len = strlen(folders[i]);
		if (strncmp(name, folders[i], len) == 0 && name[len] && name[len] != '.' &&
			!strchr(name + len, '/'))
			return true;
	}
	return false;
}

static int read_exactly(struct reader *r, void *to, size_t len)
{
	size_t got = 0;
	int rc = r->ops->read(r->arg, to, len, &got, r->e);
	if (rc < 0)
		return rc;
	return got == len ? 0 : damaged(r, "the backup was cut off: it ends in the middle");
}

static int read_bytes(struct reader *r, const struct gg_tar_file *f, bool keep)
{
	gg_buf_clear(&r->keep);
	for (uint64_t at = 0; at < f->bytes;) {
		size_t n = f->bytes - at < CHUNK ? (size_t)(f->bytes - at) : CHUNK;
		int rc = read_exactly(r, r->chunk, n);
		if (rc == 0 && r->ops->data)
			rc = r->ops->data(r->arg, r->chunk, n, r->e);
		if (rc < 0)
			return rc;
		EVP_DigestUpdate(r->hash, r->chunk, n);
		if (keep)
			gg_buf_add(&r->keep, r->chunk, n);
		at += n;
	}
	return read_exactly(r, r->chunk, gg_tar_padding(f->bytes));
}

/* ---- what it says of itself ---- */

static void take_text(char *to, size_t size, struct gg_json_reader *j)
{
	char text[256];
	if (gg_json_next(j) != GG_JSON_STRING || j->text.len >= sizeof text)
		return;
	gg_json_unescape(j->text, text);
	gg_str_copy(to, size, gg_str(text));
}

static int take_about(struct reader *r)
{
	struct gg_json_reader j = gg_json_reader(gg_str_n(gg_buf_text(&r->keep), r->keep.len));
	uint64_t format = 0;
	enum gg_json_token t = gg_json_next(&j);
	while (t == GG_JSON_OBJECT && gg_json_next(&j) == GG_JSON_KEY) {
		struct gg_str key = j.text;
		if (gg_str_is(key, "site"))
			take_text(r->about.site, sizeof r->about.site, &j);
		else if (gg_str_is(key, "created"))
			take_text(r->about.created, sizeof r->about.created, &j);
		else if (gg_str_is(key, "version"))
			take_text(r->about.version, sizeof r->about.version, &j);
		else if (gg_str_is(key, "format") && gg_json_next(&j) == GG_JSON_NUMBER)
			gg_parse_uint(j.text, &format);
		else if (!gg_str_is(key, "format") && !gg_json_skip(&j, gg_json_next(&j)))
			break;
	}
	if (format == 0)
		return damaged(r, "backup.json can't be read: this is no backup of a gateway");
	char version[sizeof r->about.version * 4];
	if (format > GG_BACKUP_FORMAT)
		return gg_error_set(r->e, -ENOTSUP,
			"the backup was made by Ganglion \"%s\" in format %llu, this one reads up to %d",
			show(r->about.version, version, sizeof version), (unsigned long long)format,
			GG_BACKUP_FORMAT);
	r->known = true;
	return 0;
}

/* SHA256SUMS must say of each file what we have seen, in the same order. */
static int compare_sums(struct reader *r)
{
	struct gg_str want = gg_buf_view(&r->keep), seen = gg_buf_view(&r->seen);
	if (r->seen.error || r->keep.error)
		return gg_error_set(r->e, -ENOMEM, "out of memory");
	while (want.len && seen.len) {
		struct gg_str a = gg_str_cut(&want, '\n'), b = gg_str_cut(&seen, '\n');
		if (gg_str_eq(a, b))
			continue;
		return gg_error_set(r->e, -EBADMSG, "%.*s is damaged: it is not what SHA256SUMS says",
			b.len > HEX + 2 ? (int)(b.len - HEX - 2) : 0, b.p + HEX + 2);
	}
	if (want.len || seen.len)
		return damaged(r, "SHA256SUMS names other files than the backup has");
	r->whole = true;
	return 0;
}

static void note_sum(struct reader *r, const char *name)
{
	uint8_t digest[32];
	EVP_DigestFinal_ex(r->hash, digest, NULL);
	gg_buf_hex(&r->seen, gg_str_n(digest, sizeof digest));
	gg_buf_printf(&r->seen, "  %s\n", name);
}

/* ---- file by file ---- */

static int check_file(struct reader *r, const struct gg_tar_file *f)
{
	bool first = r->about.files == 0;
	char shown[128];
	if (first != (strcmp(f->name, "backup.json") == 0))
		return damaged(r, "this is no backup of a gateway: it does not begin with backup.json");
	if (!is_ours(f->name) || r->whole)
		return gg_error_set(r->e, -EBADMSG,
			"the backup has a file that does not belong there%s: \"%s\"",
			r->whole ? ", behind SHA256SUMS" : "", show(f->name, shown, sizeof shown));
	if (gg_map_find(&r->names, gg_str(f->name)) || r->about.files >= GG_BACKUP_FILES)
		return damaged(r, "the backup has a file twice, or too many");
	if ((first && f->bytes > ABOUT_MAX) || (strcmp(f->name, "SHA256SUMS") == 0 && f->bytes > SUMS_MAX))
		return damaged(r, "a file of the backup is longer than it can be");
	if (gg_map_put(&r->names, gg_str(f->name), 1) < 0)
		return gg_error_set(r->e, -ENOMEM, "out of memory");
	return 0;
}

static int read_file(struct reader *r, const struct gg_tar_file *f)
{
	bool sums = strcmp(f->name, "SHA256SUMS") == 0, first = r->about.files == 0;
	int rc = check_file(r, f);
	if (rc == 0 && r->ops->begin)
		rc = r->ops->begin(r->arg, f->name, f->bytes, r->e);
	EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL);
	if (rc == 0)
		rc = read_bytes(r, f, first || sums);
	if (rc == 0 && r->ops->end)
		rc = r->ops->end(r->arg, r->e);
	if (rc < 0)
		return rc;
	if (first)
		rc = take_about(r);
	if (sums)
		return compare_sums(r);
	note_sum(r, f->name);
	r->about.files++;
	r->about.bytes += f->bytes;
	return rc;
}

static int read_all(struct reader *r)
{
	uint8_t header[GG_TAR_BLOCK];
	struct gg_tar_file f;
	for (;;) {
		int rc = read_exactly(r, header, sizeof header);
		if (rc < 0)
			return rc;
		rc = gg_tar_read(header, &f);
		if (rc < 0)
			return damaged(r,
				r->about.files ? "the backup is damaged" : "this is no backup of a gateway");
		if (rc == 0)
			return r->whole ? 0 : damaged(r, "the backup was cut off: SHA256SUMS is missing");
		rc = read_file(r, &f);
		if (rc < 0)
			return rc;
	}
}

int gg_backup_read(const struct gg_backup_reader_ops *ops, void *arg, struct gg_backup_about *ret_about,
	struct gg_error *e)
{
	struct reader r = {.ops = ops,
		.arg = arg,
		.e = e,
		.chunk = malloc(CHUNK),
		.hash = EVP_MD_CTX_new(),
		.keep = GG_BUF(SUMS_MAX),
		.seen = GG_BUF(SUMS_MAX)};
	int rc = r.chunk && r.hash ? read_all(&r) : gg_error_set(e, -ENOMEM, "out of memory");
	free(r.chunk);
	EVP_MD_CTX_free(r.hash);
	gg_buf_done(&r.keep);
	gg_buf_done(&r.seen);
	gg_map_done(&r.names);
	if (rc == 0)
		*ret_about = r.about;
	return rc;
}
