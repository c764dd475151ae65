/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual tables samples and signals. What they look at is told by the query's conditions
 * (query_scope.h); a cursor walks its signals one by one with a history reader, of one signal also backward.
 */
#include "store/query_backward.h"
#include "store/query_scope.h"

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

struct table {
	sqlite3_vtab base;
	const struct gg_query_source *source;
	const struct gg_query_shape *shape;
};

struct cursor {
	sqlite3_vtab_cursor base;
	struct gg_history_reader *reader;
	struct gg_query_scope scope;
	struct gg_query_backward backward;
	size_t at;
	struct gg_sample sample;
	struct gg_str text;
	sqlite3_int64 row;
};

int gg_query_failed(sqlite3_vtab_cursor *c, int code, const char *text)
{
	sqlite3_free(c->pVtab->zErrMsg);
	c->pVtab->zErrMsg = sqlite3_mprintf("%s", text);
	return code;
}

int gg_query_read_failed(sqlite3_vtab_cursor *c, int status)
{
	return status == -ENOMEM ? SQLITE_NOMEM
				 : gg_query_failed(c, SQLITE_IOERR, "the history can't be read");
}

/* ---- the table ---- */

static const struct gg_query_shape *shape_of(const sqlite3_vtab *base)
{
	return GG_CONTAINER(base, const struct table, base)->shape;
}

static int table_connect(sqlite3 *db, void *aux, bool samples, sqlite3_vtab **ret_table)
{
	int code = sqlite3_declare_vtab(db, shapes[samples].declare);
	if (code != SQLITE_OK)
		return code;
	struct table *t = sqlite3_malloc(sizeof *t);
	if (!t)
		return SQLITE_NOMEM;
	*t = (struct table){.source = aux, .shape = &shapes[samples]};
	*ret_table = &t->base;
	return SQLITE_OK;
}

static int samples_connect(sqlite3 *db, void *aux, GG_UNUSED int argc, GG_UNUSED const char *const *argv,
	sqlite3_vtab **ret_table, GG_UNUSED char **ret_error)
{
	return table_connect(db, aux, true, ret_table);
}

static int signals_connect(sqlite3 *db, void *aux, GG_UNUSED int argc, GG_UNUSED const char *const *argv,
	sqlite3_vtab **ret_table, GG_UNUSED char **ret_error)
{
	return table_connect(db, aux, false, ret_table);
}

static int table_disconnect(sqlite3_vtab *t)
{
	sqlite3_free(GG_CONTAINER(t, struct table, base));
	return SQLITE_OK;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	return gg_query_plan(shape_of(base), info);
}

/* ---- the cursor ---- */

int gg_query_open_reader(
	const struct gg_query_source *source, sqlite3_vtab *base, struct gg_history_reader **ret_reader)
{
	struct gg_error e = {0};
	int status = source->history ? gg_history_reader_new(source->history, ret_reader, &e)
				     : gg_history_reader_open(source->history_path, ret_reader, &e);
	if (status == 0)
		return SQLITE_OK;
	base->zErrMsg = sqlite3_mprintf("%s", e.text);
	return status == -ENOMEM ? SQLITE_NOMEM : SQLITE_IOERR;
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
	gg_query_backward_done(&c->backward);
	gg_history_reader_free(c->reader);
	free(c);
	return SQLITE_OK;
}

static int seek(struct cursor *c)
{
	const struct gg_query_scope *s = &c->scope;
	struct gg_str name = gg_str(s->entries[c->at].name);
	return s->backward ? gg_query_backward_begin(&c->backward, c->reader, name, s->from, s->to)
			   : gg_history_seek(c->reader, name, s->from, s->to);
}

/* Goes on to the next sample, over the signals. */
static int step(struct cursor *c)
{
	while (c->at < c->scope.count) {
		int status = c->scope.backward ? gg_query_backward_next(&c->backward, &c->sample, &c->text)
					       : gg_history_next(c->reader, &c->sample, &c->text);
		if (status == 1)
			return SQLITE_OK;
		if (status == 0 && ++c->at < c->scope.count)
			status = seek(c);
		if (status < 0)
			return gg_query_read_failed(&c->base, status);
	}
	return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	c->row++;
	if (shape_of(base->pVtab)->timed)
		return step(c);
	c->at++;
	return SQLITE_OK;
}

static int cursor_filter(
	sqlite3_vtab_cursor *base, GG_UNUSED int number, const char *plan, int count, sqlite3_value **values)
{
	struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	const struct gg_query_shape *shape = shape_of(base->pVtab);
	const char *text = "the plan can't be read";
	c->row = 0;
	c->at = 0;
	int status = gg_query_scope_set(&c->scope, shape, c->reader, plan, count, values, &text);
	if (status == -EINVAL)
		return gg_query_failed(base, SQLITE_ERROR, text);
	if (status == 0)
		c->at = c->scope.count;
	if (status == 1 && shape->timed)
		status = seek(c);
	if (status < 0)
		return gg_query_read_failed(base, status);
	return shape->timed ? step(c) : SQLITE_OK;
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
	struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	const struct gg_query_entry *e = &c->scope.entries[c->at];
	char time[GG_QUERY_TIME];
	if (column == COL_SIGNAL) {
		gg_query_result_text(to, gg_str(e->name));
		return SQLITE_OK;
	}
	if (column == COL_DEVICE) {
		gg_query_result_text(to, gg_query_device(gg_str(e->name)));
		return SQLITE_OK;
	}
	if (!shape_of(base->pVtab)->timed) {
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
		.iVersion = 2, .xConnect = (connect), .xBestIndex = best_index,                              \
		.xDisconnect = table_disconnect, .xOpen = cursor_open, .xClose = cursor_close,               \
		.xFilter = cursor_filter, .xNext = cursor_next, .xEof = cursor_eof,                          \
		.xColumn = cursor_column, .xRowid = cursor_rowid                                             \
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
