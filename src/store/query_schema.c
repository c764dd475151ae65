/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be asked: one list of tables and columns for people (`ganglion query --schema`), for the
 * authorizer's neighbours (nearest names), and the views over the catalog that leave out what is nobody's
 * business.
 */
#include "core/revisions.h"
#include "ganglion/option.h"
#include "store/query_private.h"

const struct gg_query_column gg_query_columns[] = {{"samples", "signal", "text", "device/signal"},
	{"samples", "device", "text", "what stands before the first /"},
	{"samples", "time", "time", "when it was measured"},
	{"samples", "value", "number", "NULL for texts and where there was none"},
	{"samples", "text", "text", "of signals that are texts; bytes as a blob"},
	{"samples", "quality", "text", "good, uncertain or bad"},
	{"samples", "reason", "text", "why it is not good"},
	{"samples", "ns", "integer", "the time in ns since 1970; not in SELECT *"},
	{"rollups", "signal", "text", "device/signal"},
	{"rollups", "device", "text", "what stands before the first /"},
	{"rollups", "width", "text", "1s, 1min, 1h or 1d"}, {"rollups", "time", "time", "when it begins"},
	{"rollups", "count", "integer", "numbers that are not bad"}, {"rollups", "min", "number", ""},
	{"rollups", "max", "number", ""}, {"rollups", "mean", "number", ""}, {"rollups", "sum", "number", ""},
	{"rollups", "last", "number", "the latest in it"},
	{"rollups", "ns", "integer", "time in ns since 1970; not in SELECT *"},
	{"signals", "signal", "text", "device/signal"},
	{"signals", "device", "text", "what stands before the first /"}, {"signals", "unit", "text", ""},
	{"signals", "title", "text", ""}, {"devices", "id", "text", "registered devices"},
	{"devices", "title", "text", ""}, {"devices", "labels", "text", "a JSON object"},
	{"devices", "enabled", "integer", "1 or 0"}, {"devices", "created", "time", ""},
	{"devices", "last_seen", "time", ""},
	{"labels", "device", "text", "a row for each label of each device"}, {"labels", "name", "text", ""},
	{"labels", "value", "text", ""}, {"events", "id", "integer", ""},
	{"events", "kind", "text", "rule, anomaly, no-data, device, ..."},
	{"events", "key", "text", "the rule's name, the signal, ..."},
	{"events", "severity", "text", "information, warning or critical"},
	{"events", "state", "text", "open, acknowledged or cleared"}, {"events", "title", "text", ""},
	{"events", "message", "text", "what the rule says of it"}, {"events", "device", "text", ""},
	{"events", "signal", "text", ""}, {"events", "count", "integer", "how often it was reported"},
	{"events", "opened", "time", ""}, {"events", "updated", "time", ""},
	{"events", "acknowledged", "time", ""}, {"events", "acknowledged_by", "text", ""},
	{"events", "cleared", "time", ""}, {"events", "trace", "text", "JSON: samples, rule, actions"},
	{"revisions", "number", "integer", "configurations that were in force"},
	{"revisions", "time", "time", "when it came into force"}, {"revisions", "who", "text", ""},
	{"revisions", "why", "text", ""}, {NULL, NULL, NULL, NULL}};

const struct gg_query_column gg_query_functions[] = {
	{"bucket", "bucket('5min', time)", "time", "the beginning of the bucket; time_bucket() is the same"},
	{"time_bucket", NULL, NULL, NULL}, {"ago", "ago('1h')", "time", "so long ago"},
	{"iso", "iso('2026-03-01')", "time",
		"any form of time as text that compares: RFC 3339, s, ms, us, ns"},
	{"epoch", "epoch(time)", "number", "seconds since 1970"}, {NULL, NULL, NULL, NULL}};

/* ---- views ---- */

static const char no_catalog[] =
	"CREATE TEMP VIEW devices AS SELECT '' AS id, '' AS title, '' AS labels, 0 AS enabled, '' AS created,"
	" '' AS last_seen WHERE 0;"
	"CREATE TEMP VIEW labels AS SELECT '' AS device, '' AS name, '' AS value WHERE 0;"
	"CREATE TEMP VIEW events AS SELECT 0 AS id, '' AS kind, '' AS key, '' AS severity, '' AS state, '' "
	"AS title, '' AS message,"
	" '' AS device, '' AS signal, 0 AS count, '' AS opened, '' AS updated, '' AS acknowledged,"
	" '' AS acknowledged_by, '' AS cleared, '' AS trace WHERE 0";

static const char views[] =
	"CREATE TEMP VIEW devices AS SELECT id, title, labels, enabled, gg_time(created_ns) AS created,"
	" gg_time(last_seen_ns) AS last_seen FROM main.devices;"
	"CREATE TEMP VIEW labels AS SELECT d.id AS device, l.key AS name, l.value AS value"
	" FROM main.devices d, json_each(CASE WHEN json_valid(d.labels) THEN d.labels ELSE '{}' END) l;"
	"CREATE TEMP VIEW events AS SELECT id, kind, key,"
	" CASE severity WHEN 0 THEN 'information' WHEN 1 THEN 'warning' ELSE 'critical' END AS severity,"
	" CASE state WHEN 0 THEN 'open' WHEN 1 THEN 'acknowledged' ELSE 'cleared' END AS state, title, "
	"message, device, signal,"
	" count, gg_time(opened_ns) AS opened, gg_time(updated_ns) AS updated,"
	" gg_time(acknowledged_ns) AS acknowledged, acknowledged_by, gg_time(cleared_ns) AS cleared, trace"
	" FROM main.events";

static int insert_revision(sqlite3_stmt *s, const struct gg_revision *r)
{
	sqlite3_bind_int64(s, 1, (sqlite3_int64)r->number);
	sqlite3_bind_int64(s, 2, r->time_ns);
	gg_sql_text(s, 3, gg_str(r->who));
	gg_sql_text(s, 4, gg_str(r->why));
	return gg_sql_done(s);
}

/* Their files are looked at only for a query that may speak of them. The text of one is left to who may see
 * secrets. */
static int add_revisions(sqlite3 *db, const char *data_dir)
{
	struct gg_revision *all = NULL;
	size_t count = 0;
	sqlite3_stmt *s = NULL;
	int status =
		gg_sql_run(db, "CREATE TEMP TABLE revisions (number INTEGER PRIMARY KEY, time TEXT, who TEXT,"
			       " why TEXT)");
	if (status < 0 || !data_dir || gg_revisions_list(data_dir, &all, &count, NULL) < 0)
		return status;
	status = gg_sql_prepare(
		db, "INSERT OR IGNORE INTO temp.revisions VALUES (?1, gg_time(?2), ?3, ?4)", &s, NULL);
	for (size_t i = 0; i < count && status == 0; i++)
		status = all[i].damaged ? 0 : insert_revision(s, &all[i]);
	sqlite3_finalize(s);
	free(all);
	return status;
}

static bool speaks_of(struct gg_str sql, const char *word)
{
	size_t len = strlen(word);
	for (size_t i = 0; i + len <= sql.len; i++)
		if (strncasecmp(sql.p + i, word, len) == 0)
			return true;
	return false;
}

int gg_query_add_views(sqlite3 *db, const struct gg_query_source *source, struct gg_str sql)
{
	int status = gg_sql_run(db, source->catalog_path ? views : no_catalog);
	if (status == 0 && speaks_of(sql, "revisions"))
		status = add_revisions(db, source->data_dir);
	return status;
}

/* ---- what may be read ---- */

static bool is_one_of(const char *word, const char *const *list)
{
	for (; word && *list; list++)
		if (sqlite3_stricmp(word, *list) == 0)
			return true;
	return false;
}

/*
 * By table and column, not by the view through which it is read: a query can give its own names to that. A
 * table of which no column is read (count(*)) may be a name the query made itself. The catalog has revisions
 * too, an older form with their text: of both only what the view of that name shows.
 */
bool gg_query_may_read(const char *table, const char *column)
{
	static const char *const open[] = {
		"samples", "rollups", "signals", "labels", "events", "json_each", "json_tree", NULL};
	static const char *const closed[] = {"tokens", "meta", "cursors", "comments", "sqlite_master",
		"sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema", "sqlite_sequence", NULL};
	static const char *const secret[] = {"credential", "credential_kind", NULL};
	static const char *const told[] = {"number", "time", "who", "why", "", NULL};
	if (is_one_of(table, open))
		return true;
	if (sqlite3_stricmp(table, "devices") == 0)
		return !is_one_of(column, secret);
	if (sqlite3_stricmp(table, "revisions") == 0)
		return is_one_of(column, told);
	return column && !*column && !is_one_of(table, closed) && sqlite3_strnicmp(table, "pragma_", 7) != 0;
}

/* ---- nearest names ---- */

static const char *table_name(GG_UNUSED const void *ctx, size_t i)
{
	return gg_query_columns[i].table;
}

static const char *column_name(GG_UNUSED const void *ctx, size_t i)
{
	return gg_query_columns[i].column;
}

static const char *function_name(GG_UNUSED const void *ctx, size_t i)
{
	static const char *const usual[] = {"count", "avg", "min", "max", "sum", "total", "round", "abs",
		"coalesce", "group_concat", "length", "lower", "upper", "substr", "strftime"};
	size_t own = 0;
	while (gg_query_functions[own].table)
		own++;
	if (i < own)
		return gg_query_functions[i].table;
	return i - own < GG_COUNT(usual) ? usual[i - own] : NULL;
}

static const char *known_word(struct gg_str word, const char *(*get)(const void *ctx, size_t i))
{
	const char *near = gg_nearest(word, get, NULL);
	return near && !gg_str_is(word, near) ? near : NULL;
}

const char *gg_query_nearest(struct gg_str message)
{
	static const struct {
		const char *begins;
		const char *(*get)(const void *ctx, size_t i);
	} kinds[] = {{"no such column: ", column_name}, {"no such table: ", table_name},
		{"no such function: ", function_name}};
	for (size_t i = 0; i < GG_COUNT(kinds); i++) {
		if (!gg_str_starts(message, gg_str(kinds[i].begins)))
			continue;
		size_t skip = strlen(kinds[i].begins);
		struct gg_str word = gg_str_n(message.p + skip, message.len - skip);
		size_t dot = gg_str_find(word, '.');
		if (dot < word.len)
			word = gg_str_n(word.p + dot + 1, word.len - dot - 1);
		return known_word(word, kinds[i].get);
	}
	return NULL;
}
