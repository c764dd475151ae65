/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segment files: their names, the list of them, and the walk over one's records.
 *
 * A record that fails its CRC is passed over if the record behind it is intact (a flipped bit costs one
 * record); otherwise the rest of the segment is lost, because nothing says where the next record begins.
 * The tail that a power cut tore looks the same: the writer's scan at start cuts it off.
 */
#include "base/log.h"
#include "store/journal_private.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_CHUNK = 256 << 10, NAME_DIGITS = 20 };

int gg_segment_path(char to[GG_PATH_MAX], const char *dir, uint64_t first)
{
	int n = snprintf(to, GG_PATH_MAX, "%s/%020llu.seg", dir, (unsigned long long)first);
	return n > 0 && n < GG_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* ---- the list ---- */

void gg_segment_list_done(struct gg_segment_list *l)
{
	free(l->items);
	*l = (struct gg_segment_list){0};
}

int gg_segment_list_add(struct gg_segment_list *l, struct gg_segment s)
{
	if (l->count == l->cap) {
		size_t want = l->cap ? l->cap * 2 : 64;
		struct gg_segment *fresh = realloc(l->items, want * sizeof *fresh);
		if (!fresh)
			return -ENOMEM;
		l->items = fresh;
		l->cap = want;
	}
	l->items[l->count++] = s;
	return 0;
}

void gg_segment_list_drop_first(struct gg_segment_list *l)
{
	if (l->count > 0)
		memmove(l->items, l->items + 1, --l->count * sizeof *l->items);
}

const struct gg_segment *gg_segment_list_at(const struct gg_segment_list *l, uint64_t position)
{
	for (size_t i = 0; i < l->count; i++)
		if (position < l->items[i].end)
			return &l->items[i];
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const struct gg_segment *x = a, *y = b;
	return x->first < y->first ? -1 : x->first > y->first;
}

static bool segment_name(const char *name, uint64_t *ret_first)
{
	size_t len = strlen(name);
	if (len != NAME_DIGITS + 4 || strcmp(name + NAME_DIGITS, ".seg") != 0)
		return false;
	return gg_parse_uint(gg_str_n(name, NAME_DIGITS), ret_first) == 0;
}

static int read_head(struct gg_segment_list *l, struct gg_seal *seal, const char *dir, uint64_t first,
	struct gg_segment_head *ret_head)
{
	char path[GG_PATH_MAX];
	int status = gg_segment_path(path, dir, first);
	if (status < 0)
		return status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	status = gg_segment_head_read(fd, first, seal, ret_head);
	close(fd);
	if (status == -ENOKEY)
		l->unopened++;
	return status == -ENOKEY ? 0 : status;
}

/* No header: new segments must not take its name, and one that was made but never written can go. */
static void set_aside(struct gg_segment_list *l, const char *dir, uint64_t first)
{
	char path[GG_PATH_MAX];
	uint8_t bytes[GG_SEGMENT_HEADER] = {0}, zero[GG_SEGMENT_HEADER] = {0};
	struct stat st = {0};
	int fd = gg_segment_path(path, dir, first) == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	ssize_t n = fstat(fd, &st) == 0 ? pread(fd, bytes, sizeof bytes, 0) : -1;
	close(fd);
	if (n >= 0 && memcmp(bytes, zero, sizeof zero) == 0 && l->may_remove)
		unlink(path);
	else if (first + (uint64_t)st.st_size > l->beyond)
		l->beyond = first + (uint64_t)st.st_size;
}

static const char *why_not(int status)
{
	if (status == -EBADMSG)
		return "segment without a valid header, passing over it";
	if (status == -EKEYREJECTED)
		return "segment whose header does not open with the key, while others' do: it was changed or "
		       "comes "
		       "from elsewhere, passing over it";
	return "plain segment behind a sealed one: somebody put it there, passing over it";
}

static void pass_over(struct gg_segment_list *l, const char *dir, uint64_t first, int status)
{
	set_aside(l, dir, first);
	gg_log(GG_WARN, "journal", why_not(status), GG_I("position", first));
}

/* Who has begun to seal has not written a plain segment since. */
static bool is_planted(const struct gg_segment_list *l, size_t count, enum gg_segment_form form)
{
	for (size_t i = 0; i < count && form == GG_SEGMENT_PLAIN; i++)
		if (l->items[i].form == GG_SEGMENT_SEALED)
			return true;
	return false;
}

/* Reads the headers: when each was made, and where the one before it ends. */
static int complete(struct gg_segment_list *l, struct gg_seal *seal, const char *dir)
{
	size_t kept = 0, rejected = 0, opened = 0;
	int status = 0;
	l->unopened = 0;
	for (size_t i = 0; i < l->count; i++) {
		struct gg_segment_head head = {0};
		uint64_t first = l->items[i].first;
		status = read_head(l, seal, dir, first, &head);
		rejected += status == -EKEYREJECTED;
		if (status == 0 && is_planted(l, kept, head.h.form))
			status = -EPERM;
		if (status == -ENOENT)
			continue; /* retention was quicker */
		if (status == -EBADMSG || status == -EKEYREJECTED || status == -EPERM) {
			pass_over(l, dir, first, status);
			continue;
		}
		if (status < 0)
			return status;
		const struct gg_segment_header *h = &head.h;
		opened += h->form != GG_SEGMENT_PLAIN;
		if (kept > 0 && h->previous_end <= first)
			l->items[kept - 1].end = h->previous_end;
		l->items[kept++] = (struct gg_segment){first, head.end, h->created_ns, h->form};
	}
	l->count = kept;
	return l->unopened ? -ENOKEY : rejected && !opened ? -EKEYREJECTED : 0;
}

int gg_segment_list_load(struct gg_segment_list *l, const char *dir)
{
	DIR *d = opendir(dir);
	if (!d)
		return -errno;
	int status = 0;
	l->count = 0;
	for (struct dirent *e; status == 0 && (e = readdir(d));) {
		uint64_t first;
		if (segment_name(e->d_name, &first))
			status = gg_segment_list_add(l, (struct gg_segment){.first = first});
	}
	closedir(d);
	struct gg_seal *seal = NULL;
	if (status == 0 && l->key)
		status = gg_seal_new(l->key, &seal);
	if (status < 0)
		return status;
	if (l->count > 1)
		qsort(l->items, l->count, sizeof *l->items, compare);
	status = complete(l, seal, dir);
	gg_seal_free(seal);
	return status;
}

/* ---- the walk ---- */

int gg_segment_reader_open(struct gg_segment_reader *r, const char *dir, uint64_t first)
{
	char path[GG_PATH_MAX];
	struct gg_segment_head head = {0};
	int status = gg_segment_path(path, dir, first);
	if (status == 0 && r->key && !r->seal)
		status = gg_seal_new(r->key, &r->seal);
	if (status < 0)
		return status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	status = gg_segment_head_read(fd, first, r->seal, &head);
	if (status < 0) {
		close(fd);
		return status;
	}
	if (r->fd >= 0)
		close(r->fd);
	r->fd = fd;
	r->first = first;
	r->form = head.h.form;
	r->plain.max = GG_RECORD_MAX + 1;
	r->position = head.begin;
	r->tags_at = head.end;
	r->len = r->at = r->tags_len = r->tags_used = 0;
	return 0;
}

void gg_segment_reader_done(struct gg_segment_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	free(r->buf);
	gg_buf_done(&r->plain);
	gg_seal_free(r->seal);
	r->fd = -1;
	r->buf = NULL;
	r->seal = NULL;
	r->cap = r->len = r->at = 0;
}

/* Has want bytes from position in the buffer: 1, or 0 when the file ends before, or -errno. Nothing behind
 * limit is read: there the writer may be at work, and what we saw of it would be taken for the record later.
 */
static int fill(struct gg_segment_reader *r, uint64_t limit, size_t want)
{
	if (r->len - r->at >= want)
		return 1;
	if (r->at > 0 && r->len > r->at)
		memmove(r->buf, r->buf + r->at, r->len - r->at);
	r->len -= r->at;
	r->at = 0;
	size_t cap = gg_max_size(want, READ_CHUNK);
	if (cap > r->cap) {
		uint8_t *fresh = realloc(r->buf, cap);
		if (!fresh)
			return -ENOMEM;
		r->buf = fresh;
		r->cap = cap;
	}
	while (r->len < want) {
		uint64_t from = r->position - r->first + r->len, left = limit - r->position - r->len;
		size_t room = r->cap - r->len;
		ssize_t n = pread(r->fd, r->buf + r->len, left < room ? (size_t)left : room, (off_t)from);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		r->len += (size_t)n;
	}
	return 1;
}

/* Looks at the record that begins `ahead` bytes behind position: 1 intact, 0 the end, -EBADMSG damaged with a
 * plausible length, -EPROTO no header at all. */
static int look(
	struct gg_segment_reader *r, uint64_t limit, size_t ahead, struct gg_record_header *ret_header)
{
	uint64_t at = r->position + ahead;
	if (limit - r->position < ahead + GG_RECORD_HEADER)
		return 0;
	int status = fill(r, limit, ahead + GG_RECORD_HEADER);
	if (status <= 0)
		return status;
	*ret_header = gg_record_header_decode(r->buf + r->at + ahead);
	if (ret_header->kind == 0 && ret_header->length == 0 && ret_header->crc == 0)
		return 0;
	if (!gg_record_header_plausible(ret_header) ||
		limit - at < GG_RECORD_HEADER + (uint64_t)ret_header->length)
		return -EPROTO;
	status = fill(r, limit, ahead + GG_RECORD_HEADER + ret_header->length);
	if (status <= 0)
		return status < 0 ? status : -EPROTO;
	const uint8_t *content = r->buf + r->at + ahead + GG_RECORD_HEADER;
	return gg_record_intact(ret_header, at, content) ? 1 : -EBADMSG;
}

static void advance(struct gg_segment_reader *r, size_t n)
{
	r->at += n;
	r->position += n;
}

int gg_segment_next(struct gg_segment_reader *r, uint64_t limit, struct gg_raw_record *ret_record)
{
	struct gg_record_header h;
	if (limit <= r->position)
		return 0;
	int status = look(r, limit, 0, &h);
	if (status <= 0 && r->len > r->at) { /* beside a writer without a limit: it may have come since */
		r->len = r->at;
		status = look(r, limit, 0, &h);
	}
	if (status == -EBADMSG) {
		struct gg_record_header behind;
		size_t step = GG_RECORD_HEADER + h.length;
		status = look(r, limit, step, &behind);
		if (status == 1) {
			r->damaged += step;
			advance(r, step);
			h = behind;
		} else if (status == 0 || status == -EPROTO || status == -EBADMSG) {
			status = -EBADMSG;
		} /* a disk that does not read says nothing about what is there */
	}
	if (status == 1) {
		ret_record->position = r->position;
		ret_record->kind = h.kind;
		ret_record->length = h.length;
		ret_record->content = gg_str_n(r->buf + r->at + GG_RECORD_HEADER, h.length);
		advance(r, GG_RECORD_HEADER + h.length);
		return 1;
	}
	return status == -EPROTO ? -EBADMSG : status;
}
