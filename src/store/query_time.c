/* SPDX-License-Identifier: Apache-2.0 */
/* Time in SQL: text with nine decimals, so that text order is time order; several forms where it is compared.
 */
#include "base/clock.h"
#include "store/query_private.h"

#include <math.h>

size_t gg_query_time_text(char to[GG_QUERY_TIME], int64_t ns)
{
	int64_t rest = ns % GG_NS_PER_S;
	if (rest < 0)
		rest += GG_NS_PER_S;
	int64_t whole;
	if (__builtin_sub_overflow(ns, rest, &whole))
		whole = ns, rest = 0;
	size_t len = gg_time_format(to, whole);
	/* "...:00Z", the Z gives way; before 1678 the format may carry decimals of its own */
	char *z = memchr(to, 'Z', len);
	char *dot = memchr(to, '.', len);
	size_t at = (size_t)((dot ? dot : z ? z : to + len) - to);
	return at + (size_t)snprintf(to + at, GG_QUERY_TIME - at, ".%09lldZ", (long long)rest);
}

static int from_number(double v, int64_t exact, bool is_int, int64_t *ret_ns)
{
	double size = fabs(v);
	int64_t unit = size < 1e11   ? GG_NS_PER_S
		       : size < 1e14 ? GG_NS_PER_MS
		       : size < 1e17 ? GG_NS_PER_US
				     : 1;
	if (is_int)
		return __builtin_mul_overflow(exact, unit, ret_ns) ? -EINVAL : 0;
	double ns = v * (double)unit;
	if (!(fabs(ns) < 9.2e18))
		return -EINVAL;
	*ret_ns = (int64_t)ns;
	return 0;
}

int gg_query_time_value(sqlite3_value *v, int64_t *ret_ns)
{
	switch (sqlite3_value_type(v)) {
	case SQLITE_INTEGER:
		return from_number(sqlite3_value_double(v), sqlite3_value_int64(v), true, ret_ns);
	case SQLITE_FLOAT:
		return from_number(sqlite3_value_double(v), 0, false, ret_ns);
	case SQLITE_TEXT: {
		const void *text = sqlite3_value_text(v);
		return gg_time_parse(gg_str_n(text, (size_t)sqlite3_value_bytes(v)), ret_ns);
	}
	case SQLITE_NULL:
		return -ENOENT;
	default:
		return -EINVAL;
	}
}

static void result_time(sqlite3_context *c, int64_t ns)
{
	char text[GG_QUERY_TIME];
	sqlite3_result_text(c, text, (int)gg_query_time_text(text, ns), SQLITE_TRANSIENT);
}

/* 0 is "not yet" in the catalog. */
static void time_function(sqlite3_context *c, GG_UNUSED int count, sqlite3_value **values)
{
	if (sqlite3_value_int64(values[0]) != 0)
		result_time(c, sqlite3_value_int64(values[0]));
}

/* A duration out of an argument; false: the query was told what is wrong. */
static bool take_duration(sqlite3_context *c, sqlite3_value *v, const char *function, int64_t *ret_ns)
{
	char message[80];
	const void *text = sqlite3_value_text(v);
	struct gg_str duration = gg_str_n(text ? text : "", text ? (size_t)sqlite3_value_bytes(v) : 0);
	if (gg_parse_duration(duration, ret_ns) == 0 && *ret_ns > 0)
		return true;
	snprintf(message, sizeof message, "%s: expected a duration such as '5min'", function);
	sqlite3_result_error(c, message, -1);
	return false;
}

/* A time out of an argument; false: it is NULL, as the result will be, or wrong. */
static bool take_time(sqlite3_context *c, sqlite3_value *v, const char *function, int64_t *ret_ns)
{
	char message[80];
	int status = gg_query_time_value(v, ret_ns);
	if (status == -EINVAL) {
		snprintf(message, sizeof message, "%s: expected a time", function);
		sqlite3_result_error(c, message, -1);
	}
	return status == 0;
}

static void bucket_function(sqlite3_context *c, GG_UNUSED int count, sqlite3_value **values)
{
	int64_t width, ns;
	if (!take_duration(c, values[0], "bucket", &width) || !take_time(c, values[1], "bucket", &ns))
		return;
	int64_t rest = ns % width;
	result_time(c, ns - (rest < 0 ? rest + width : rest));
}

static void ago_function(sqlite3_context *c, GG_UNUSED int count, sqlite3_value **values)
{
	int64_t back;
	if (take_duration(c, values[0], "ago", &back))
		result_time(c, gg_clock_utc(&gg_clock_system) - back);
}

static void iso_function(sqlite3_context *c, GG_UNUSED int count, sqlite3_value **values)
{
	int64_t ns;
	if (take_time(c, values[0], "iso", &ns))
		result_time(c, ns);
}

static void epoch_function(sqlite3_context *c, GG_UNUSED int count, sqlite3_value **values)
{
	int64_t ns;
	if (take_time(c, values[0], "epoch", &ns))
		sqlite3_result_double(c, (double)ns / 1e9);
}

int gg_query_add_functions(sqlite3 *db)
{
	static const struct {
		const char *name;
		int count;
		void (*run)(sqlite3_context *c, int count, sqlite3_value **values);
	} all[] = {{"gg_time", 1, time_function}, {"bucket", 2, bucket_function},
		{"time_bucket", 2, bucket_function}, {"iso", 1, iso_function}, {"epoch", 1, epoch_function},
		{"ago", 1, ago_function}};
	/* ago() as well: SQLite works it out once, so it is one moment for the whole of a query */
	int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC, code = SQLITE_OK;
	for (size_t i = 0; i < GG_COUNT(all) && code == SQLITE_OK; i++)
		code = sqlite3_create_function_v2(
			db, all[i].name, all[i].count, flags, NULL, all[i].run, NULL, NULL, NULL);
	return gg_sql_errno(code);
}
