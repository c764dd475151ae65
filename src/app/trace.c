/* SPDX-License-Identifier: Apache-2.0 */
#include "app/trace.h"
#include "app/table.h"
#include "app/when.h"

enum { NESTING = 4 };

const char *gg_severity_colour(struct gg_str severity, bool colour)
{
	if (!colour)
		return "";
	return gg_str_is(severity, "critical")  ? "\x1b[1;31m"
	       : gg_str_is(severity, "warning") ? "\x1b[33m"
						: "";
}

static void put_text(struct gg_buf *to, const struct gg_node *n, const char *key)
{
	gg_text_clean(to, gg_node_text(n, key), /* lines= */ false);
}

/* "12:00:03", or blanks as wide. */
static void put_when(struct gg_buf *to, int64_t ns, int64_t day_ns)
{
	char text[GG_TIME_TEXT] = "";
	if (ns)
		gg_when_short(text, ns, day_ns);
	gg_buf_printf(to, "  %-9s ", text);
}

static void put_indent(struct gg_buf *to)
{
	gg_buf_printf(to, "%12s", "");
}

static void put_named(struct gg_buf *to, const struct gg_node *step, const char *key, const char *before)
{
	if (gg_node_text(step, key).len == 0)
		return;
	gg_buf_printf(to, "%s", before);
	put_text(to, step, key);
}

/* ---- the kinds of steps ---- */

static void put_samples(struct gg_buf *to, const struct gg_node *step, int64_t day_ns)
{
	const struct gg_node *all = gg_node_get(step, "samples");
	char time[GG_TIME_TEXT];
	for (const struct gg_node *s = all ? all->first : NULL; s; s = s->next) {
		int64_t ns = gg_node_time(s, "time");
		put_indent(to);
		put_text(to, s, "signal");
		gg_buf_str(to, GG_STR(" = "));
		if (gg_node_get(s, "value"))
			put_text(to, s, "value");
		else
			gg_buf_str(to, ns ? GG_STR("no value") : GG_STR("not seen yet"));
		put_named(to, s, "unit", " ");
		if (ns)
			gg_buf_printf(to, " at %s", gg_when_short(time, ns, day_ns));
		if (ns && !gg_str_is(gg_node_text(s, "quality"), "good"))
			put_named(to, s, "quality", ", ");
		put_named(to, s, "reason", ": ");
		gg_buf_char(to, '\n');
	}
}

static void put_rule(struct gg_buf *to, const struct gg_node *step, int64_t day_ns)
{
	char time[GG_TIME_TEXT];
	int64_t since = gg_node_time(step, "first_true");
	put_when(to, gg_node_time(step, "decided"), day_ns);
	gg_buf_str(to, GG_STR("rule "));
	put_text(to, step, "rule");
	gg_buf_str(to, gg_node_true(step, "cleared") ? GG_STR(": over") : GG_STR(": opened"));
	put_named(to, step, "revision", " (configuration revision ");
	gg_buf_str(to, gg_node_get(step, "revision") ? GG_STR(")\n") : GG_STR("\n"));
	if (gg_node_get(step, "when") || gg_node_get(step, "clear_when")) {
		put_indent(to);
		put_named(to, step, "when", "when ");
		put_named(to, step, "clear_when", "clear when ");
		if (since)
			gg_buf_printf(to, ", true since %s", gg_when_short(time, since, day_ns));
		gg_buf_char(to, '\n');
	}
	if (gg_node_get(step, "event")) {
		put_indent(to);
		put_named(to, gg_node_get(step, "event"), "kind", "on event ");
		put_named(to, gg_node_get(step, "event"), "title", ": ");
		gg_buf_char(to, '\n');
	}
	put_samples(to, step, day_ns);
}

static void put_action(struct gg_buf *to, const struct gg_node *step, int64_t day_ns)
{
	put_when(to, gg_node_time(step, "time"), day_ns);
	gg_buf_str(to, GG_STR("action "));
	put_text(to, step, "action");
	gg_buf_str(to, gg_node_true(step, "ok") ? GG_STR(": done") : GG_STR(": FAILED"));
	put_named(to, step, "error", ", ");
	put_named(to, step, "text", ", ");
	gg_buf_printf(to, " (%.3g ms)\n", gg_node_number(step, "took_ms", 0));
}

static void put_comment(struct gg_buf *to, const struct gg_node *step, int64_t day_ns)
{
	put_when(to, gg_node_time(step, "time"), day_ns);
	put_text(to, step, "by");
	gg_buf_str(to, GG_STR(": "));
	put_text(to, step, "text");
	gg_buf_char(to, '\n');
}

static void put_value(struct gg_buf *to, const struct gg_node *n, unsigned depth)
{
	if (n->type != GG_JSON_OBJECT && n->type != GG_JSON_ARRAY) {
		gg_text_clean(to, gg_node_scalar(n), false);
		return;
	}
	if (depth == 0) {
		gg_buf_str(to, GG_STR("..."));
		return;
	}
	for (const struct gg_node *m = n->first; m; m = m->next) {
		if (m != n->first)
			gg_buf_str(to, GG_STR(", "));
		if (m->key.len) {
			gg_text_clean(to, m->key, false);
			gg_buf_char(to, ' ');
		}
		put_value(to, m, depth - 1);
	}
}

/* What a stage says of itself, in its own words: a line a member. */
static void put_any(struct gg_buf *to, const struct gg_node *step, int64_t day_ns)
{
	bool first = true;
	for (const struct gg_node *m = step->first; m; m = m->next) {
		if (gg_str_is(m->key, "time"))
			continue;
		if (first)
			put_when(to, gg_node_time(step, "time"), day_ns);
		else
			put_indent(to);
		first = false;
		gg_text_clean(to, m->key, false);
		gg_buf_str(to, GG_STR(": "));
		put_value(to, m, NESTING);
		gg_buf_char(to, '\n');
	}
}

static void put_step(struct gg_buf *to, const struct gg_node *step, int64_t day_ns)
{
	if (gg_node_get(step, "rule"))
		put_rule(to, step, day_ns);
	else if (gg_node_get(step, "action"))
		put_action(to, step, day_ns);
	else if (gg_str_is(gg_node_text(step, "step"), "comment"))
		put_comment(to, step, day_ns);
	else
		put_any(to, step, day_ns);
}

/* ---- the whole ---- */

static void put_life(struct gg_buf *to, const struct gg_node *e, int64_t now_ns)
{
	static const char *const ends[] = {"acknowledged", "cleared"};
	char time[GG_TIME_TEXT], age[16];
	int64_t opened = gg_node_time(e, "opened");
	gg_buf_printf(
		to, "opened %s, %s ago", gg_when_short(time, opened, 0), gg_when_age(age, now_ns - opened));
	for (size_t i = 0; i < GG_COUNT(ends); i++)
		if (gg_node_time(e, ends[i]))
			gg_buf_printf(to, "; %s %s", ends[i],
				gg_when_short(time, gg_node_time(e, ends[i]), opened));
	put_named(to, e, "acknowledged_by", " by ");
	if (gg_node_number(e, "repeats", 0) > 0)
		put_named(to, e, "repeats", "; reported again: ");
	gg_buf_char(to, '\n');
}

void gg_trace_write(const struct gg_node *e, int64_t now_ns, bool colour, struct gg_buf *to)
{
	const struct gg_node *trace = gg_node_get(e, "trace");
	struct gg_str severity = gg_node_text(e, "severity"), state = gg_node_text(e, "state");
	const char *on = gg_severity_colour(severity, colour);
	gg_buf_printf(
		to, "%s%.*s, %.*s%s: ", on, GG_STR_ARG(severity), GG_STR_ARG(state), *on ? "\x1b[0m" : "");
	put_text(to, e, "title");
	if (gg_node_text(e, "message").len) {
		gg_buf_char(to, '\n');
		gg_text_clean(to, gg_node_text(e, "message"), /* lines= */ true);
	}
	gg_buf_str(to, GG_STR("\nevent "));
	put_text(to, e, "id");
	put_named(to, e, "kind", ", ");
	put_named(to, e, "key", " ");
	put_named(to, e, "signal", ", signal ");
	gg_buf_char(to, '\n');
	put_life(to, e, now_ns);
	gg_buf_char(to, '\n');
	for (const struct gg_node *s = trace ? trace->first : NULL; s; s = s->next)
		put_step(to, s, gg_node_time(e, "opened"));
	if (!trace || !trace->first)
		gg_buf_str(to, GG_STR("  (no steps were recorded)\n"));
}
