/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON payloads to samples, in one walk over the text.
 *
 *   21.5                                  the signal the topic names
 *   {"oil": {"temp": 61, "ok": true}}     oil.temp, oil.ok      (behind the topic's signal: pump.oil.temp)
 *   {"phases": [230, 231, 229]}           phases.0, phases.1, phases.2
 *   [{"t": 1700000000, "v": 21.5}, ...]   one sample an element, with its own time
 *   [[1700000000, 21.5], ...]             the same, shorter
 *
 * Numbers become floats (a signal that is 21 now and 21.5 then should not change its type), null is left
 * out. The path of names is built in a buffer of the walk; when the element or object ends it is cut back.
 * A time that the rule names may come after the values it belongs to; they are dated when it has been read.
 */
#include "base/json.h"
#include "formats/decode.h"

enum { PATH_DEPTH = 16, TEXT_MAX = 4096 };

struct walk {
	struct gg_decoder *d;
	const struct gg_format_rule *rule;
	struct gg_batch **batch;
	struct gg_json_reader r;
	struct gg_str name; /* the topic's signal */
	struct gg_str time; /* path of the time */
	int64_t time_ns;    /* of what is being read */
	bool in_list;       /* elements of a list of samples: "t" and "v" have their meaning */
	unsigned samples;
	size_t start; /* where the element's own path begins, behind the topic's signal */
	size_t len;
	char path[GG_SIGNAL_NAME * 2];
};

static int add_path(struct walk *w, struct gg_str part)
{
	bool dot = w->len > 0;
	if (w->len + dot + part.len >= sizeof w->path)
		return -EINVAL;
	if (dot)
		w->path[w->len++] = '.';
	memcpy(w->path + w->len, part.p, part.len);
	w->len += part.len;
	return 0;
}

static int add_key(struct walk *w)
{
	char plain[GG_SIGNAL_NAME];
	if (!w->r.escaped)
		return add_path(w, w->r.text);
	if (w->r.text.len >= sizeof plain)
		return -EINVAL;
	return add_path(w, gg_str_n(plain, gg_json_unescape(w->r.text, plain)));
}

/* The path within the element, without the topic's signal. */
static struct gg_str own_path(const struct walk *w)
{
	size_t from = w->start && w->len > w->start ? w->start + 1 : w->start;
	return gg_str_n(w->path + from, w->len - from);
}

static bool is_time(const struct walk *w)
{
	struct gg_str path = own_path(w);
	if (w->time.len)
		return gg_str_eq(path, w->time);
	return w->in_list && (gg_str_is(path, "t") || gg_str_is(path, "ts") || gg_str_is(path, "time") ||
				     gg_str_is(path, "timestamp"));
}

/* In a list of samples {"t":..., "v":...} is a sample of the signal itself. */
static struct gg_str signal_name(const struct walk *w)
{
	struct gg_str path = own_path(w);
	bool itself = path.len == 0 || (w->in_list && (gg_str_is(path, "v") || gg_str_is(path, "value")));
	if (!itself)
		return gg_str_n(w->path, w->len);
	return w->name.len ? w->name : w->rule->signal;
}

static int read_time(struct walk *w, enum gg_json_token t, int64_t *ret_ns)
{
	return t == GG_JSON_STRING || t == GG_JSON_NUMBER
		       ? gg_decode_time(w->r.text, w->rule->time_unit, ret_ns)
		       : -EINVAL;
}

static int emit_text(struct walk *w, uint32_t signal)
{
	char plain[TEXT_MAX];
	struct gg_str text = w->r.text;
	if (w->r.escaped && text.len >= sizeof plain)
		return -E2BIG;
	if (w->r.escaped)
		text = gg_str_n(plain, gg_json_unescape(text, plain));
	return gg_decode_add_text(w->batch, signal, w->time_ns, text);
}

/* A scalar under a name. */
static int emit(struct walk *w, enum gg_json_token t, struct gg_str name)
{
	uint32_t signal = 0;
	if (t == GG_JSON_NULL)
		return 0;
	if (++w->samples > GG_DECODE_SAMPLES)
		return -E2BIG;
	int rc = gg_decoder_signal(w->d, name, &signal);
	if (rc < 0) {
		w->d->refused++; /* one name that can't be does not spoil the rest */
		return rc == -ENOMEM ? rc : 0;
	}
	struct gg_sample s = {.time_ns = w->time_ns, .signal = signal, .type = GG_TYPE_BOOL};
	switch (t) {
	case GG_JSON_TRUE:
	case GG_JSON_FALSE:
		s.v.b = t == GG_JSON_TRUE;
		return gg_decode_add(w->batch, &s);
	case GG_JSON_NUMBER:
		s.type = GG_TYPE_FLOAT;
		rc = gg_parse_float(w->r.text, &s.v.f);
		if (rc < 0 || s.v.f - s.v.f != 0)
			return -EINVAL; /* 1e999 */
		return gg_decode_add(w->batch, &s);
	default:
		return emit_text(w, signal);
	}
}

static void date_from(struct walk *w, uint32_t first)
{
	for (uint32_t i = first; i < (*w->batch)->count; i++)
		(*w->batch)->samples[i].time_ns = w->time_ns;
}

static int leaf(struct walk *w, enum gg_json_token t, uint32_t first)
{
	if (!is_time(w))
		return emit(w, t, signal_name(w));
	int rc = read_time(w, t, &w->time_ns);
	if (rc == 0)
		date_from(w, first);
	return rc;
}

struct level {
	size_t len;    /* of the path outside */
	unsigned next; /* number of the next item of an array */
	bool array;
};

static int open_level(struct level *levels, unsigned *depth, bool array, size_t outside)
{
	if (*depth == PATH_DEPTH)
		return -EINVAL;
	levels[(*depth)++] = (struct level){.len = outside, .array = array};
	return 0;
}

/* Flattens the value whose first token is t. */
static int flatten(struct walk *w, enum gg_json_token t)
{
	struct level levels[PATH_DEPTH];
	unsigned depth = 0;
	size_t outside = w->len; /* path length without the part of the value at hand */
	uint32_t first = (*w->batch)->count;
	int rc = 0;
	for (;;) {
		if (t == GG_JSON_OBJECT || t == GG_JSON_ARRAY) {
			rc = open_level(levels, &depth, t == GG_JSON_ARRAY, outside);
		} else if (t == GG_JSON_OBJECT_END || t == GG_JSON_ARRAY_END) {
			w->len = levels[--depth].len;
		} else if (t > GG_JSON_END) {
			rc = leaf(w, t, first);
			w->len = outside;
		} else {
			return -EINVAL;
		}
		if (rc < 0 || depth == 0)
			return rc;
		t = gg_json_next(&w->r);
		outside = w->len;
		if (t == GG_JSON_KEY) {
			rc = add_key(w);
			t = gg_json_next(&w->r);
		} else if (levels[depth - 1].array && t > GG_JSON_END && t != GG_JSON_ARRAY_END) {
			char digits[24];
			rc = add_path(w, gg_str_n(digits, gg_format_uint(digits, levels[depth - 1].next++)));
		}
		if (rc < 0)
			return rc;
	}
}

/* [time, value] */
static int read_pair(struct walk *w)
{
	enum gg_json_token t = gg_json_next(&w->r);
	int rc = read_time(w, t, &w->time_ns);
	if (rc < 0)
		return rc;
	t = gg_json_next(&w->r);
	if (t == GG_JSON_OBJECT || t == GG_JSON_ARRAY)
		rc = flatten(w, t);
	else if (t == GG_JSON_ARRAY_END)
		return -EINVAL;
	else
		rc = emit(w, t, signal_name(w));
	if (rc < 0)
		return rc;
	return gg_json_next(&w->r) == GG_JSON_ARRAY_END ? 0 : -EINVAL;
}

/* A payload that is a list: of samples with their times, or of values. */
static int read_list(struct walk *w, int64_t received_ns)
{
	size_t outside = w->len;
	w->in_list = true;
	for (unsigned i = 0;; i++) {
		enum gg_json_token t = gg_json_next(&w->r);
		int rc = 0;
		if (t == GG_JSON_ARRAY_END)
			return 0;
		w->time_ns = received_ns;
		if (t == GG_JSON_ARRAY) {
			rc = read_pair(w);
		} else if (t == GG_JSON_OBJECT) {
			rc = flatten(w, t);
		} else if (t > GG_JSON_END) {
			char digits[24];
			rc = add_path(w, gg_str_n(digits, gg_format_uint(digits, i)));
			if (rc == 0)
				rc = emit(w, t, gg_str_n(w->path, w->len));
		} else {
			rc = -EINVAL;
		}
		if (rc < 0)
			return rc;
		w->len = outside;
	}
}

static int pick_time(struct walk *w, struct gg_str payload)
{
	struct gg_str found;
	if (!w->rule->time.len)
		return 0;
	int rc = gg_json_pointer(payload, w->rule->time, &found);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	w->r = gg_json_reader(found);
	return read_time(w, gg_json_next(&w->r), &w->time_ns);
}

static int pick(struct walk *w, struct gg_str payload)
{
	int rc = pick_time(w, payload);
	for (size_t i = 0; rc == 0 && i < w->rule->pick_count; i++) {
		struct gg_str found, name = gg_str(w->rule->picks[i].signal);
		rc = gg_json_pointer(payload, gg_str(w->rule->picks[i].pointer), &found);
		if (rc == -ENOENT) {
			rc = 0;
			continue;
		}
		if (rc < 0)
			break;
		w->r = gg_json_reader(found);
		w->time = gg_str_n("", 0);
		w->len = 0;
		rc = add_path(w, name);
		w->start = 0;
		enum gg_json_token t = gg_json_next(&w->r);
		if (rc == 0)
			rc = t == GG_JSON_OBJECT || t == GG_JSON_ARRAY ? flatten(w, t) : emit(w, t, name);
	}
	return rc;
}

static int take_all(struct walk *w, int64_t received_ns)
{
	int rc = w->name.len ? add_path(w, w->name) : 0;
	w->start = w->len;
	if (rc < 0)
		return rc;
	enum gg_json_token t = gg_json_next(&w->r);
	if (t == GG_JSON_ARRAY)
		rc = read_list(w, received_ns);
	else if (t > GG_JSON_END)
		rc = flatten(w, t);
	else
		return -EINVAL;
	if (rc < 0)
		return rc;
	return gg_json_next(&w->r) == GG_JSON_END ? 0 : -EINVAL;
}

int gg_decode_json(struct gg_decoder *d, const struct gg_format_rule *rule, struct gg_str name,
	struct gg_str payload, int64_t received_ns, struct gg_batch **batch)
{
	uint32_t count = (*batch)->count, tail = (*batch)->tail_len;
	struct walk w = {.d = d,
		.rule = rule,
		.batch = batch,
		.r = gg_json_reader(payload),
		.name = name,
		.time = gg_str(rule->time_path),
		.time_ns = received_ns};
	int rc = rule->pick_count ? pick(&w, payload) : take_all(&w, received_ns);
	if (rc < 0) {
		(*batch)->count = count;
		(*batch)->tail_len = tail;
	}
	return rc;
}
