/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual tables samples and signals. What they look at is told by the query's conditions
 * (query_scope.h); a cursor walks its signals one by one with a history reader, of one signal also backward.
 */
#include "store/query_backward.h"
#include "store/query_cursor.h"

enum { COL_SIGNAL, COL_DEVICE, COL_TIME, COL_VALUE, COL_TEXT, COL_QUALITY, COL_REASON, COL_NS };
enum { COL_UNIT = 2, COL_TITLE = 3 };

static const uint8_t samples_roles[] = {GG_COL_SIGNAL, GG_COL_DEVICE, GG_COL_TIME, GG_COL_OTHER, GG_COL_OTHER,
	GG_COL_OTHER, GG_COL_OTHER, GG_COL_NS};
static const uint8_t signals_roles[] = {GG_COL_SIGNAL, GG_COL_DEVICE, GG_COL_OTHER, GG_COL_OTHER};

static const struct gg_query_shape shapes[] = {
	{"CREATE TABLE x (signal TEXT, device TEXT, unit TEXT, title TEXT)", signals_roles,
		GG_COUNT(signals_roles), false, false},
	{"CREATE TABLE x (signal TEXT, device TEXT, time TEXT, value, text, quality TEXT, reason TEXT,"
	 " ns INTEGER HIDDEN)",
		samples_roles, GG_COUNT(samples_roles), true, false},
};

struct cursor {
	struct gg_query_cursor head; /* first */
	struct gg_query_backward backward;
	struct gg_sample sample;
	struct gg_str text;
};

static int samples_connect(sqlite3 *db, void *aux, GG_UNUSED int argc, GG_UNUSED const char *const *argv,
	sqlite3_vtab **ret_table, GG_UNUSED char **ret_error)
{
	return gg_query_connect(db, aux, &shapes[1], ret_table);
}

static int signals_connect(sqlite3 *db, void *aux, GG_UNUSED int argc, GG_UNUSED const char *const *argv,
	sqlite3_vtab **ret_table, GG_UNUSED char **ret_error)
{
	return gg_query_connect(db, aux, &shapes[0], ret_table);
}

/* ---- the cursor ---- */

static struct cursor *cursor_of(sqlite3_vtab_cursor *base)
{
	return GG_CONTAINER(base, struct cursor, head.base);
}

static bool is_timed(const struct cursor *c)
{
	return GG_CONTAINER(c->head.base.pVtab, struct gg_query_table, base)->shape->timed;
}

static int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret_cursor)
{
	return gg_query_cursor_open(base, sizeof(struct cursor), ret_cursor);
}

static int cursor_close(sqlite3_vtab_cursor *base)
{
	struct cursor *c = cursor_of(base);
	gg_query_backward_done(&c->backward);
	return gg_query_cursor_close(&c->head);
}

static int seek(struct cursor *c)
{
	const struct gg_query_scope *s = &c->head.scope;
	struct gg_history_reader *reader = c->head.reader;
	struct gg_str name = gg_str(s->entries[c->head.at].name);
	return s->backward ? gg_query_backward_begin(&c->backward, reader, name, s->from, s->to)
			   : gg_history_seek(reader, name, s->from, s->to);
}

/* Goes on to the next sample, over the signals. */
static int step(struct cursor *c)
{
	struct gg_query_cursor *h = &c->head;
	while (h->at < h->scope.count) {
		int status = h->scope.backward ? gg_query_backward_next(&c->backward, &c->sample, &c->text)
					       : gg_history_next(h->reader, &c->sample, &c->text);
		if (status == 1)
			return SQLITE_OK;
		if (status == 0 && ++h->at < h->scope.count)
			status = seek(c);
		if (status < 0)
			return gg_query_failed(&h->base, status);
	}
	return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = cursor_of(base);
	c->head.row++;
	if (is_timed(c))
		return step(c);
	c->head.at++;
	return SQLITE_OK;
}

static int cursor_filter(
	sqlite3_vtab_cursor *base, GG_UNUSED int number, const char *plan, int count, sqlite3_value **values)
{
	struct cursor *c = cursor_of(base);
	int status = gg_query_cursor_begin(&c->head, plan, count, values);
	if (status == 1 && is_timed(c))
		status = seek(c);
	if (status < 0)
		return gg_query_failed(base, status);
	return is_timed(c) ? step(c) : SQLITE_OK;
}

void gg_query_result_text(sqlite3_context *to, struct gg_str s)
{
	sqlite3_result_text64(to, s.p, s.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void result_value(sqlite3_context *to, const struct gg_sample *s)
{
	switch (s->type) {
	case GG_TYPE_BOOL:
		sqlite3_result_int(to, s->v.b);
		break;
	case GG_TYPE_INT:
		sqlite3_result_int64(to, s->v.i);
		break;
	case GG_TYPE_UINT:
		if (s->v.u <= INT64_MAX)
			sqlite3_result_int64(to, (sqlite3_int64)s->v.u);
		else
			sqlite3_result_double(to, (double)s->v.u);
		break;
	case GG_TYPE_FLOAT:
		sqlite3_result_double(to, s->v.f);
		break;
	default:
		break; /* NULL */
	}
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *to, int column)
{
	const struct cursor *c = cursor_of(base);
	const struct gg_query_entry *e = &c->head.scope.entries[c->head.at];
	char time[GG_QUERY_TIME];
	if (column == COL_SIGNAL) {
		gg_query_result_text(to, gg_str(e->name));
		return SQLITE_OK;
	}
	if (column == COL_DEVICE) {
		gg_query_result_text(to, gg_query_device(gg_str(e->name)));
		return SQLITE_OK;
	}
	if (!is_timed(c)) {
		gg_query_result_text(to, gg_str(column == COL_UNIT ? e->unit : e->title));
		return SQLITE_OK;
	}
	switch (column) {
	case COL_TIME:
		sqlite3_result_text(
			to, time, (int)gg_query_time_text(time, c->sample.time_ns), SQLITE_TRANSIENT);
		break;
	case COL_VALUE:
		result_value(to, &c->sample);
		break;
	case COL_TEXT:
		if (c->sample.type == GG_TYPE_STRING)
			gg_query_result_text(to, c->text);
		else if (c->sample.type == GG_TYPE_BYTES)
			sqlite3_result_blob64(to, c->text.p, c->text.len, SQLITE_TRANSIENT);
		break;
	case COL_QUALITY:
		gg_query_result_text(to, gg_str(gg_quality_name(c->sample.quality)));
		break;
	case COL_REASON:
		if (c->sample.aux)
			gg_query_result_text(to, gg_str(gg_reason_text(c->sample.aux)));
		break;
	default:
		sqlite3_result_int64(to, c->sample.time_ns);
	}
	return SQLITE_OK;
}

#define MODULE(connect)                                                                                      \
	{                                                                                                    \
		.iVersion = 2, .xConnect = (connect), .xBestIndex = gg_query_best_index,                     \
		.xDisconnect = gg_query_disconnect, .xOpen = cursor_open, .xClose = cursor_close,            \
		.xFilter = cursor_filter, .xNext = cursor_next, .xEof = gg_query_cursor_eof,                 \
		.xColumn = cursor_column, .xRowid = gg_query_cursor_rowid                                    \
	}

static const sqlite3_module samples_module = MODULE(samples_connect);
static const sqlite3_module signals_module = MODULE(signals_connect);

int gg_query_add_tables(sqlite3 *db, const struct gg_query_source *source)
{
	void *arg = (void *)(uintptr_t)source;
	int code = sqlite3_create_module_v2(db, "samples", &samples_module, arg, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_create_module_v2(db, "signals", &signals_module, arg, NULL);
	if (code == SQLITE_OK)
		code = gg_query_add_rollups(db, source);
	/* Named once here, so that they are declared before an authorizer forbids CREATE TABLE. */
	sqlite3_stmt *s = NULL;
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(db, "SELECT 1 FROM samples, signals, rollups", -1, &s, NULL);
	sqlite3_finalize(s);
	return gg_sql_errno(code);
}
