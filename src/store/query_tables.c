/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual tables samples and signals. xBestIndex writes the conditions it takes into the plan's text, a
 * letter each, in the order of their arguments:
 *
 *   s signal =    g signal GLOB    d device =    time: = < { (<=) > } (>=)    ns: the same, after an n
 *
 * A cursor has a list of signals (one, or those that match) and walks them one by one with a history reader.
 */
#include "store/query_private.h"

enum { COL_SIGNAL, COL_DEVICE, COL_TIME, COL_VALUE, COL_TEXT, COL_QUALITY, COL_REASON, COL_NS };
enum { COL_UNIT = 2, COL_TITLE = 3, ARGS_MAX = 32, NAMES_MAX = 1 << 20 };

struct table {
	sqlite3_vtab base;
	const struct gg_query_source *source;
	bool samples;
};

struct entry {
	char *name, *unit, *title;
};

struct cursor {
	sqlite3_vtab_cursor base;
	struct gg_history_reader *reader;
	struct entry *entries;
	size_t count, cap, at;
	struct gg_str pattern, device;
	int64_t from, to;
	struct gg_sample sample;
	struct gg_str text;
	sqlite3_int64 row;
	bool failed;
};

static int fail(struct cursor *c, int code, const char *text)
{
	sqlite3_free(c->base.pVtab->zErrMsg);
	c->base.pVtab->zErrMsg = sqlite3_mprintf("%s", text);
	return code;
}

/* ---- the table ---- */

static int table_connect(sqlite3 *db, void *aux, bool samples, sqlite3_vtab **ret_table)
{
	int code = sqlite3_declare_vtab(
		db, samples ? "CREATE TABLE x (signal TEXT, device TEXT, time TEXT, value, text, quality "
			      "TEXT, reason TEXT,"
			      " ns INTEGER HIDDEN)"
			    : "CREATE TABLE x (signal TEXT, device TEXT, unit TEXT, title TEXT)");
	if (code != SQLITE_OK)
		return code;
	struct table *t = sqlite3_malloc(sizeof *t);
	if (!t)
		return SQLITE_NOMEM;
	*t = (struct table){.source = aux, .samples = samples};
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

/* ---- planning ---- */

static char time_letter(unsigned char op)
{
	switch (op) {
	case SQLITE_INDEX_CONSTRAINT_EQ:
		return '=';
	case SQLITE_INDEX_CONSTRAINT_GT:
		return '>';
	case SQLITE_INDEX_CONSTRAINT_GE:
		return '}';
	case SQLITE_INDEX_CONSTRAINT_LT:
		return '<';
	case SQLITE_INDEX_CONSTRAINT_LE:
		return '{';
	default:
		return 0;
	}
}

/* The letter for a condition, 0 = SQLite checks it. *ret_omit: we check it exactly, so SQLite need not. */
static char letter(const struct table *t, int column, unsigned char op, bool *ret_omit)
{
	*ret_omit = op != SQLITE_INDEX_CONSTRAINT_GLOB;
	if (column == COL_SIGNAL)
		return op == SQLITE_INDEX_CONSTRAINT_EQ ? 's' : op == SQLITE_INDEX_CONSTRAINT_GLOB ? 'g' : 0;
	if (column == COL_DEVICE)
		return op == SQLITE_INDEX_CONSTRAINT_EQ ? 'd' : 0;
	if (t->samples && (column == COL_TIME || column == COL_NS))
		return time_letter(op);
	return 0;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct table *t = GG_CONTAINER(base, struct table, base);
	char plan[2 * ARGS_MAX + 1];
	size_t len = 0;
	int args = 0;
	double cost = 1e12;
	bool one_signal = false;
	for (int i = 0; i < info->nConstraint && args < ARGS_MAX; i++) {
		bool omit;
		char c = letter(t, info->aConstraint[i].iColumn, info->aConstraint[i].op, &omit);
		if (!c || !info->aConstraint[i].usable)
			continue;
		if (t->samples && info->aConstraint[i].iColumn == COL_NS)
			plan[len++] = 'n';
		plan[len++] = c;
		info->aConstraintUsage[i].argvIndex = ++args;
		info->aConstraintUsage[i].omit = omit;
		one_signal |= c == 's';
		cost /= c == 's' ? 1e5 : c == 'd' || c == 'g' ? 100 : 10;
	}
	plan[len] = 0;
	info->idxStr = sqlite3_mprintf("%s", plan);
	if (!info->idxStr)
		return SQLITE_NOMEM;
	info->needToFreeIdxStr = 1;
	info->estimatedCost = cost;
	info->estimatedRows = (sqlite3_int64)(cost / 10) + 1;
	int order = info->nOrderBy == 1 ? info->aOrderBy[0].iColumn : -1;
	info->orderByConsumed =
		t->samples && one_signal && (order == COL_TIME || order == COL_NS) && !info->aOrderBy[0].desc;
	return SQLITE_OK;
}

/* ---- the cursor ---- */

static int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret_cursor)
{
	struct table *t = GG_CONTAINER(base, struct table, base);
	struct cursor *c = calloc(1, sizeof *c);
	struct gg_error e = {0};
	if (!c)
		return SQLITE_NOMEM;
	int status = t->source->history ? gg_history_reader_new(t->source->history, &c->reader, &e)
					: gg_history_reader_open(t->source->history_path, &c->reader, &e);
	if (status < 0) {
		free(c);
		base->zErrMsg = sqlite3_mprintf("%s", e.text);
		return SQLITE_IOERR;
	}
	*ret_cursor = &c->base;
	return SQLITE_OK;
}

static void clear(struct cursor *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->entries[i].name);
		free(c->entries[i].unit);
		free(c->entries[i].title);
	}
	c->count = c->at = 0;
}

static int cursor_close(sqlite3_vtab_cursor *base)
{
	struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	clear(c);
	free(c->entries);
	gg_history_reader_free(c->reader);
	free(c);
	return SQLITE_OK;
}

static struct gg_str device_of(struct gg_str name)
{
	return gg_str_n(name.p, gg_str_find(name, '/'));
}

static bool add_entry(void *arg, struct gg_str name, struct gg_str unit, struct gg_str title)
{
	struct cursor *c = arg;
	if (c->device.p && !gg_str_eq(device_of(name), c->device))
		return true;
	if (c->count == c->cap && c->cap < NAMES_MAX) {
		size_t cap = c->cap ? c->cap * 2 : 16;
		struct entry *fresh = realloc(c->entries, cap * sizeof *fresh);
		if (fresh) {
			c->entries = fresh;
			c->cap = cap;
		}
	}
	if (c->count == c->cap) {
		c->failed = true;
		return false;
	}
	struct entry e = {gg_str_dup(name), gg_str_dup(unit), gg_str_dup(title)};
	c->entries[c->count++] = e;
	c->failed |= !e.name || !e.unit || !e.title;
	return !c->failed;
}

/* Goes on to the next sample, over the signals. */
static int step(struct cursor *c)
{
	for (; c->at < c->count; c->at++) {
		int status = gg_history_next(c->reader, &c->sample, &c->text);
		if (status == 1)
			return SQLITE_OK;
		if (status == 0 && c->at + 1 < c->count)
			status = gg_history_seek(
				c->reader, gg_str(c->entries[c->at + 1].name), c->from, c->to);
		if (status < 0)
			return fail(c, SQLITE_IOERR, "the history can't be read");
	}
	return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	c->row++;
	if (GG_CONTAINER(base->pVtab, struct table, base)->samples)
		return step(c);
	c->at++;
	return SQLITE_OK;
}

/* Narrows [from, to] by a condition. false: nothing can match. */
static bool narrow(struct cursor *c, char op, int64_t ns)
{
	if ((op == '>' && ns == INT64_MAX) || (op == '<' && ns == INT64_MIN))
		return false;
	int64_t low = op == '>' ? ns + 1 : op == '}' || op == '=' ? ns : INT64_MIN;
	int64_t high = op == '<' ? ns - 1 : op == '{' || op == '=' ? ns : INT64_MAX;
	c->from = low > c->from ? low : c->from;
	c->to = high < c->to ? high : c->to;
	return c->from <= c->to;
}

static struct gg_str text_of(sqlite3_value *v)
{
	const void *p = sqlite3_value_text(v);
	return gg_str_n(p ? p : "", p ? (size_t)sqlite3_value_bytes(v) : 0);
}

/* Takes one condition: 1, 0 nothing can match, or -EINVAL. */
static int take_condition(struct cursor *c, struct gg_str *name, char op, bool is_ns, sqlite3_value *v)
{
	int64_t ns = 0;
	if (sqlite3_value_type(v) == SQLITE_NULL)
		return 0;
	if (op == 's' || op == 'd') {
		struct gg_str *to = op == 's' ? name : &c->device;
		struct gg_str text = text_of(v);
		bool other = to->p && !gg_str_eq(*to, text);
		*to = text;
		return !other;
	}
	if (op == 'g') {
		c->pattern = text_of(v);
		return 1;
	}
	int status = 0;
	if (is_ns)
		ns = sqlite3_value_int64(v);
	else
		status = gg_query_time_value(v, &ns);
	return status < 0 ? status : narrow(c, op, ns);
}

/* What GLOB knows and gg_glob does not. */
static bool is_plain_glob(struct gg_str pattern)
{
	return pattern.p && gg_str_find(pattern, '[') == pattern.len;
}

static int list_signals(struct cursor *c, struct gg_str name)
{
	if (name.p && GG_CONTAINER(c->base.pVtab, struct table, base)->samples) {
		add_entry(c, name, GG_STR(""), GG_STR(""));
		return c->failed ? SQLITE_NOMEM : SQLITE_OK;
	}
	struct gg_str pattern = is_plain_glob(c->pattern) ? c->pattern : GG_STR("*");
	int status = gg_history_signals(c->reader, pattern, add_entry, c);
	if (status < 0)
		return fail(c, SQLITE_IOERR, "the history can't be read");
	for (size_t i = 0; i < c->count && name.p; i++)
		if (!gg_str_is(name, c->entries[i].name)) {
			struct entry last = c->entries[c->count - 1];
			c->entries[c->count - 1] = c->entries[i];
			c->entries[i--] = last;
			struct entry *gone = &c->entries[--c->count];
			free(gone->name);
			free(gone->unit);
			free(gone->title);
		}
	return c->failed ? SQLITE_NOMEM : SQLITE_OK;
}

static int cursor_filter(
	sqlite3_vtab_cursor *base, GG_UNUSED int number, const char *plan, int count, sqlite3_value **values)
{
	struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	struct gg_str name = {0};
	clear(c);
	c->from = INT64_MIN;
	c->to = INT64_MAX;
	c->pattern = c->device = (struct gg_str){0};
	c->row = 0;
	for (int i = 0; i < count; i++, plan++) {
		bool is_ns = *plan == 'n';
		plan += is_ns;
		int status = take_condition(c, &name, *plan, is_ns, values[i]);
		if (status == 0)
			return SQLITE_OK;
		if (status < 0)
			return fail(c, SQLITE_ERROR,
				"time: expected RFC 3339 text such as '2026-03-01T12:00:00Z', or a number");
	}
	int code = list_signals(c, name);
	if (code != SQLITE_OK || !GG_CONTAINER(base->pVtab, struct table, base)->samples || c->count == 0)
		return code;
	if (gg_history_seek(c->reader, gg_str(c->entries[0].name), c->from, c->to) < 0)
		return fail(c, SQLITE_IOERR, "the history can't be read");
	return step(c);
}

static int cursor_eof(sqlite3_vtab_cursor *base)
{
	const struct cursor *c = GG_CONTAINER(base, struct cursor, base);
	return c->at >= c->count;
}

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_row)
{
	*ret_row = GG_CONTAINER(base, struct cursor, base)->row;
	return SQLITE_OK;
}

static void result_text(sqlite3_context *to, struct gg_str s)
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
	const struct entry *e = &c->entries[c->at];
	char time[GG_QUERY_TIME];
	if (column == COL_SIGNAL) {
		result_text(to, gg_str(e->name));
		return SQLITE_OK;
	}
	if (column == COL_DEVICE) {
		result_text(to, device_of(gg_str(e->name)));
		return SQLITE_OK;
	}
	if (!GG_CONTAINER(base->pVtab, struct table, base)->samples) {
		result_text(to, gg_str(column == COL_UNIT ? e->unit : e->title));
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
			result_text(to, c->text);
		else if (c->sample.type == GG_TYPE_BYTES)
			sqlite3_result_blob64(to, c->text.p, c->text.len, SQLITE_TRANSIENT);
		break;
	case COL_QUALITY:
		result_text(to, gg_str(gg_quality_name(c->sample.quality)));
		break;
	case COL_REASON:
		if (c->sample.aux)
			result_text(to, gg_str(gg_reason_text(c->sample.aux)));
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
	int code = sqlite3_create_module_v2(db, "samples", &samples_module, (void *)(uintptr_t)source, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_create_module_v2(
			db, "signals", &signals_module, (void *)(uintptr_t)source, NULL);
	/* Named once here, so that they are declared before an authorizer forbids CREATE TABLE. */
	sqlite3_stmt *s = NULL;
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(db, "SELECT 1 FROM samples, signals", -1, &s, NULL);
	sqlite3_finalize(s);
	return gg_sql_errno(code);
}
