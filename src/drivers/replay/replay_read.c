/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows out of files. A file is read in chunks of 64 KiB, at most one per call, so that a long recording never
 * holds the loop. Columns are numbered once for all files, by name; a CSV file's header says which of them
 * stands where, and JSON lines name them themselves.
 */
#include "base/json.h"
#include "drivers/replay/csv_codec.h"
#include "drivers/replay/replay.h"

#include <fcntl.h>
#include <unistd.h>

enum { CHUNK = 64 << 10 };

const char *gg_replay_file(const struct gg_replay *r, size_t i)
{
	if (r->file && i == 0)
		return r->file;
	i -= r->file != NULL;
	return i < r->files.count ? r->files.items[i] : NULL;
}

void gg_replay_reader_done(struct gg_replay_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = -1;
	for (size_t i = 0; i < reader->column_count; i++)
		free(reader->columns[i].name);
	reader->column_count = 0;
	gg_map_done(&reader->by_name);
	free(reader->buffer);
	reader->buffer = NULL;
}

/* ---- columns ---- */

static bool is_time_name(struct gg_str name)
{
	static const char *const usual[] = {"time", "timestamp", "ts", "date", "datetime", "Time",
		"Timestamp", "TIMESTAMP", "Date", "DateTime", "_time"};
	for (size_t i = 0; i < GG_COUNT(usual); i++)
		if (gg_str_is(name, usual[i]))
			return true;
	return false;
}

static enum gg_replay_role role_of(const struct gg_replay *r, struct gg_str name)
{
	if (r->time ? gg_str_is(name, r->time) : !r->every && is_time_name(name))
		return GG_ROLE_TIME;
	if (r->device_column && gg_str_is(name, r->device_column))
		return GG_ROLE_DEVICE;
	if (r->signal_column && gg_str_is(name, r->signal_column))
		return GG_ROLE_SIGNAL;
	if (r->signal_column && gg_str_is(name, r->value_column))
		return GG_ROLE_VALUE;
	return r->signal_column ? GG_ROLE_NONE : GG_ROLE_DATA;
}

static const struct gg_replay_signal *signal_of(const struct gg_replay *r, struct gg_str column)
{
	const struct gg_replay_signal *signals = r->signals.items;
	for (size_t i = 0; i < r->signals.count; i++)
		if (gg_str_is(column, signals[i].column ? signals[i].column : signals[i].name))
			return &signals[i];
	return NULL;
}

/* The number of a column, made when it is new. */
static int column_of(struct gg_replay *r, struct gg_str name, uint32_t *ret_column)
{
	struct gg_replay_reader *f = &r->reader;
	uint64_t found = gg_map_get(&f->by_name, name, GG_NONE);
	if (found == GG_NONE) {
		if (f->column_count == GG_REPLAY_COLUMNS)
			return -E2BIG;
		char *copy = gg_str_dup(name);
		if (!copy || gg_map_put(&f->by_name, name, f->column_count) < 0) {
			free(copy);
			return -ENOMEM;
		}
		struct gg_replay_column *c = &f->columns[f->column_count];
		*c = (struct gg_replay_column){copy, role_of(r, name), signal_of(r, name)};
		if (c->role == GG_ROLE_DATA && r->signals.count && !c->signal)
			c->role = GG_ROLE_NONE;
		found = f->column_count++;
	}
	*ret_column = (uint32_t)found;
	return 0;
}

/* ---- bytes ---- */

static int open_file(struct gg_replay *r, size_t i, struct gg_error *e)
{
	struct gg_replay_reader *f = &r->reader;
	const char *path = gg_replay_file(r, i);
	if (f->fd >= 0)
		close(f->fd);
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (f->fd < 0) {
		int rc = -errno;
		return gg_error_set(e, rc, "cannot open the recording \"%s\": %s", path, strerror(-rc));
	}
	f->file = i;
	f->from = f->to = 0;
	f->ended = f->started = false;
	f->line = 0;
	return 0;
}

/* One chunk more behind what is left. Errors: -E2BIG a line is too long. */
static int read_more(struct gg_replay_reader *f)
{
	if (f->from) {
		memmove(f->buffer, f->buffer + f->from, f->to - f->from);
		f->to -= f->from;
		f->from = 0;
	}
	if (f->to + CHUNK > f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 2 * CHUNK;
		if (cap > 2 * GG_REPLAY_LINE)
			return -E2BIG;
		char *buffer = realloc(f->buffer, cap);
		if (!buffer)
			return -ENOMEM;
		f->buffer = buffer;
		f->cap = cap;
	}
	ssize_t n = read(f->fd, f->buffer + f->to, CHUNK);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	f->to += (size_t)n;
	f->ended = n == 0;
	return 0;
}

static struct gg_str waiting(const struct gg_replay_reader *f)
{
	return f->buffer ? gg_str_n(f->buffer + f->from, f->to - f->from) : GG_STR("");
}

/* ---- CSV ---- */

static char separator_of(const struct gg_replay *r)
{
	if (!r->separator || strcmp(r->separator, "auto") == 0)
		return gg_csv_guess(waiting(&r->reader));
	if (strcmp(r->separator, "tab") == 0)
		return '\t';
	return strcmp(r->separator, "blank") == 0 ? ' ' : r->separator[0];
}

static int csv_fields(struct gg_replay_reader *f, struct gg_csv_field *fields, size_t *ret_count)
{
	size_t used = 0;
	int rc = gg_csv_record(f->buffer + f->from, f->to - f->from, f->ended, f->separator, fields,
		GG_REPLAY_COLUMNS, ret_count, &used);
	if (rc == -EAGAIN)
		return rc;
	f->from += used;
	f->line++;
	return rc;
}

static int csv_header(struct gg_replay *r)
{
	struct gg_replay_reader *f = &r->reader;
	static const char bom[] = "\xef\xbb\xbf";
	struct gg_csv_field fields[GG_REPLAY_COLUMNS];
	if (gg_str_starts(waiting(f), gg_str(bom)))
		f->from += 3;
	f->separator = separator_of(r);
	size_t count = r->columns.count;
	for (size_t i = 0; i < count && i < GG_REPLAY_COLUMNS; i++)
		fields[i] = (struct gg_csv_field){gg_str(r->columns.items[i]), false};
	if (r->header) {
		size_t in_file = 0;
		struct gg_csv_field header[GG_REPLAY_COLUMNS];
		int rc = csv_fields(f, header, &in_file);
		if (rc < 0)
			return rc;
		if (count == 0)
			memcpy(fields, header, (count = in_file) * sizeof *header);
	}
	f->order_count = 0;
	for (size_t i = 0; i < count; i++) {
		int rc = column_of(r, fields[i].text, &f->order[f->order_count++]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int csv_row(struct gg_replay *r)
{
	struct gg_replay_reader *f = &r->reader;
	struct gg_csv_field fields[GG_REPLAY_COLUMNS];
	size_t count = 0;
	int rc = csv_fields(f, fields, &count);
	if (rc < 0)
		return rc == -E2BIG ? -EINVAL : rc;
	r->row->count = 0;
	for (size_t i = 0; i < count && i < f->order_count; i++)
		r->row->cells[r->row->count++] =
			(struct gg_replay_cell){f->order[i], fields[i].text, fields[i].quoted};
	return count ? 1 : -ENODATA;
}

/* ---- JSON lines ---- */

static int json_member(struct gg_replay *r, struct gg_json_reader *j)
{
	uint32_t column = 0;
	if (j->escaped)
		return -EINVAL;
	int rc = column_of(r, j->text, &column);
	enum gg_json_token t = gg_json_next(j);
	if (rc < 0)
		return rc;
	struct gg_replay_cell cell = {column, j->text, t == GG_JSON_STRING};
	if (t == GG_JSON_TRUE || t == GG_JSON_FALSE)
		cell.text = t == GG_JSON_TRUE ? GG_STR("true") : GG_STR("false");
	else if (t == GG_JSON_STRING && j->escaped) /* in place: what comes out is never longer */
		cell.text.len = gg_json_unescape(j->text, (char *)(uintptr_t)j->text.p);
	else if (t == GG_JSON_OBJECT || t == GG_JSON_ARRAY)
		return gg_json_skip(j, t) ? 0 : -EINVAL;
	else if (t != GG_JSON_STRING && t != GG_JSON_NUMBER)
		return t == GG_JSON_NULL ? 0 : -EINVAL;
	if (r->row->count == GG_REPLAY_COLUMNS)
		return -EINVAL;
	r->row->cells[r->row->count++] = cell;
	return 0;
}

static int json_row(struct gg_replay *r)
{
	struct gg_replay_reader *f = &r->reader;
	struct gg_str text = waiting(f);
	size_t end = gg_str_find(text, '\n');
	if (end == text.len && !f->ended)
		return -EAGAIN;
	f->from += end < text.len ? end + 1 : end;
	f->line++;
	struct gg_str line = gg_str_trim(gg_str_n(text.p, end));
	if (line.len == 0)
		return -ENODATA;
	struct gg_json_reader j = gg_json_reader(line);
	r->row->count = 0;
	if (gg_json_next(&j) != GG_JSON_OBJECT)
		return -EINVAL;
	enum gg_json_token t;
	while ((t = gg_json_next(&j)) == GG_JSON_KEY) {
		int rc = json_member(r, &j);
		if (rc < 0)
			return rc == -ENOMEM ? rc : -EINVAL;
	}
	return t == GG_JSON_OBJECT_END && gg_json_next(&j) == GG_JSON_END ? 1 : -EINVAL;
}

/* ---- files ---- */

/* Format and header, once the first line is there. */
static int begin_file(struct gg_replay *r)
{
	struct gg_replay_reader *f = &r->reader;
	struct gg_str text = waiting(f);
	if (gg_str_find(text, '\n') == text.len && !f->ended)
		return -EAGAIN;
	f->format = (enum gg_replay_format)r->format;
	if (f->format == GG_REPLAY_AUTO)
		f->format = gg_str_starts(gg_str_trim(text), GG_STR("{")) ? GG_REPLAY_JSON : GG_REPLAY_CSV;
	int rc = f->format == GG_REPLAY_CSV ? csv_header(r) : 0;
	f->started = rc == 0;
	return rc;
}

int gg_replay_rewind(struct gg_replay *r, struct gg_error *e)
{
	return open_file(r, 0, e);
}

static int next_file(struct gg_replay *r)
{
	struct gg_error e;
	if (!gg_replay_file(r, r->reader.file + 1))
		return 0;
	int rc = open_file(r, r->reader.file + 1, &e);
	return rc < 0 ? rc : -EAGAIN;
}

int gg_replay_next(struct gg_replay *r)
{
	struct gg_replay_reader *f = &r->reader;
	int rc = -ENODATA;
	while (rc == -ENODATA) { /* an empty line */
		if (f->started && f->from == f->to && f->ended)
			return next_file(r);
		rc = !f->started ? begin_file(r) : f->format == GG_REPLAY_CSV ? csv_row(r) : json_row(r);
		if (rc == 0)
			rc = -ENODATA; /* the header has been read: now a row */
	}
	if (rc == -EAGAIN) {
		int more = read_more(f);
		return more < 0 ? more : -EAGAIN;
	}
	return rc;
}
