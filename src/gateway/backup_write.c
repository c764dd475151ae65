/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/json.h"
#include "formats/tar.h"
#include "gateway/backup.h"
#include "store/snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum { CHUNK = 128 << 10, SUMS_MAX = 64 << 20, PATH_BYTES = 4352, LEVEL = 3 };

struct writer {
	const struct gg_backup *b;
	const struct gg_sink *sink;
	struct gg_error *e;
	ZSTD_CCtx *zstd;
	uint8_t *chunk, *packed;
	size_t packed_size;
	struct gg_buf sums;
	uint64_t done, total;
	uint64_t files;
	int64_t now_ns;
};

/* ---- compressed bytes ---- */

static int squeeze(struct writer *w, const void *data, size_t len, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = {data, len, 0};
	for (;;) {
		ZSTD_outBuffer out = {w->packed, w->packed_size, 0};
		size_t left = ZSTD_compressStream2(w->zstd, &out, &in, how);
		if (ZSTD_isError(left))
			return gg_error_set(w->e, -ENOMEM, "compressing failed: %s", ZSTD_getErrorName(left));
		int rc = gg_sink_write(w->sink, w->packed, out.pos);
		if (rc < 0)
			return gg_error_set(w->e, rc, "the backup can't be written: %s", strerror(-rc));
		if (how == ZSTD_e_end ? left == 0 : in.pos == in.size)
			return 0;
	}
}

/* ---- files ---- */

/* Where a file's bytes come from. */
struct source {
	int fd; /* -1: the snapshot, or memory */
	struct gg_snapshot *snapshot;
	const char *memory;
	uint64_t bytes;
};

static int read_source(const struct source *s, uint64_t offset, uint8_t *to, size_t len)
{
	if (s->snapshot)
		return gg_snapshot_read(s->snapshot, offset, to, len);
	if (s->memory) {
		memcpy(to, s->memory + offset, len);
		return 0;
	}
	for (size_t at = 0; at < len;) {
		ssize_t n = pread(s->fd, to + at, len - at, (off_t)(offset + at));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

static int copy_bytes(struct writer *w, const char *name, const struct source *s, EVP_MD_CTX *hash)
{
	for (uint64_t at = 0; at < s->bytes;) {
		size_t n = s->bytes - at < CHUNK ? (size_t)(s->bytes - at) : CHUNK;
		int rc = read_source(s, at, w->chunk, n);
		if (rc < 0)
			return gg_error_set(w->e, rc, "%s can't be read: %s", name, strerror(-rc));
		if (w->b->cancelled && atomic_load(w->b->cancelled))
			return gg_error_set(w->e, -ECANCELED, "the backup was cancelled");
		EVP_DigestUpdate(hash, w->chunk, n);
		rc = squeeze(w, w->chunk, n, ZSTD_e_continue);
		if (rc < 0)
			return rc;
		at += n;
		w->done += n;
		if (w->b->progress)
			w->b->progress(w->b->arg, w->done, w->total > w->done ? w->total : w->done);
	}
	return 0;
}

static void note_sum(struct writer *w, const char *name, EVP_MD_CTX *hash)
{
	uint8_t digest[32];
	EVP_DigestFinal_ex(hash, digest, NULL);
	gg_buf_hex(&w->sums, gg_str_n(digest, sizeof digest));
	gg_buf_printf(&w->sums, "  %s\n", name);
}

static int put_file(struct writer *w, const char *name, const struct source *s)
{
	uint8_t header[GG_TAR_BLOCK];
	static const uint8_t zeros[GG_TAR_BLOCK];
	struct gg_tar_file f = {.bytes = s->bytes, .time_s = w->now_ns / GG_NS_PER_S, .mode = 0600};
	gg_str_copy(f.name, sizeof f.name, gg_str(name));
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	if (!hash || gg_tar_write(header, &f) < 0 || ++w->files > GG_BACKUP_FILES) {
		EVP_MD_CTX_free(hash);
		return gg_error_set(w->e, -ENOMEM, "%s: too many files, or no memory", name);
	}
	EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	int rc = squeeze(w, header, sizeof header, ZSTD_e_continue);
	if (rc == 0)
		rc = copy_bytes(w, name, s, hash);
	if (rc == 0)
		rc = squeeze(w, zeros, gg_tar_padding(s->bytes), ZSTD_e_continue);
	if (rc == 0)
		note_sum(w, name, hash);
	EVP_MD_CTX_free(hash);
	return rc;
}

static int put_memory(struct writer *w, const char *name, struct gg_str bytes)
{
	return put_file(w, name, &(struct source){.fd = -1, .memory = bytes.p, .bytes = bytes.len});
}

/* bytes UINT64_MAX: as long as it is. A file that is not there is left out. */
static int put_path(struct writer *w, const char *path, const char *name, uint64_t bytes)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0) {
		int rc = gg_error_set(w->e, -errno, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	int rc = S_ISREG(st.st_mode)
			 ? put_file(w, name,
				   &(struct source){.fd = fd,
					   .bytes = bytes == UINT64_MAX ? (uint64_t)st.st_size : bytes})
			 : 0;
	close(fd);
	return rc;
}

/* ---- the parts ---- */

/* A Ganglion that knows nothing of sealed data must not take the backup for damaged. */
static bool is_sealed(const struct writer *w)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/keys.json", w->b->data_dir);
	return access(path, F_OK) == 0;
}

static int put_about(struct writer *w)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 10);
	struct gg_json_writer j = gg_json_writer(&text);
	gg_json_begin_object(&j);
	gg_json_put_int(&j, "format", is_sealed(w) ? GG_BACKUP_FORMAT : 1);
	gg_json_put_str(&j, "version", GG_STR(GG_VERSION));
	gg_json_put_str(&j, "site", gg_str(w->b->site));
	gg_json_put_time(&j, "created", w->now_ns);
	gg_json_end_object(&j);
	gg_buf_char(&text, '\n');
	return put_memory(w, "backup.json", gg_buf_view(&text));
}

static int put_segment(void *arg, const char *path, const char *name, uint64_t bytes)
{
	char in_archive[64];
	snprintf(in_archive, sizeof in_archive, "journal/%s", name);
	return put_path(arg, path, in_archive, bytes);
}

static int count_segment(void *arg, GG_UNUSED const char *path, GG_UNUSED const char *name, uint64_t bytes)
{
	((struct writer *)arg)->total += bytes;
	return 0;
}

static int put_revisions(struct writer *w)
{
	char path[PATH_BYTES], name[100];
	snprintf(path, sizeof path, "%s/revisions", w->b->data_dir);
	DIR *d = opendir(path);
	int rc = 0;
	for (struct dirent *f; d && rc == 0 && (f = readdir(d));) {
		bool ours = f->d_name[0] != '.' && gg_backup_name_is_plain(f->d_name);
		if (!ours || strlen(f->d_name) > 80)
			continue;
		snprintf(name, sizeof name, "revisions/%.80s", f->d_name);
		if (snprintf(path, sizeof path, "%s/%s", w->b->data_dir, name) < (int)sizeof path)
			rc = put_path(w, path, name, UINT64_MAX);
	}
	if (d)
		closedir(d);
	return rc;
}

static int put_keys(struct writer *w)
{
	static const char *const names[] = {"api-certificate.pem", "api-key.pem", "keys.json"};
	char path[PATH_BYTES];
	int rc = 0;
	for (size_t i = 0; i < GG_COUNT(names) && rc == 0; i++) {
		snprintf(path, sizeof path, "%s/%s", w->b->data_dir, names[i]);
		rc = put_path(w, path, names[i], UINT64_MAX);
	}
	return rc;
}

struct moment {
	struct gg_snapshot *catalog, *history;
	char journal[PATH_BYTES];
	uint64_t end; /* of the journal */
};

static int put_snapshot(struct writer *w, const char *name, struct gg_snapshot *s)
{
	return s ? put_file(w, name, &(struct source){.fd = -1, .snapshot = s, .bytes = gg_snapshot_bytes(s)})
		 : 0;
}

static int put_all(struct writer *w, const struct moment *m)
{
	static const uint8_t end[2 * GG_TAR_BLOCK];
	int rc = put_about(w);
	if (rc == 0)
		rc = put_snapshot(w, "catalog.db", m->catalog);
	if (rc == 0)
		rc = put_snapshot(w, "history.db", m->history);
	if (rc == 0) {
		rc = gg_snapshot_segments(m->journal, m->end, put_segment, w);
		if (rc < 0 && !w->e->code)
			gg_error_set(w->e, rc, "%s can't be read: %s", m->journal, strerror(-rc));
	}
	if (rc == 0)
		rc = put_revisions(w);
	if (rc == 0)
		rc = put_keys(w);
	if (rc == 0 && w->sums.error)
		rc = gg_error_set(w->e, w->sums.error, "out of memory");
	if (rc == 0) {
		struct gg_buf sums = w->sums; /* its own sum is noted behind the others, and not written */
		rc = put_memory(w, "SHA256SUMS", gg_str_n(gg_buf_text(&sums), sums.len));
	}
	return rc == 0 ? squeeze(w, end, sizeof end, ZSTD_e_end) : rc;
}

/* ---- the moment ---- */

static int hold(
	const struct gg_backup *b, const char *name, struct gg_snapshot **ret_snapshot, struct gg_error *e)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", b->data_dir, name);
	return access(path, F_OK) == 0 ? gg_snapshot_open(path, ret_snapshot, e) : 0;
}

/* The journal's end last: what the others know of lies before it. */
static int hold_all(const struct gg_backup *b, struct moment *m, struct gg_error *e)
{
	m->end = UINT64_MAX;
	snprintf(m->journal, sizeof m->journal, "%s/journal", b->data_dir);
	int rc = hold(b, "catalog.db", &m->catalog, e);
	if (rc == 0)
		rc = hold(b, "history.db", &m->history, e);
	if (rc == 0 && b->journal) {
		rc = gg_journal_flush(b->journal);
		if (rc < 0)
			gg_error_set(e, rc, "the journal can't be synced: %s", strerror(-rc));
		m->end = gg_journal_end(b->journal);
	}
	return rc;
}

static int write_moment(
	const struct gg_backup *b, const struct moment *m, const struct gg_sink *sink, struct gg_error *e)
{
	struct gg_error own = {0};
	struct writer w = {.b = b,
		.sink = sink,
		.e = e ? e : &own,
		.zstd = ZSTD_createCCtx(),
		.chunk = malloc(CHUNK),
		.packed_size = ZSTD_CStreamOutSize(),
		.sums = GG_BUF(SUMS_MAX),
		.now_ns = gg_clock_utc(&gg_clock_system)};
	w.packed = malloc(w.packed_size);
	int rc = -ENOMEM;
	if (w.zstd && w.chunk && w.packed) {
		ZSTD_CCtx_setParameter(w.zstd, ZSTD_c_compressionLevel, LEVEL);
		ZSTD_CCtx_setParameter(w.zstd, ZSTD_c_checksumFlag, 1);
		w.total = (m->catalog ? gg_snapshot_bytes(m->catalog) : 0) +
			  (m->history ? gg_snapshot_bytes(m->history) : 0);
		gg_snapshot_segments(m->journal, m->end, count_segment, &w);
		rc = put_all(&w, m);
	} else {
		gg_error_set(e, rc, "out of memory");
	}
	ZSTD_freeCCtx(w.zstd);
	free(w.chunk);
	free(w.packed);
	gg_buf_done(&w.sums);
	return rc;
}

int gg_backup_write(const struct gg_backup *b, const struct gg_sink *sink, struct gg_error *e)
{
	static _Atomic unsigned number;
	struct moment m = {0};
	char pin[32];
	snprintf(pin, sizeof pin, "backup.%u", atomic_fetch_add(&number, 1));
	int rc = b->journal
			 ? gg_journal_pin(b->journal, pin, gg_journal_begin(b->journal), /* forever= */ false)
			 : 0;
	if (rc < 0)
		return gg_error_set(e, rc, "the journal can't be held: %s", strerror(-rc));
	rc = hold_all(b, &m, e);
	if (rc == 0)
		rc = write_moment(b, &m, sink, e);
	gg_snapshot_close(m.catalog);
	gg_snapshot_close(m.history);
	if (b->journal)
		gg_journal_unpin(b->journal, pin);
	return rc;
}
