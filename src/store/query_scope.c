/* SPDX-License-Identifier: Apache-2.0 */
#include "store/query_scope.h"

#include "base/clock.h"

enum { ARGS_MAX = 32, PLAN_MAX = 24 * ARGS_MAX, NAMES_MAX = 1 << 20 };

/* ---- planning ---- */

struct word {
	uint8_t role;
	unsigned char op; /* SQLITE_INDEX_CONSTRAINT_... */
	bool exact;       /* we check it ourselves, SQLite need not */
	const char *text;
};

static const struct word words[] = {
	{GG_COL_SIGNAL, SQLITE_INDEX_CONSTRAINT_EQ, true, "signal="},
	{GG_COL_SIGNAL, SQLITE_INDEX_CONSTRAINT_GLOB, false, "signal-glob"},
	{GG_COL_SIGNAL, SQLITE_INDEX_CONSTRAINT_LIKE, false, "signal-like"},
	{GG_COL_DEVICE, SQLITE_INDEX_CONSTRAINT_EQ, true, "device="},
	{GG_COL_WIDTH, SQLITE_INDEX_CONSTRAINT_EQ, false, "width="},
	{GG_COL_TIME, SQLITE_INDEX_CONSTRAINT_EQ, true, "time="},
	{GG_COL_TIME, SQLITE_INDEX_CONSTRAINT_GT, true, "time>"},
	{GG_COL_TIME, SQLITE_INDEX_CONSTRAINT_GE, true, "time>="},
	{GG_COL_TIME, SQLITE_INDEX_CONSTRAINT_LT, true, "time<"},
	{GG_COL_TIME, SQLITE_INDEX_CONSTRAINT_LE, true, "time<="},
	{GG_COL_NS, SQLITE_INDEX_CONSTRAINT_EQ, true, "ns="},
	{GG_COL_NS, SQLITE_INDEX_CONSTRAINT_GT, true, "ns>"},
	{GG_COL_NS, SQLITE_INDEX_CONSTRAINT_GE, true, "ns>="},
	{GG_COL_NS, SQLITE_INDEX_CONSTRAINT_LT, true, "ns<"},
	{GG_COL_NS, SQLITE_INDEX_CONSTRAINT_LE, true, "ns<="},
};

static const struct word *find_word(const struct gg_query_shape *shape, int column, unsigned char op)
{
	uint8_t role = column >= 0 && column < shape->columns ? shape->roles[column] : GG_COL_OTHER;
	for (size_t i = 0; i < GG_COUNT(words) && role; i++)
		if (words[i].role == role && words[i].op == op)
			return &words[i];
	return NULL;
}

static double cheaper(const struct word *w)
{
	bool equal = w->op == SQLITE_INDEX_CONSTRAINT_EQ;
	switch (w->role) {
	case GG_COL_SIGNAL:
		return equal ? 1e5 : 100;
	case GG_COL_DEVICE:
		return 100;
	default:
		return equal ? 50 : 10;
	}
}

/*
 * Rows come signal by signal, and of one signal by time. Of one signal they can also come backward; a table
 * of several widths has its time in order for one width only.
 */
static bool order_fits(const struct gg_query_shape *shape, const sqlite3_index_info *info, bool one_signal,
	bool one_width, bool *ret_backward)
{
	int at = 0;
	bool in_order = !shape->width_first || one_width;
	*ret_backward = false;
	if (at < info->nOrderBy && info->aOrderBy[at].iColumn == 0 && !info->aOrderBy[at].desc)
		at++;
	else if (!one_signal)
		return false;
	if (at == info->nOrderBy)
		return at > 0;
	int column = info->aOrderBy[at].iColumn;
	uint8_t role = column >= 0 && column < shape->columns ? shape->roles[column] : GG_COL_OTHER;
	*ret_backward = info->aOrderBy[at].desc;
	return shape->timed && in_order && at + 1 == info->nOrderBy &&
	       (role == GG_COL_TIME || role == GG_COL_NS) &&
	       (!*ret_backward || (one_signal && !shape->width_first));
}

int gg_query_plan(const struct gg_query_shape *shape, sqlite3_index_info *info)
{
	char plan[PLAN_MAX] = "";
	size_t len = 0;
	int args = 0;
	double cost = 1e12;
	bool one_signal = false, one_width = false, backward;
	for (int i = 0; i < info->nConstraint && args < ARGS_MAX; i++) {
		const struct word *w =
			find_word(shape, info->aConstraint[i].iColumn, info->aConstraint[i].op);
		if (!w || !info->aConstraint[i].usable)
			continue;
		len += (size_t)snprintf(plan + len, sizeof plan - len, "%s%s", len ? " " : "", w->text);
		info->aConstraintUsage[i].argvIndex = ++args;
		info->aConstraintUsage[i].omit = w->exact;
		one_signal |= w->role == GG_COL_SIGNAL && w->op == SQLITE_INDEX_CONSTRAINT_EQ;
		one_width |= w->role == GG_COL_WIDTH;
		cost /= cheaper(w);
	}
	info->orderByConsumed = info->nOrderBy && order_fits(shape, info, one_signal, one_width, &backward);
	if (info->orderByConsumed && backward)
		snprintf(plan + len, sizeof plan - len, "%sbackward", len ? " " : "");
	info->idxStr = sqlite3_mprintf("%s", plan);
	if (!info->idxStr)
		return SQLITE_NOMEM;
	info->needToFreeIdxStr = 1;
	info->estimatedCost = cost;
	info->estimatedRows = (sqlite3_int64)(cost / 10) + 1;
	return SQLITE_OK;
}

/* ---- conditions ---- */

static void forget_entry(struct gg_query_entry *e)
{
	free(e->name);
	free(e->unit);
	free(e->title);
}

static void clear(struct gg_query_scope *s)
{
	for (size_t i = 0; i < s->count; i++)
		forget_entry(&s->entries[i]);
	*s = (struct gg_query_scope){
		.entries = s->entries, .cap = s->cap, .from = INT64_MIN, .to = INT64_MAX};
}

void gg_query_scope_done(struct gg_query_scope *s)
{
	clear(s);
	free(s->entries);
	*s = (struct gg_query_scope){0};
}

struct gg_str gg_query_device(struct gg_str signal)
{
	return gg_str_n(signal.p, gg_str_find(signal, '/'));
}

/* Narrows [from, to] by a condition. false: nothing can match. */
static bool narrow(struct gg_query_scope *s, unsigned char op, int64_t ns)
{
	bool above = op == SQLITE_INDEX_CONSTRAINT_GT, below = op == SQLITE_INDEX_CONSTRAINT_LT;
	bool equal = op == SQLITE_INDEX_CONSTRAINT_EQ;
	if ((above && ns == INT64_MAX) || (below && ns == INT64_MIN))
		return false;
	int64_t low = above ? ns + 1 : equal || op == SQLITE_INDEX_CONSTRAINT_GE ? ns : INT64_MIN;
	int64_t high = below ? ns - 1 : equal || op == SQLITE_INDEX_CONSTRAINT_LE ? ns : INT64_MAX;
	s->from = low > s->from ? low : s->from;
	s->to = high < s->to ? high : s->to;
	return s->from <= s->to;
}

static struct gg_str text_of(sqlite3_value *v)
{
	const void *p = sqlite3_value_text(v);
	return gg_str_n(p ? p : "", p ? (size_t)sqlite3_value_bytes(v) : 0);
}

/* Both must be the same when there is one already. */
static bool same(struct gg_str *to, struct gg_str text)
{
	bool other = to->p && !gg_str_eq(*to, text);
	*to = text;
	return !other;
}

static int take_time(struct gg_query_scope *s, const struct word *w, sqlite3_value *v, const char **ret_text)
{
	int64_t ns = 0;
	if (w->role == GG_COL_NS)
		ns = sqlite3_value_int64(v);
	else if (gg_query_time_value(v, &ns) < 0) {
		*ret_text =
			"time: expected RFC 3339 text such as '2026-03-01T12:00:00Z', a number, or ago('1h')";
		return -EINVAL;
	}
	return narrow(s, w->op, ns);
}

/* Takes one condition: 1, 0 nothing can match, or -EINVAL. */
static int take_condition(
	struct gg_query_scope *s, const struct word *w, sqlite3_value *v, const char **ret_text)
{
	if (sqlite3_value_type(v) == SQLITE_NULL)
		return 0;
	switch (w->role) {
	case GG_COL_TIME:
	case GG_COL_NS:
		return take_time(s, w, v, ret_text);
	case GG_COL_DEVICE:
		return same(&s->device, text_of(v));
	case GG_COL_WIDTH:
		if (gg_parse_duration(text_of(v), &s->width) < 0)
			return 0;
		return 1;
	default:
		break;
	}
	if (w->op == SQLITE_INDEX_CONSTRAINT_EQ)
		return same(&s->name, text_of(v));
	if (w->op == SQLITE_INDEX_CONSTRAINT_GLOB)
		s->pattern = text_of(v);
	else
		s->like = text_of(v);
	return 1;
}

static const struct word *next_word(struct gg_str *plan)
{
	struct gg_str text = gg_str_cut(plan, ' ');
	for (size_t i = 0; i < GG_COUNT(words); i++)
		if (gg_str_is(text, words[i].text))
			return &words[i];
	return NULL;
}

/* ---- the signals ---- */

/* What GLOB knows and gg_glob does not. */
static bool is_plain_glob(struct gg_str pattern)
{
	return pattern.p && gg_str_find(pattern, '[') == pattern.len;
}

/* LIKE's text up to its first wildcard; case does not matter there. SQLite checks the rest. */
static bool like_may_fit(struct gg_str like, struct gg_str name)
{
	for (size_t i = 0; i < like.len && like.p[i] != '%' && like.p[i] != '_'; i++)
		if (i >= name.len || strncasecmp(&like.p[i], &name.p[i], 1) != 0)
			return false;
	return true;
}

static bool add_entry(void *arg, struct gg_str name, struct gg_str unit, struct gg_str title)
{
	struct gg_query_scope *s = arg;
	if ((s->device.p && !gg_str_eq(gg_query_device(name), s->device)) ||
		(s->name.p && !gg_str_eq(name, s->name)) || !like_may_fit(s->like, name))
		return true;
	if (s->count == s->cap && s->cap < NAMES_MAX) {
		size_t cap = s->cap ? s->cap * 2 : 16;
		struct gg_query_entry *fresh = realloc(s->entries, cap * sizeof *fresh);
		if (fresh) {
			s->entries = fresh;
			s->cap = cap;
		}
	}
	if (s->count == s->cap) {
		s->failed = true;
		return false;
	}
	struct gg_query_entry e = {gg_str_dup(name), gg_str_dup(unit), gg_str_dup(title)};
	s->entries[s->count++] = e;
	s->failed |= !e.name || !e.unit || !e.title;
	return !s->failed;
}

static int list_signals(
	struct gg_query_scope *s, const struct gg_query_shape *shape, struct gg_history_reader *reader)
{
	int status = 0;
	if (s->name.p && shape->timed)
		add_entry(s, s->name, GG_STR(""), GG_STR(""));
	else
		status = gg_history_signals(
			reader, is_plain_glob(s->pattern) ? s->pattern : GG_STR("*"), add_entry, s);
	if (status < 0)
		return status;
	return s->failed ? -ENOMEM : s->count > 0;
}

int gg_query_scope_set(struct gg_query_scope *s, const struct gg_query_shape *shape,
	struct gg_history_reader *reader, const char *plan, int count, sqlite3_value **values,
	const char **ret_text)
{
	struct gg_str rest = gg_str(plan);
	clear(s);
	for (int i = 0; i < count; i++) {
		const struct word *w = next_word(&rest);
		int status = w ? take_condition(s, w, values[i], ret_text) : -EINVAL;
		if (status <= 0)
			return status;
	}
	s->backward = gg_str_is(rest, "backward");
	int status = list_signals(s, shape, reader);
	s->name = s->device = s->pattern = s->like = (struct gg_str){0}; /* the arguments' memory goes */
	return status;
}
