/* SPDX-License-Identifier: Apache-2.0 */
#include "api/call.h"
#include "base/clock.h"
#include "ganglion/option.h"

#include <stdarg.h>

bool gg_api_text(struct gg_api_call *c, const char *name, struct gg_str *ret_value)
{
	struct gg_str value = GG_STR("");
	int rc = gg_http_param(c->r, name, &value);
	if (rc < 0 && rc != -ENOENT) {
		gg_api_problem(
			c, -EINVAL, "the parameter \"%s\" is not proper UTF-8 or has a wrong escape", name);
		return false;
	}
	*ret_value = value;
	return true;
}

bool gg_api_number(struct gg_api_call *c, const char *name, uint64_t least, uint64_t most, uint64_t otherwise,
	uint64_t *ret_value)
{
	struct gg_str text;
	uint64_t value = otherwise;
	if (!gg_api_text(c, name, &text))
		return false;
	if (text.len && (gg_parse_uint(text, &value) < 0 || value < least || value > most)) {
		gg_api_problem(c, -EINVAL, "%s: expected a number from %llu to %llu", name,
			(unsigned long long)least, (unsigned long long)most);
		return false;
	}
	*ret_value = value;
	return true;
}

bool gg_api_time(struct gg_api_call *c, const char *name, int64_t otherwise, int64_t *ret_value)
{
	struct gg_str text;
	int64_t value = otherwise, back;
	if (!gg_api_text(c, name, &text))
		return false;
	if (text.len && gg_time_parse(text, &value) < 0) {
		if (gg_parse_duration(text, &back) < 0 || back < 0) {
			gg_api_problem(c, -EINVAL,
				"%s: expected a time like 2026-03-01T12:00:00Z, or how long ago, like 1h",
				name);
			return false;
		}
		value = gg_clock_utc(&gg_clock_system) - back;
	}
	*ret_value = value;
	return true;
}

/* ---- bodies ---- */

static bool type_fits(const struct gg_in_field *f, enum gg_json_token t)
{
	switch (f->type) {
	case GG_IN_STRING:
		return t == GG_JSON_STRING;
	case GG_IN_BOOL:
		return t == GG_JSON_TRUE || t == GG_JSON_FALSE;
	case GG_IN_NUMBER:
		return t == GG_JSON_NUMBER;
	default:
		return true;
	}
}

static const char *type_text(const struct gg_in_field *f)
{
	static const char *const texts[] = {"a text", "true or false", "a number", "a value"};
	return texts[f->type];
}

static struct gg_str unescaped(struct gg_api_call *c, const struct gg_json_reader *r)
{
	char *to;
	if (!r->escaped || !(to = gg_arena_alloc(gg_http_arena(c->r), r->text.len + 1)))
		return r->text;
	return gg_str_n(to, gg_json_unescape(r->text, to));
}

static bool take_field(struct gg_api_call *c, struct gg_json_reader *r, struct gg_in_field *f)
{
	enum gg_json_token t = gg_json_next(r);
	if (t == GG_JSON_NULL && !f->required)
		return true;
	if (t > GG_JSON_END && !type_fits(f, t)) {
		gg_api_problem(c, -EINVAL, "%s: expected %s", f->name, type_text(f));
		return false;
	}
	f->token = t;
	f->given = true;
	f->truth = t == GG_JSON_TRUE;
	f->text = t == GG_JSON_STRING ? unescaped(c, r) : r->text;
	if (t == GG_JSON_NUMBER)
		gg_parse_float(r->text, &f->number);
	const char *start = r->p;
	if (!gg_json_skip(r, t)) {
		gg_api_problem(c, -EINVAL, "the body is not proper JSON at byte %zu", gg_json_offset(r));
		return false;
	}
	if (t == GG_JSON_OBJECT || t == GG_JSON_ARRAY)
		f->text = gg_str_n(start - 1, (size_t)(r->p - start) + 1);
	return true;
}

struct named {
	const struct gg_in_field *fields;
	size_t count;
};

static const char *name_of(const void *ctx, size_t i)
{
	const struct named *n = ctx;
	return i < n->count ? n->fields[i].name : NULL;
}

static bool take_key(
	struct gg_api_call *c, struct gg_json_reader *r, struct gg_in_field *fields, size_t count)
{
	struct gg_str key = unescaped(c, r);
	for (size_t i = 0; i < count; i++)
		if (gg_str_is(key, fields[i].name))
			return take_field(c, r, &fields[i]);
	struct named n = {fields, count};
	const char *near = gg_nearest(key, name_of, &n);
	gg_api_problem(c, -EINVAL, "there is no field \"%.*s\" here%s%s%s", (int)gg_min_size(key.len, 60),
		key.p, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return false;
}

static bool all_given(struct gg_api_call *c, const struct gg_in_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fields[i].required && !fields[i].given) {
			gg_api_problem(c, -EINVAL, "the field \"%s\" is missing: %s", fields[i].name,
				type_text(&fields[i]));
			return false;
		}
	}
	return true;
}

bool gg_api_body(struct gg_api_call *c, struct gg_in_field *fields, size_t count)
{
	struct gg_json_reader r = gg_json_reader(gg_http_body(c->r));
	if (gg_str_trim(gg_http_body(c->r)).len == 0)
		return all_given(c, fields, count);
	enum gg_json_token t = gg_json_next(&r);
	if (t != GG_JSON_OBJECT) {
		gg_api_problem(c, -EINVAL, "expected a JSON object as body");
		return false;
	}
	while ((t = gg_json_next(&r)) == GG_JSON_KEY)
		if (!take_key(c, &r, fields, count))
			return false;
	if (t != GG_JSON_OBJECT_END || gg_json_next(&r) != GG_JSON_END) {
		gg_api_problem(c, -EINVAL, "the body is not proper JSON at byte %zu", gg_json_offset(&r));
		return false;
	}
	return all_given(c, fields, count);
}

/* ---- answers ---- */

void gg_answer_begin(struct gg_answer *a)
{
	*a = (struct gg_answer){.body = GG_BUF(GG_ANSWER_MAX)};
	a->w = gg_json_writer(&a->body);
}

void gg_answer_send(struct gg_api_call *c, int status, struct gg_answer *a)
{
	gg_buf_char(&a->body, '\n');
	if (a->body.error)
		gg_api_problem(c, a->body.error, "the answer would be too long: ask for less");
	else
		gg_http_reply(c->r, status, "application/json", gg_buf_view(&a->body));
	gg_buf_done(&a->body);
}

void gg_api_problem(struct gg_api_call *c, int code, const char *format, ...)
{
	struct gg_error e = {.code = code};
	va_list args;
	va_start(args, format);
	vsnprintf(e.text, sizeof e.text, format, args);
	va_end(args);
	gg_http_problem_error(c->r, &e);
}

void gg_api_problem_error(struct gg_api_call *c, const struct gg_error *e)
{
	gg_http_problem_error(c->r, e);
}

void gg_api_done(struct gg_api_call *c)
{
	gg_http_reply(c->r, 204, NULL, GG_STR(""));
}
