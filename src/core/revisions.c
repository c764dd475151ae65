/* SPDX-License-Identifier: Apache-2.0 */
#include "core/revisions.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER = 4096, TEXT = 64 << 20 };

static int failed(struct gg_error *e, int code, const char *what, const char *name)
{
	return gg_error_set(e, code, "cannot %s revision %s: %s", what, name, strerror(-code));
}

static int open_folder(const char *data_dir, bool make, struct gg_error *e)
{
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s/revisions", data_dir) >= sizeof path)
		return gg_error_set(e, -ENAMETOOLONG, "data_dir is too long");
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
		int code = -errno;
		return gg_error_set(e, code, "cannot make %s: %s", path, strerror(-code));
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = fd < 0 ? -errno : 0;
	return fd < 0 ? gg_error_set(e, code, "cannot open %s: %s", path, strerror(-code)) : fd;
}

static void file_name(char *to, size_t size, uint64_t number)
{
	snprintf(to, size, "%06llu.yaml", (unsigned long long)number);
}

static bool number_of(const char *name, uint64_t *ret_number)
{
	struct gg_str s = gg_str(name);
	return s.len > 5 && strcmp(name + s.len - 5, ".yaml") == 0 &&
	       gg_parse_uint(gg_str_n(s.p, s.len - 5), ret_number) == 0 && *ret_number > 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* The numbers that are there, sorted. Owner: the caller, free(). */
static int list_numbers(int folder, uint64_t **ret_numbers, size_t *ret_count)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	uint64_t *numbers = NULL, number;
	size_t count = 0, cap = 0;
	int rc = 0;
	for (struct dirent *entry; rc == 0 && (entry = readdir(dir));) {
		if (!number_of(entry->d_name, &number) || count == GG_REVISIONS)
			continue;
		if (count == cap) {
			cap = cap ? cap * 2 : 64;
			uint64_t *bigger = realloc(numbers, cap * sizeof *bigger);
			rc = bigger ? 0 : -ENOMEM;
			numbers = bigger ? bigger : numbers;
		}
		if (rc == 0)
			numbers[count++] = number;
	}
	closedir(dir);
	if (rc < 0) {
		free(numbers);
		return rc;
	}
	if (count)
		qsort(numbers, count, sizeof *numbers, by_number);
	*ret_numbers = numbers;
	*ret_count = count;
	return 0;
}

static int hash(struct gg_str text, char *to)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	if (EVP_Digest(text.p, text.len, digest, &len, EVP_sha256(), NULL) != 1 || len != 32)
		return -EIO;
	gg_format_hex(to, digest, len);
	return 0;
}

static void take_field(struct gg_revision *r, struct gg_str key, const struct gg_json_reader *json)
{
	char plain[HEADER];
	size_t len = json->text.len < sizeof plain ? gg_json_unescape(json->text, plain) : 0;
	struct gg_str value = gg_str_n(plain, len);
	if (gg_str_is(key, "number"))
		gg_parse_uint(value, &r->number);
	else if (gg_str_is(key, "bytes"))
		gg_parse_uint(value, &r->bytes);
	else if (gg_str_is(key, "time"))
		gg_time_parse(value, &r->time_ns);
	else if (gg_str_is(key, "who"))
		gg_str_copy(r->who, sizeof r->who, value);
	else if (gg_str_is(key, "why"))
		gg_str_copy(r->why, sizeof r->why, value);
	else if (gg_str_is(key, "sha256"))
		gg_str_copy(r->sha256, sizeof r->sha256, value);
}

/* Reads "# {...}"; damaged when it is not that. */
static void read_header(struct gg_str line, struct gg_revision *r)
{
	bool comment = gg_str_starts(line, GG_STR("# "));
	struct gg_json_reader json =
		gg_json_reader(comment ? gg_str_n(line.p + 2, line.len - 2) : GG_STR(""));
	enum gg_json_token token = gg_json_next(&json);
	struct gg_str key = GG_STR("");
	for (; token > GG_JSON_END; token = gg_json_next(&json)) {
		if (token == GG_JSON_KEY)
			key = json.text;
		else if (token == GG_JSON_STRING || token == GG_JSON_NUMBER)
			take_field(r, key, &json);
	}
	r->damaged = token == GG_JSON_ERROR || strlen(r->sha256) != 64;
}

static int read_one(int folder, uint64_t number, size_t most, struct gg_revision *r, struct gg_buf *to)
{
	char name[32];
	file_name(name, sizeof name, number);
	int rc = gg_file_read(folder, name, GG_FILE_NO_LINK | GG_FILE_HEAD, most, to);
	if (rc < 0)
		return rc;
	struct gg_str all = gg_buf_view(to);
	size_t end = gg_str_find(all, '\n');
	*r = (struct gg_revision){0};
	read_header(gg_str_n(all.p, end), r);
	r->damaged |= r->number != number;
	r->number = number;
	gg_buf_consume(to, gg_min_size(end + 1, to->len));
	return 0;
}

int gg_revisions_list(
	const char *data_dir, struct gg_revision **ret_all, size_t *ret_count, struct gg_error *e)
{
	uint64_t *numbers = NULL;
	size_t count = 0;
	int folder = open_folder(data_dir, false, e);
	if (folder == -ENOENT) {
		*ret_all = NULL;
		*ret_count = 0;
		return 0;
	}
	if (folder < 0)
		return folder;
	int rc = list_numbers(folder, &numbers, &count);
	struct gg_revision *all = rc == 0 ? calloc(count + 1, sizeof *all) : NULL;
	struct gg_buf text = GG_BUF(HEADER + 1);
	for (size_t i = 0; all && i < count; i++) {
		gg_buf_clear(&text);
		if (read_one(folder, numbers[i], HEADER, &all[i], &text) < 0) {
			all[i].number = numbers[i];
			all[i].damaged = true;
		}
	}
	gg_buf_done(&text);
	free(numbers);
	close(folder);
	if (!all)
		return failed(e, rc < 0 ? rc : -ENOMEM, "list", "files");
	*ret_all = all;
	*ret_count = count;
	return 0;
}

static int check_hash(const struct gg_revision *r, struct gg_str text)
{
	char sha256[65];
	int rc = hash(text, sha256);
	return rc < 0 ? rc : r->damaged || strcmp(sha256, r->sha256) != 0 ? -EIO : 0;
}

static int newest(int folder, uint64_t *ret_number)
{
	uint64_t *numbers = NULL;
	size_t count = 0;
	int rc = list_numbers(folder, &numbers, &count);
	if (rc == 0)
		*ret_number = count ? numbers[count - 1] : 0;
	free(numbers);
	return rc;
}

int gg_revision_read(const char *data_dir, uint64_t number, struct gg_revision *ret_revision,
	struct gg_buf *ret_text, struct gg_error *e)
{
	struct gg_revision r;
	struct gg_buf text = GG_BUF(TEXT);
	int folder = open_folder(data_dir, false, e);
	if (folder < 0)
		return folder;
	int rc = number ? 0 : newest(folder, &number);
	if (rc == 0 && number == 0)
		rc = -ENOENT;
	if (rc == 0)
		rc = read_one(folder, number, TEXT, &r, &text);
	close(folder);
	if (rc == -ENOENT)
		gg_error_set(e, rc, "there is no revision %llu", (unsigned long long)number);
	else if (rc < 0)
		gg_error_set(
			e, rc, "cannot read revision %llu: %s", (unsigned long long)number, strerror(-rc));
	else if ((rc = check_hash(&r, gg_buf_view(&text))) < 0)
		gg_error_set(e, rc, "revision %llu is damaged: its text is not what was stored",
			(unsigned long long)number);
	if (rc == 0) {
		*ret_revision = r;
		gg_buf_str(ret_text, gg_buf_view(&text));
		rc = ret_text->error;
	}
	gg_buf_done(&text);
	return rc;
}

static void write_header(struct gg_buf *to, const struct gg_revision *r)
{
	struct gg_json_writer w = gg_json_writer(to);
	gg_buf_str(to, GG_STR("# "));
	gg_json_begin_object(&w);
	gg_json_put_int(&w, "number", (int64_t)r->number);
	gg_json_put_time(&w, "time", r->time_ns);
	gg_json_put_str(&w, "who", gg_str(r->who));
	gg_json_put_str(&w, "why", gg_str(r->why));
	gg_json_put_str(&w, "sha256", gg_str(r->sha256));
	gg_json_put_int(&w, "bytes", (int64_t)r->bytes);
	gg_json_end_object(&w);
	gg_buf_char(to, '\n');
}

static int write_synced(int folder, const char *name, struct gg_str text)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int rc = 0;
	while (rc == 0 && text.len) {
		ssize_t n = write(fd, text.p, text.len);
		if (n >= 0)
			text = gg_str_n(text.p + n, text.len - (size_t)n);
		else if (errno != EINTR)
			rc = -errno;
	}
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

/* Never over an existing file: two that store at once get two numbers. */
static int publish(int folder, const char *from, const char *to)
{
	if (renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0)
		return fsync(folder) < 0 ? -errno : 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (faccessat(folder, to, F_OK, 0) == 0)
		return -EEXIST;
	return renameat(folder, from, folder, to) < 0 || fsync(folder) < 0 ? -errno : 0;
}

static int store_as(int folder, struct gg_revision *r, struct gg_str text)
{
	char name[32], fresh[48];
	struct gg_buf whole = GG_BUF(TEXT);
	file_name(name, sizeof name, r->number);
	snprintf(fresh, sizeof fresh, ".new-%ld", (long)getpid());
	write_header(&whole, r);
	gg_buf_str(&whole, text);
	int rc = whole.error ? whole.error : write_synced(folder, fresh, gg_buf_view(&whole));
	if (rc == 0)
		rc = publish(folder, fresh, name);
	if (rc < 0)
		unlinkat(folder, fresh, 0);
	gg_buf_done(&whole);
	return rc;
}

static bool is_stored(int folder, uint64_t number, const struct gg_revision *r)
{
	struct gg_revision last;
	struct gg_buf text = GG_BUF(TEXT);
	bool same = number && read_one(folder, number, TEXT, &last, &text) == 0 &&
		    check_hash(&last, gg_buf_view(&text)) == 0 && strcmp(last.sha256, r->sha256) == 0;
	gg_buf_done(&text);
	return same;
}

int gg_revision_store(const char *data_dir, const struct gg_revision *note, struct gg_str text,
	uint64_t *ret_number, struct gg_error *e)
{
	struct gg_revision r = *note;
	uint64_t last = 0;
	r.bytes = text.len;
	int folder = open_folder(data_dir, true, e);
	if (folder < 0)
		return folder;
	int rc = hash(text, r.sha256);
	if (rc == 0)
		rc = newest(folder, &last);
	bool stored = rc == 0 && is_stored(folder, last, &r);
	for (r.number = last + 1; rc == 0 && !stored; r.number++) {
		rc = store_as(folder, &r, text);
		if (rc == 0)
			break;
		rc = rc == -EEXIST ? 0 : rc;
	}
	close(folder);
	if (rc < 0)
		return failed(e, rc, "store", "of the configuration");
	*ret_number = stored ? last : r.number;
	return 0;
}
