/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual table rollups: signal, device, width, time, count, min, max, mean, sum, last; by signal, then
 * width, then time.
 */
#include "store/query_rollups.h"
#include "store/query_cursor.h"

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

struct cursor {
	struct gg_query_cursor head; /* first */
	struct gg_query_rollups rollups;
	unsigned width; /* index */
	int64_t ns;
	struct gg_summary sum;
};

static struct cursor *cursor_of(sqlite3_vtab_cursor *base)
{
	return GG_CONTAINER(base, struct cursor, head.base);
}

static int rollups_connect(sqlite3 *db, void *aux, GG_UNUSED int argc, GG_UNUSED const char *const *argv,
	sqlite3_vtab **ret_table, GG_UNUSED char **ret_error)
{
	return gg_query_connect(db, aux, &shape, ret_table);
}

static int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret_cursor)
{
	return gg_query_cursor_open(base, sizeof(struct cursor), ret_cursor);
}

static int cursor_close(sqlite3_vtab_cursor *base)
{
	struct cursor *c = cursor_of(base);
	gg_query_rollups_done(&c->rollups);
	return gg_query_cursor_close(&c->head);
}

/* ---- the walk: signals, of each the widths ---- */

static bool wanted(const struct cursor *c)
{
	int64_t width = c->head.scope.width;
	return width == 0 || width == gg_query_widths[c->width].ns;
}

/* On the width that it stands on, or the next one that is wanted; 0 when there is none left. */
static int begin(struct cursor *c)
{
	struct gg_query_cursor *h = &c->head;
	for (; h->at < h->scope.count; h->at++, c->width = 0)
		for (; c->width < GG_QUERY_WIDTHS; c->width++)
			if (wanted(c))
				return gg_query_rollups_begin(&c->rollups, h->reader,
					gg_str(h->scope.entries[h->at].name), gg_query_widths[c->width].ns,
					h->scope.from, h->scope.to);
	return 0;
}

static int step(struct cursor *c)
{
	while (c->head.at < c->head.scope.count) {
		int status = gg_query_rollups_next(&c->rollups, &c->ns, &c->sum);
		if (status == 1)
			return SQLITE_OK;
		c->width++;
		if (status == 0)
			status = begin(c);
		if (status < 0)
			return gg_query_failed(&c->head.base, status);
	}
	return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = cursor_of(base);
	c->head.row++;
	return step(c);
}

static int cursor_filter(
	sqlite3_vtab_cursor *base, GG_UNUSED int number, const char *plan, int count, sqlite3_value **values)
{
	struct cursor *c = cursor_of(base);
	c->width = 0;
	int status = gg_query_cursor_begin(&c->head, plan, count, values);
	if (status == 1)
		status = begin(c);
	return status < 0 ? gg_query_failed(base, status) : step(c);
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
	const struct cursor *c = cursor_of(base);
	struct gg_str name = gg_str(c->head.scope.entries[c->head.at].name);
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
	.xBestIndex = gg_query_best_index,
	.xDisconnect = gg_query_disconnect,
	.xOpen = cursor_open,
	.xClose = cursor_close,
	.xFilter = cursor_filter,
	.xNext = cursor_next,
	.xEof = gg_query_cursor_eof,
	.xColumn = cursor_column,
	.xRowid = gg_query_cursor_rowid};

int gg_query_add_rollups(sqlite3 *db, const struct gg_query_source *source)
{
	return sqlite3_create_module_v2(db, "rollups", &module, (void *)(uintptr_t)source, NULL);
}
