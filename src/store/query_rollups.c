/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual table rollups: signal, device, width, time, count, min, max, mean, sum, last; by signal, then
 * width, then time.
 */
#include "store/query_rollups.h"
#include "store/query_scope.h"

enum {
	COL_SIGNAL,
	COL_DEVICE,
	COL_WIDTH,
	COL_TIME,
	COL_COUNT,
	COL_MIN,
	COL_MAX,
	COL_MEAN,
	COL_SUM,
	COL_LAST
};

static const uint8_t roles[] = {GG_COL_SIGNAL, GG_COL_DEVICE, GG_COL_WIDTH, GG_COL_TIME, GG_COL_OTHER,
	GG_COL_OTHER, GG_COL_OTHER, GG_COL_OTHER, GG_COL_OTHER, GG_COL_OTHER, GG_COL_NS};
static const struct gg_query_shape shape = {
	"CREATE TABLE x (signal TEXT, device TEXT, width TEXT, time TEXT, count INTEGER, min REAL, max REAL,"
	" mean REAL, sum REAL, last REAL, ns INTEGER HIDDEN)",
	roles, GG_COUNT(roles), true, true};

struct table {
	sqlite3_vtab base;
	const struct gg_query_source *source;
};

struct cursor {
	sqlite3_vtab_cursor base;
	struct gg_history_reader *reader;
	struct gg_query_scope scope;
	struct gg_query_rollups rollups;
	size_t at;
	unsigned width; /* index */
	int64_t ns;
	struct gg_summary sum;
	sqlite3_int64 row;
};

static int rollups_connect(sqlite3 *db, void *aux, GG_UNUSED int argc, GG_UNUSED const char *const *argv,
	sqlite3_vtab **ret_table, GG_UNUSED char **ret_error)
{
	int code = sqlite3_declare_vtab(db, shape.declare);
	struct table *t = code == SQLITE_OK ? sqlite3_malloc(sizeof *t) : NULL;
	if (!t)
		return code == SQLITE_OK ? SQLITE_NOMEM : code;
	*t = (struct table){.source = aux};
	*ret_table = &t->base;
	return SQLITE_OK;
}

static int rollups_disconnect(sqlite3_vtab *t)
{
	sqlite3_free(GG_CONTAINER(t, struct table, base));
	return SQLITE_OK;
}

static int best_index(GG_UNUSED sqlite3_vtab *base, sqlite3_index_info *info)
{
	return gg_query_plan(&shape, info);
}

static int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret_cursor)
{
	struct cursor *c = calloc(1, sizeof *c);
	if (!c)
		return SQLITE_NOMEM;
	int code = gg_query_open_reader(GG_CONTAINER(base, struct table, base)->source, base, &c->reader);
	if (code != SQLITE_OK) {
		free(c);
		return code;
	}
	*ret_cursor = &c->base;
	return SQLITE_OK;
}

static int cursor_close(sqlite3_vtab_cursor *base)
{
	struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	gg_query_scope_done(&c->scope);
	gg_query_rollups_done(&c->rollups);
	gg_history_reader_free(c->reader);
	free(c);
	return SQLITE_OK;
}

/* ---- the walk: signals, of each the widths ---- */

static bool wanted(const struct cursor *c)
{
	return c->scope.width == 0 || c->scope.width == gg_query_widths[c->width].ns;
}

/* On the width that it stands on, or the next one that is wanted; 0 when there is none left. */
static int begin(struct cursor *c)
{
	for (; c->at < c->scope.count; c->at++, c->width = 0)
		for (; c->width < GG_QUERY_WIDTHS; c->width++)
			if (wanted(c))
				return gg_query_rollups_begin(&c->rollups, c->reader,
					gg_str(c->scope.entries[c->at].name), gg_query_widths[c->width].ns,
					c->scope.from, c->scope.to);
	return 0;
}

static int step(struct cursor *c)
{
	while (c->at < c->scope.count) {
		int status = gg_query_rollups_next(&c->rollups, &c->ns, &c->sum);
		if (status == 1)
			return SQLITE_OK;
		c->width++;
		if (status == 0)
			status = begin(c);
		if (status < 0)
			return gg_query_read_failed(&c->base, status);
	}
	return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	c->row++;
	return step(c);
}

static int cursor_filter(
	sqlite3_vtab_cursor *base, GG_UNUSED int number, const char *plan, int count, sqlite3_value **values)
{
	struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	const char *text = "the plan can't be read";
	c->row = 0;
	c->at = c->width = 0;
	int status = gg_query_scope_set(&c->scope, &shape, c->reader, plan, count, values, &text);
	if (status == -EINVAL)
		return gg_query_failed(base, SQLITE_ERROR, text);
	if (status == 0)
		c->at = c->scope.count;
	if (status == 1)
		status = begin(c);
	return status < 0 ? gg_query_read_failed(base, status) : step(c);
}

static int cursor_eof(sqlite3_vtab_cursor *base)
{
	const struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	return c->at >= c->scope.count;
}

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_row)
{
	*ret_row = GG_CONTAINER(base, struct cursor, base)->row;
	return SQLITE_OK;
}

static void result_number(const struct cursor *c, sqlite3_context *to, int column)
{
	const struct gg_summary *s = &c->sum;
	const double values[] = {s->min, s->max, s->sum / (double)s->count, s->sum, s->last};
	if (column == COL_COUNT)
		sqlite3_result_int64(to, (sqlite3_int64)s->count);
	else if (column >= COL_MIN && column <= COL_LAST)
		sqlite3_result_double(to, values[column - COL_MIN]);
	else
		sqlite3_result_int64(to, c->ns);
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *to, int column)
{
	const struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	struct gg_str name = gg_str(c->scope.entries[c->at].name);
	char time[GG_QUERY_TIME];
	switch (column) {
	case COL_SIGNAL:
		gg_query_result_text(to, name);
		break;
	case COL_DEVICE:
		gg_query_result_text(to, gg_query_device(name));
		break;
	case COL_WIDTH:
		sqlite3_result_text(to, gg_query_widths[c->width].text, -1, SQLITE_STATIC);
		break;
	case COL_TIME:
		sqlite3_result_text(to, time, (int)gg_query_time_text(time, c->ns), SQLITE_TRANSIENT);
		break;
	default:
		result_number(c, to, column);
	}
	return SQLITE_OK;
}

static const sqlite3_module module = {.iVersion = 2,
	.xConnect = rollups_connect,
	.xBestIndex = best_index,
	.xDisconnect = rollups_disconnect,
	.xOpen = cursor_open,
	.xClose = cursor_close,
	.xFilter = cursor_filter,
	.xNext = cursor_next,
	.xEof = cursor_eof,
	.xColumn = cursor_column,
	.xRowid = cursor_rowid};

int gg_query_add_rollups(sqlite3 *db, const struct gg_query_source *source)
{
	return sqlite3_create_module_v2(db, "rollups", &module, (void *)(uintptr_t)source, NULL);
}
