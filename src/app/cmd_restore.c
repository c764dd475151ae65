/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ganglion restore`: puts a backup into an empty folder. It is read twice: once to check all of it, and only
 * then to write.
 */
#include "app/client.h"
#include "app/output.h"
#include "app/table.h"
#include "base/json.h"
#include "gateway/backup.h"
#include "security/vault.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zstd.h>

enum { IN_BYTES = 256 << 10, NAME_BYTES = 160, BLOCK = 4096 };

struct restore {
	const struct gg_args *args;
	const char *path, *data;
	bool writing;
	int in, out;
	ZSTD_DCtx *zstd;
	uint8_t *packed;
	ZSTD_inBuffer at;
	size_t hint; /* 0: a frame has ended */
	uint64_t read, size;
	uint64_t needs; /* bytes, each file to the end of its last block */
	char name[NAME_BYTES];
};

/* ---- the archive's bytes ---- */

static int refill(struct restore *r, struct gg_error *e)
{
	ssize_t n;
	do
		n = read(r->in, r->packed, IN_BYTES);
	while (n < 0 && errno == EINTR && !gg_cli_interrupted());
	if (n < 0)
		return gg_error_set(e, -errno, "%s: %s", r->path, strerror(errno));
	if (gg_cli_interrupted())
		return gg_error_set(e, -ECANCELED, "cancelled");
	r->at = (ZSTD_inBuffer){r->packed, (size_t)n, 0};
	r->read += (uint64_t)n;
	gg_cli_progress(r->args, r->writing ? "restoring" : "checking", r->read, r->size);
	return n > 0;
}

static int read_archive(void *arg, void *to, size_t len, size_t *ret_len, struct gg_error *e)
{
	struct restore *r = arg;
	ZSTD_outBuffer out = {to, len, 0};
	while (out.pos < len) {
		if (r->at.pos == r->at.size) {
			int rc = refill(r, e);
			if (rc < 0)
				return rc;
			if (rc == 0)
				break;
		}
		r->hint = ZSTD_decompressStream(r->zstd, &out, &r->at);
		if (ZSTD_isError(r->hint))
			return gg_error_set(e, -EBADMSG, "%s: damaged, or no backup: %s", r->path,
				ZSTD_getErrorName(r->hint));
	}
	*ret_len = out.pos;
	return 0;
}

/* ---- files ---- */

static int begin_file(void *arg, const char *name, uint64_t bytes, struct gg_error *e)
{
	struct restore *r = arg;
	char path[GG_DATA_DIR + NAME_BYTES];
	bool tells_only = strcmp(name, "backup.json") == 0 || strcmp(name, "SHA256SUMS") == 0;
	gg_str_copy(r->name, sizeof r->name, gg_str(name));
	if (tells_only)
		return 0;
	if (!r->writing) {
		r->needs += (bytes + BLOCK - 1) / BLOCK * BLOCK + BLOCK; /* one for its entry */
		return 0;
	}
	snprintf(path, sizeof path, "%s/%s", r->data, name);
	r->out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return r->out < 0 ? gg_error_set(e, -errno, "%s: %s", path, strerror(errno)) : 0;
}

static int write_file(void *arg, const void *data, size_t len, struct gg_error *e)
{
	struct restore *r = arg;
	const char *from = data;
	while (r->out >= 0 && len) {
		ssize_t n = write(r->out, from, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gg_error_set(e, -errno, "%s/%s: %s", r->data, r->name, strerror(errno));
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

static int end_file(void *arg, struct gg_error *e)
{
	struct restore *r = arg;
	if (r->out < 0)
		return 0;
	int rc = fsync(r->out) < 0 ? gg_error_set(e, -errno, "%s/%s: %s", r->data, r->name, strerror(errno))
				   : 0;
	close(r->out);
	r->out = -1;
	return rc;
}

/* Behind the archive's end: its checksum, and then nothing. */
static int read_end(struct restore *r, struct gg_error *e)
{
	uint8_t rest[512];
	size_t n;
	do {
		int rc = read_archive(r, rest, sizeof rest, &n, e);
		if (rc < 0)
			return rc;
	} while (n == sizeof rest);
	return r->hint == 0 ? 0 : gg_error_set(e, -EBADMSG, "%s was cut off at its end", r->path);
}

static int pass(struct restore *r, bool writing, struct gg_backup_about *ret_about, struct gg_error *e)
{
	static const struct gg_backup_reader_ops ops = {read_archive, begin_file, write_file, end_file};
	r->writing = writing;
	r->at = (ZSTD_inBuffer){0};
	r->read = 0;
	ZSTD_DCtx_reset(r->zstd, ZSTD_reset_session_only);
	if (lseek(r->in, 0, SEEK_SET) < 0)
		return gg_error_set(e, -errno, "%s: %s (it is read twice, so it must be a file)", r->path,
			strerror(errno));
	int rc = gg_backup_read(&ops, r, ret_about, e);
	if (rc == 0)
		rc = read_end(r, e);
	if (r->out >= 0)
		close(r->out);
	r->out = -1;
	gg_cli_progress_end();
	return rc;
}

/* ---- the folder ---- */

/* Returns an exit status; *ret_made: it was not there. */
static int check_folder(const struct gg_args *args, const char *data)
{
	DIR *d = opendir(data);
	if (!d)
		return errno == ENOENT ? 0 : gg_cli_failed(args, "%s: %s", data, strerror(errno));
	int entries = 0;
	for (struct dirent *f; (f = readdir(d));)
		entries += strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0;
	closedir(d);
	return entries == 0
		       ? 0
		       : gg_cli_failed(args,
				 "%s is not empty; a backup is restored into an empty folder only", data);
}

/* Of the folder, or of where it will be made. */
static int free_of(const char *data, struct statvfs *ret_free)
{
	char path[GG_DATA_DIR];
	gg_str_copy(path, sizeof path, gg_str(data));
	while (statvfs(path, ret_free) < 0) {
		char *end = strrchr(path, '/');
		if (errno != ENOENT || strcmp(path, ".") == 0 || strcmp(path, "/") == 0)
			return -errno;
		if (end == path)
			end++;
		gg_str_copy(path, sizeof path, end ? gg_str_n(path, (size_t)(end - path)) : GG_STR("."));
	}
	return 0;
}

/* Before anything is written. A file system that does not say how much it has is tried. */
static int check_room(const struct restore *r, uint64_t files, struct gg_error *e)
{
	struct statvfs fs;
	if (free_of(r->data, &fs) < 0 || fs.f_blocks == 0)
		return 0;
	double free_bytes = (double)fs.f_bavail * (double)fs.f_frsize;
	if (free_bytes < (double)r->needs)
		return gg_error_set(e, -ENOSPC, "%s has %.1f MiB free, the backup needs %.1f MiB", r->data,
			free_bytes / (1 << 20), (double)r->needs / (1 << 20));
	if (fs.f_files && fs.f_favail < files + 3) /* and the folders */
		return gg_error_set(e, -ENOSPC,
			"%s has room for %llu more files (inodes), the backup has %llu files and folders",
			r->data, (unsigned long long)fs.f_favail, (unsigned long long)files + 3);
	return 0;
}

static int make_folder(const char *data, const char *below, struct gg_error *e)
{
	char path[GG_DATA_DIR + 32];
	snprintf(path, sizeof path, "%s%s", data, below);
	if (mkdir(path, below[0] ? 0700 : 0750) == 0 || errno == EEXIST)
		return 0;
	return gg_error_set(e, -errno, "%s: %s", path, strerror(errno));
}

static void sync_folder(const char *data, const char *below)
{
	char path[GG_DATA_DIR + 32];
	snprintf(path, sizeof path, "%s%s", data, below);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fsync(fd) == 0)
		close(fd);
	else if (fd >= 0)
		close(fd);
}

static int write_all(struct restore *r, struct gg_backup_about *about, struct gg_error *e)
{
	int rc = make_folder(r->data, "", e);
	if (rc == 0)
		rc = make_folder(r->data, "/journal", e);
	if (rc == 0)
		rc = make_folder(r->data, "/revisions", e);
	if (rc == 0)
		rc = pass(r, /* writing= */ true, about, e);
	sync_folder(r->data, "/journal");
	sync_folder(r->data, "/revisions");
	sync_folder(r->data, "");
	return rc;
}

/* ---- the command ---- */

static void tell(const struct gg_args *args, const char *data, const struct gg_backup_about *a)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 10);
	struct gg_buf shown GG_CLEANUP(gg_buf_done) = GG_BUF(4096);
	struct gg_json_writer w = gg_json_writer(&out);
	if (args->json) {
		gg_json_begin_object(&w);
		gg_json_put_str(&w, "data", gg_str(data));
		gg_json_put_str(&w, "site", gg_str(a->site));
		gg_json_put_str(&w, "created", gg_str(a->created));
		gg_json_put_str(&w, "version", gg_str(a->version));
		gg_json_put_int(&w, "files", (int64_t)a->files);
		gg_json_put_int(&w, "bytes", (int64_t)a->bytes);
		gg_json_end_object(&w);
		puts(gg_buf_text(&out));
	} else if (!args->quiet) {
		gg_buf_printf(&out, "%s%s%s", a->created, a->site[0] ? ", of " : "", a->site);
		gg_text_clean(&shown, gg_buf_view(&out), /* lines= */ false);
		printf("%s is as it was at %s: %llu files, %.1f MiB\n"
		       "start it with the configuration it had: ganglion run --config FILE --data %s\n"
		       "(what was in force is the newest file in %s/revisions)\n",
			data, gg_buf_text(&shown), (unsigned long long)a->files, (double)a->bytes / (1 << 20),
			data, data);
	}
}

static void tell_sealed(const struct gg_args *args, const char *data)
{
	static struct gg_slots s;
	struct gg_buf list GG_CLEANUP(gg_buf_done) = GG_BUF(400);
	if (args->quiet || args->json || gg_vault_slots(data, &s, NULL) < 0)
		return;
	for (size_t i = 0; i < s.count; i++)
		gg_buf_printf(&list, "%s%s", i ? ", " : "", gg_slot_kind_name(s.items[i].kind));
	printf("it is sealed (%s); on another machine 'ganglion vault rewrap --data %s --config FILE' opens "
	       "it with the\n"
	       "recovery key, key file or passphrase, and makes it open as the configuration says\n",
		gg_buf_text(&list), data);
}

static int restore(struct restore *r)
{
	struct gg_backup_about about = {0};
	struct gg_error e = {0};
	int rc = pass(r, /* writing= */ false, &about, &e);
	if (rc == 0)
		rc = check_room(r, about.files, &e);
	bool touched = rc == 0;
	if (rc == 0)
		rc = write_all(r, &about, &e);
	if (rc < 0)
		return gg_cli_failed(r->args, "%s%s", e.text,
			touched ? "; what is in the folder is not whole, remove it"
				: "; nothing was written");
	tell(r->args, r->data, &about);
	tell_sealed(r->args, r->data);
	return 0;
}

int gg_cmd_restore(const struct gg_args *args)
{
	struct restore r = {.args = args, .data = gg_arg(args, "data"), .out = -1};
	struct stat st;
	if (args->word_count != 1)
		return gg_cli_wrong(args, "expected one file that 'ganglion backup' made");
	if (!r.data || !r.data[0] || strlen(r.data) >= GG_DATA_DIR)
		return gg_cli_wrong(args, "say with --data DIR which folder it goes into");
	if (check_folder(args, r.data))
		return 1;
	r.path = args->words[0];
	r.in = open(r.path, O_RDONLY | O_CLOEXEC);
	if (r.in < 0 || fstat(r.in, &st) < 0)
		return gg_cli_failed(args, "%s: %s", r.path, strerror(errno));
	r.size = (uint64_t)st.st_size;
	r.zstd = ZSTD_createDCtx();
	r.packed = malloc(IN_BYTES);
	gg_cli_interruptible();
	int rc = r.zstd && r.packed ? restore(&r) : gg_cli_failed(args, "out of memory");
	ZSTD_freeDCtx(r.zstd);
	free(r.packed);
	close(r.in);
	return rc;
}
