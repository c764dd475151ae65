/* SPDX-License-Identifier: Apache-2.0 */
#include "store/query_cursor.h"

static struct gg_query_table *table_of(sqlite3_vtab *t)
{
	return GG_CONTAINER(t, struct gg_query_table, base);
}

static void say(sqlite3_vtab *t, const char *text)
{
	sqlite3_free(t->zErrMsg);
	t->zErrMsg = sqlite3_mprintf("%s", text);
}

int gg_query_failed(sqlite3_vtab_cursor *c, int status)
{
	if (status == -EINVAL)
		return SQLITE_ERROR;
	if (status == -ENOMEM)
		return SQLITE_NOMEM;
	say(c->pVtab, "the history can't be read");
	return SQLITE_IOERR;
}

int gg_query_connect(sqlite3 *db, void *aux, const struct gg_query_shape *shape, sqlite3_vtab **ret_table)
{
	int code = sqlite3_declare_vtab(db, shape->declare);
	if (code != SQLITE_OK)
		return code;
	struct gg_query_table *t = sqlite3_malloc(sizeof *t);
	if (!t)
		return SQLITE_NOMEM;
	*t = (struct gg_query_table){.source = aux, .shape = shape};
	*ret_table = &t->base;
	return SQLITE_OK;
}

int gg_query_disconnect(sqlite3_vtab *t)
{
	sqlite3_free(table_of(t));
	return SQLITE_OK;
}

int gg_query_best_index(sqlite3_vtab *t, sqlite3_index_info *info)
{
	return gg_query_plan(table_of(t)->shape, info);
}

int gg_query_cursor_open(sqlite3_vtab *t, size_t size, sqlite3_vtab_cursor **ret_cursor)
{
	struct gg_error e = {0};
	const struct gg_query_source *source = table_of(t)->source;
	struct gg_query_cursor *c = calloc(1, size);
	if (!c)
		return SQLITE_NOMEM;
	int status = source->history ? gg_history_reader_new(source->history, &c->reader, &e)
				     : gg_history_reader_open(source->history_path, &c->reader, &e);
	if (status < 0) {
		free(c);
		say(t, e.text);
		return status == -ENOMEM ? SQLITE_NOMEM : SQLITE_IOERR;
	}
	*ret_cursor = &c->base;
	return SQLITE_OK;
}

int gg_query_cursor_close(struct gg_query_cursor *c)
{
	gg_query_scope_done(&c->scope);
	gg_history_reader_free(c->reader);
	free(c);
	return SQLITE_OK;
}

int gg_query_cursor_begin(struct gg_query_cursor *c, const char *plan, int count, sqlite3_value **values)
{
	const char *text = "the plan can't be read";
	c->row = 0;
	c->at = 0;
	int status = gg_query_scope_set(
		&c->scope, table_of(c->base.pVtab)->shape, c->reader, plan, count, values, &text);
	if (status == -EINVAL)
		say(c->base.pVtab, text);
	if (status == 0)
		c->at = c->scope.count;
	return status;
}

int gg_query_cursor_eof(sqlite3_vtab_cursor *base)
{
	const struct gg_query_cursor *c = GG_CONTAINER(base, struct gg_query_cursor, base);
	return c->at >= c->scope.count;
}

int gg_query_cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_row)
{
	*ret_row = GG_CONTAINER(base, struct gg_query_cursor, base)->row;
	return SQLITE_OK;
}
