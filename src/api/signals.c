/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: what is known of them, their last value, and writing to them. */
#include "core/signals.h"
#include "api/handlers.h"
#include "gateway/gateway.h"

#include <math.h>

enum { LIMIT = 1000, LIMIT_MOST = 10000 };

/* ---- showing ---- */

void gg_api_last_json(struct gg_json_writer *w, const struct gg_last *last)
{
	const struct gg_sample *s = &last->sample;
	bool blob = s->type == GG_TYPE_STRING || s->type == GG_TYPE_BYTES;
	size_t len = blob ? gg_min_size(s->v.blob.len, GG_LAST_TEXT) : 0;
	gg_json_key(w, GG_STR("value"));
	gg_sample_json(w, s, gg_str_n(last->text, len));
	gg_json_put_time(w, "time", s->time_ns);
	gg_json_put_str(w, "quality", gg_str(gg_quality_name(s->quality)));
	if (s->aux)
		gg_json_put_str(w, "reason", gg_str(gg_reason_text(s->aux)));
	gg_json_key(w, GG_STR("count"));
	gg_json_uint(w, last->count);
}

static void put_signal(struct gg_json_writer *w, const struct gg_signal_info *info)
{
	struct gg_last last;
	gg_json_begin_object(w);
	gg_json_put_str(w, "name", info->name);
	gg_json_put_str(w, "device", gg_device_id(info->device));
	gg_json_put_str(w, "type", gg_str(gg_type_name(info->type)));
	gg_json_put_bool(w, "writable", info->writable);
	if (info->unit[0])
		gg_json_put_str(w, "unit", gg_str(info->unit));
	if (info->title[0])
		gg_json_put_str(w, "title", gg_str(info->title));
	if (info->low < info->high) {
		gg_json_put_float(w, "low", info->low);
		gg_json_put_float(w, "high", info->high);
	}
	if (info->period_ns)
		gg_json_put_float(w, "period_seconds", (double)info->period_ns / 1e9);
	if (gg_last_get(info->index, &last)) {
		gg_json_key(w, GG_STR("last"));
		gg_json_begin_object(w);
		gg_api_last_json(w, &last);
		gg_json_end_object(w);
	}
	gg_json_end_object(w);
}

bool gg_api_pattern_fits(struct gg_str patterns, struct gg_str name)
{
	if (patterns.len == 0)
		return true;
	while (patterns.len)
		if (gg_glob(gg_str_trim(gg_str_cut(&patterns, ',')), name))
			return true;
	return false;
}

struct wanted {
	struct gg_str pattern, device;
	uint32_t from;
	uint64_t limit;
};

static bool take_wanted(struct gg_api_call *c, struct wanted *q)
{
	struct gg_str after;
	if (!gg_api_text(c, "pattern", &q->pattern) || !gg_api_text(c, "device", &q->device) ||
		!gg_api_text(c, "after", &after) ||
		!gg_api_number(c, "limit", 1, LIMIT_MOST, LIMIT, &q->limit))
		return false;
	q->from = after.len ? gg_signal_find(after) : 0;
	if (q->from == GG_NONE) {
		gg_api_problem(c, -EINVAL, "after: there is no signal \"%.*s\"",
			(int)gg_min_size(after.len, 130), after.p);
		return false;
	}
	q->from += after.len > 0;
	return true;
}

void gg_api_signals(struct gg_api_call *c)
{
	struct wanted q;
	struct gg_answer a;
	struct gg_str last = {0};
	uint64_t n = 0;
	uint32_t i, count = gg_signal_count();
	if (!take_wanted(c, &q))
		return;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_key(&a.w, GG_STR("signals"));
	gg_json_begin_array(&a.w);
	for (i = q.from; i < count && n < q.limit; i++) {
		const struct gg_signal_info *info = gg_signal(i);
		if (!info || !gg_api_pattern_fits(q.pattern, info->name) ||
			(q.device.len && !gg_str_eq(q.device, gg_device_id(info->device))))
			continue;
		put_signal(&a.w, info);
		last = info->name;
		n++;
	}
	gg_json_end_array(&a.w);
	if (i < count)
		gg_json_put_str(&a.w, "next", last);
	gg_json_key(&a.w, GG_STR("total"));
	gg_json_uint(&a.w, count);
	gg_json_end_object(&a.w);
	gg_answer_send(c, 200, &a);
}

/* NULL when it was answered: there is none. */
const struct gg_signal_info *gg_api_signal_of(struct gg_api_call *c)
{
	const struct gg_signal_info *info = gg_signal(gg_signal_find(c->parts[0]));
	if (!info)
		gg_api_problem(c, -ENOENT, "there is no signal \"%.*s\"",
			(int)gg_min_size(c->parts[0].len, 130), c->parts[0].p);
	return info;
}

void gg_api_signal(struct gg_api_call *c)
{
	struct gg_answer a;
	const struct gg_signal_info *info = gg_api_signal_of(c);
	if (!info)
		return;
	gg_answer_begin(&a);
	put_signal(&a.w, info);
	gg_answer_send(c, 200, &a);
}

/* ---- writing ---- */

/* On its own, not in the request's memory: the driver has it until it answers. */
struct writing {
	struct gg_write w;
	struct gg_api_call *c;
	char text[];
};

static void written(struct gg_write *w, int status, const char *reason)
{
	struct writing *job = GG_CONTAINER(w, struct writing, w);
	if (status == 0)
		gg_api_done(job->c);
	else
		gg_api_problem(job->c, status, "%s", reason ? reason : strerror(-status));
	free(job);
}

static bool is_whole(double v)
{
	return v == floor(v) && fabs(v) <= 9007199254740992.0;
}

static bool take_int(struct gg_sample *to, const struct gg_in_field *f)
{
	to->v.i = 0;
	if (gg_parse_int(f->text, &to->v.i) < 0 && is_whole(f->number))
		to->v.i = (int64_t)f->number;
	return is_whole(f->number);
}

static bool take_uint(struct gg_sample *to, const struct gg_in_field *f)
{
	bool fits = is_whole(f->number) && f->number >= 0;
	to->v.u = 0;
	if (gg_parse_uint(f->text, &to->v.u) < 0 && fits)
		to->v.u = (uint64_t)f->number;
	return fits;
}

static bool is_truth(const struct gg_in_field *f)
{
	return f->token == GG_JSON_TRUE || f->token == GG_JSON_FALSE;
}

/* What a signal takes that says nothing of its type: the value's own. */
static uint8_t type_of(const struct gg_signal_info *info, const struct gg_in_field *f)
{
	if (info->type != GG_TYPE_NONE)
		return info->type;
	if (is_truth(f))
		return GG_TYPE_BOOL;
	return f->token == GG_JSON_NUMBER ? GG_TYPE_FLOAT : GG_TYPE_STRING;
}

/* The value as the signal's type wants it. Returns what was expected when it does not fit, else NULL. */
static const char *take_value(
	struct gg_sample *to, const struct gg_signal_info *info, const struct gg_in_field *f)
{
	bool number = f->token == GG_JSON_NUMBER;
	to->type = type_of(info, f);
	switch (to->type) {
	case GG_TYPE_BOOL:
		to->v.b = is_truth(f) ? f->truth : f->number != 0;
		return is_truth(f) || (number && (f->number == 0 || f->number == 1)) ? NULL : "true or false";
	case GG_TYPE_INT:
		return number && take_int(to, f) ? NULL : "a whole number";
	case GG_TYPE_UINT:
		return number && take_uint(to, f) ? NULL : "a whole number from 0 on";
	case GG_TYPE_FLOAT:
		to->v.f = f->number;
		return number ? NULL : "a number";
	default:
		to->v.blob.off = 0;
		to->v.blob.len = (uint32_t)f->text.len;
		return f->token == GG_JSON_STRING ? NULL : "a text";
	}
}

void gg_api_signal_write(struct gg_api_call *c)
{
	struct gg_in_field f = {.name = "value", .type = GG_IN_ANY, .required = true};
	const struct gg_signal_info *info = gg_api_signal_of(c);
	if (!info || !gg_api_body(c, &f, 1))
		return;
	struct writing *job = calloc(1, sizeof *job + f.text.len + 1);
	if (!job) {
		gg_api_problem(c, -ENOMEM, "out of memory");
		return;
	}
	gg_str_copy(job->text, f.text.len + 1, f.text);
	job->c = c;
	job->w = (struct gg_write){.signal = info->index,
		.value = {.signal = info->index, .time_ns = gg_gateway_utc()},
		.text = gg_str_n(job->text, f.text.len),
		.loop = gg_gateway.control,
		.done = written};
	const char *expected = take_value(&job->w.value, info, &f);
	int rc = expected ? -EINVAL : gg_write_start(&job->w);
	if (rc == 0)
		return;
	free(job);
	gg_api_problem(c, rc, "%.*s: %s%s", GG_STR_ARG(info->name), expected ? "expected " : "",
		expected        ? expected
		: rc == -EPERM  ? "the signal is not writable"
		: rc == -EACCES ? "its device is disabled (devices: in the configuration)"
		: rc == -ENOENT ? "no driver speaks for its device"
				: "too many writes are under way");
}
