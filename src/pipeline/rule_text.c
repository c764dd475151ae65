/* SPDX-License-Identifier: Apache-2.0 */
/* What actions make of a trigger: texts by template, JSON, and numbers by formula. */
#include "base/buf.h"
#include "base/json.h"
#include "pipeline/rule.h"

static const char *const severities[] = {"information", "warning", "critical"};

static void put_value(struct gg_buf *to, const struct gg_trigger *t)
{
	char text[32];
	size_t n = 0;
	switch (t->sample.type) {
	case GG_TYPE_BOOL:
		gg_buf_str(to, t->sample.v.b ? GG_STR("true") : GG_STR("false"));
		return;
	case GG_TYPE_INT:
		n = gg_format_int(text, t->sample.v.i);
		break;
	case GG_TYPE_UINT:
		n = gg_format_uint(text, t->sample.v.u);
		break;
	case GG_TYPE_FLOAT:
		n = gg_format_float(text, t->sample.v.f);
		break;
	default:
		gg_buf_str(to, t->text);
		return;
	}
	gg_buf_add(to, text, n);
}

static struct gg_str device_of(const struct gg_trigger *t)
{
	const struct gg_signal_info *info = gg_signal(t->signal);
	return info ? gg_device_id(info->device) : GG_STR("");
}

static struct gg_str signal_of(const struct gg_trigger *t)
{
	const struct gg_signal_info *info = gg_signal(t->signal);
	return info ? info->name : GG_STR("");
}

static const char *unit_of(const struct gg_trigger *t)
{
	const struct gg_signal_info *info = gg_signal(t->signal);
	return info ? info->unit : "";
}

/* Puts what a word stands for; false when it stands for nothing. */
static bool put_word(struct gg_buf *to, struct gg_str word, const struct gg_trigger *t)
{
	char text[GG_TIME_TEXT];
	if (gg_str_is(word, "rule"))
		gg_buf_str(to, t->rule);
	else if (gg_str_is(word, "title"))
		gg_buf_str(to, t->title);
	else if (gg_str_is(word, "message"))
		gg_buf_str(to, t->message);
	else if (gg_str_is(word, "severity"))
		gg_buf_str(to, gg_str(severities[t->severity]));
	else if (gg_str_is(word, "device"))
		gg_buf_str(to, device_of(t));
	else if (gg_str_is(word, "signal"))
		gg_buf_str(to, signal_of(t));
	else if (gg_str_is(word, "value"))
		put_value(to, t);
	else if (gg_str_is(word, "unit"))
		gg_buf_str(to, gg_str(unit_of(t)));
	else if (gg_str_is(word, "quality"))
		gg_buf_str(to, gg_str(gg_quality_name(t->sample.quality)));
	else if (gg_str_is(word, "state"))
		gg_buf_str(to, t->clearing ? GG_STR("cleared") : GG_STR("open"));
	else if (gg_str_is(word, "event"))
		gg_buf_printf(to, "%llu", (unsigned long long)t->event);
	else if (gg_str_is(word, "time"))
		gg_buf_add(to, text, gg_time_format(text, t->time_ns));
	else
		return false;
	return true;
}

void gg_trigger_text(struct gg_buf *to, struct gg_str template_text, const struct gg_trigger *t)
{
	const char *p = template_text.p, *end = p + template_text.len;
	while (p < end) {
		const char *close = *p == '{' ? memchr(p, '}', gg_min_size((size_t)(end - p), 12)) : NULL;
		if (close && put_word(to, gg_str_n(p + 1, (size_t)(close - p - 1)), t)) {
			p = close + 1;
		} else if (*p == '$' && end - p > 1 && p[1] >= '1' && p[1] <= '4') {
			gg_buf_str(to, gg_binding_part(t->binding, (unsigned)(p[1] - '1')));
			p += 2;
		} else {
			gg_buf_char(to, *p++);
		}
	}
}

void gg_trigger_json(struct gg_buf *to, const struct gg_trigger *t)
{
	struct gg_json_writer w = gg_json_writer(to);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "rule", t->rule);
	gg_json_put_str(&w, "state", t->clearing ? GG_STR("cleared") : GG_STR("open"));
	gg_json_put_str(&w, "severity", gg_str(severities[t->severity]));
	gg_json_put_str(&w, "title", t->title);
	if (t->message.len)
		gg_json_put_str(&w, "message", t->message);
	if (t->event) {
		/* as text: JavaScript's numbers end at 2^53 */
		char id[24];
		gg_json_put_str(&w, "event", gg_str_n(id, gg_format_uint(id, t->event)));
	}
	gg_json_put_time(&w, "time", t->time_ns);
	if (t->signal != GG_NONE) {
		gg_json_put_str(&w, "signal", signal_of(t));
		gg_json_key(&w, GG_STR("value"));
		gg_sample_json(&w, &t->sample, t->text);
		if (*unit_of(t))
			gg_json_put_str(&w, "unit", gg_str(unit_of(t)));
		gg_json_put_time(&w, "sample_time", t->sample.time_ns);
		if (t->sample.quality != GG_GOOD)
			gg_json_put_str(&w, "quality", gg_str(gg_quality_name(t->sample.quality)));
	}
	gg_json_end_object(&w);
}

static int no_names(const void *ctx, struct gg_str name, struct gg_expr_signal *ret_signal)
{
	(void)ctx;
	(void)name;
	(void)ret_signal;
	return -ENOENT;
}

int gg_trigger_number(
	const struct gg_trigger *t, struct gg_str formula, double *ret_value, struct gg_error *e)
{
	const struct gg_expr_names names = {.find = no_names};
	struct gg_arena arena = GG_ARENA(256 << 10);
	struct gg_buf text = GG_BUF(GG_EXPR_TEXT);
	struct gg_expr_env env = {.due_ns = INT64_MAX, .now_ns = t->time_ns};
	struct gg_expr *x = NULL;
	gg_trigger_text(&text, formula, t);
	int rc = text.error ? gg_error_set(e, text.error, "the formula is too long")
			    : gg_expr_compile(gg_buf_view(&text), &names, NULL, &arena, &x, e);
	if (rc == 0) {
		struct gg_expr_value v = gg_expr_eval(x, &env);
		if (!v.known || v.type == GG_EXPR_STRING)
			rc = gg_error_set(e, -EINVAL, "'%s' gives no number", gg_buf_text(&text));
		else
			*ret_value = v.type == GG_EXPR_BOOL ? v.v.b : v.v.f;
	}
	gg_buf_done(&text);
	gg_arena_done(&arena);
	return rc;
}
