/* SPDX-License-Identifier: Apache-2.0 */
/* What all payload formats share: signals by name, room in the batch, times, and the rule a human wrote. */
#include "formats/decode.h"

#include "base/clock.h"

#include <math.h>

void gg_decoder_done(struct gg_decoder *d)
{
	gg_map_done(&d->signals);
}

static int make_signal(struct gg_decoder *d, struct gg_str name, uint32_t *ret_signal)
{
	char clean[GG_SIGNAL_NAME];
	if (name.len == 0 || name.len >= sizeof clean)
		return -EINVAL;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];
		bool odd = c <= ' ' || c == 0x7f || memchr("*?#+", c, 4);
		clean[i] = odd ? '_' : (char)c;
	}
	uint32_t signal = 0;
	int rc = d->signal(d->arg, d->device, gg_str_n(clean, name.len), &signal);
	if (rc < 0)
		return rc;
	rc = gg_map_put(&d->signals, name, signal);
	if (rc < 0)
		return rc;
	*ret_signal = signal;
	return 0;
}

int gg_decoder_signal(struct gg_decoder *d, struct gg_str name, uint32_t *ret_signal)
{
	const struct gg_map_entry *e = gg_map_find(&d->signals, name);
	if (!e)
		return make_signal(d, name, ret_signal);
	*ret_signal = (uint32_t)e->value;
	return 0;
}

static int grow(struct gg_batch **batch, uint32_t samples, uint32_t bytes)
{
	struct gg_batch *bigger = gg_batch_grow_take(*batch, samples, bytes);
	if (!bigger)
		return -ENOMEM;
	*batch = bigger;
	return 0;
}

int gg_decode_add(struct gg_batch **batch, const struct gg_sample *s)
{
	if ((*batch)->count == (*batch)->capacity) {
		int rc = grow(batch, (*batch)->count + 16, 0);
		if (rc < 0)
			return rc;
	}
	return gg_batch_add(*batch, s);
}

int gg_decode_add_text(struct gg_batch **batch, uint32_t signal, int64_t time_ns, struct gg_str text)
{
	struct gg_batch *b = *batch;
	if (b->count == b->capacity || b->tail_len + text.len > b->tail_cap) {
		int rc = grow(batch, b->count + 16, (uint32_t)text.len + 256);
		if (rc < 0)
			return rc;
	}
	return gg_batch_add_string(*batch, signal, time_ns, text);
}

/* ---- time ---- */

static double unit_ns(enum gg_time_unit unit, double value)
{
	static const double units[] = {
		[GG_TIME_S] = 1e9, [GG_TIME_MS] = 1e6, [GG_TIME_US] = 1e3, [GG_TIME_NS] = 1};
	if (unit != GG_TIME_AUTO)
		return units[unit];
	double size = fabs(value); /* 1e11 s is the year 5138; 1e11 ms is 1973 */
	return size < 1e11 ? 1e9 : size < 1e14 ? 1e6 : size < 1e17 ? 1e3 : 1;
}

int gg_decode_time(struct gg_str text, enum gg_time_unit unit, int64_t *ret_utc_ns)
{
	int64_t whole = 0;
	double value = 0;
	if (gg_parse_int(text, &whole) == 0) {
		int64_t ns = (int64_t)unit_ns(unit, (double)whole);
		return __builtin_mul_overflow(whole, ns, ret_utc_ns) ? -EINVAL : 0;
	}
	if (gg_parse_float(text, &value) < 0)
		return gg_time_parse(text, ret_utc_ns);
	value *= unit_ns(unit, value);
	if (!(fabs(value) < 9.2e18))
		return -EINVAL;
	*ret_utc_ns = (int64_t)value;
	return 0;
}

/* ---- the rule ---- */

const char *const gg_format_names[] = {"plain", "json", NULL};
const char *const gg_time_unit_names[] = {"auto", "s", "ms", "us", "ns", NULL};

const struct gg_option gg_pick_table[] = {GG_OPTION(struct gg_pick, signal, KEY, .help = "The signal's name"),
	GG_OPTION(struct gg_pick, pointer, STRING, .flags = GG_MAIN | GG_REQUIRED, .example = "/sensor/temp",
		.help = "JSON Pointer of its value"),
	{0}};

/* "/a/b~1c" becomes "a.b/c", as flattening writes it. */
static void pointer_to_path(struct gg_str pointer, char *to, size_t size)
{
	size_t n = 0;
	for (size_t i = 1; i < pointer.len && n + 1 < size; i++) {
		char c = pointer.p[i];
		if (c == '/')
			c = '.';
		else if (c == '~' && i + 1 < pointer.len)
			c = pointer.p[++i] == '1' ? '/' : '~';
		to[n++] = c;
	}
	to[n] = '\0';
}

int gg_format_rule_make(
	const struct gg_format_options *o, struct gg_format_rule *ret_rule, struct gg_error *e)
{
	struct gg_format_rule rule = {.format = (enum gg_format)o->format,
		.time_unit = (enum gg_time_unit)o->time_unit,
		.time = gg_str(o->time),
		.device = gg_str(o->device),
		.signal = o->signal ? gg_str(o->signal) : GG_STR("value"),
		.picks = o->signals.items,
		.pick_count = o->signals.count};
	if (rule.time.len && rule.time.p[0] != '/')
		return gg_error_set(
			e, -EINVAL, "time \"%s\": expected a JSON Pointer such as \"/ts\"", o->time);
	for (size_t i = 0; i < rule.pick_count; i++)
		if (rule.picks[i].pointer[0] && rule.picks[i].pointer[0] != '/')
			return gg_error_set(e, -EINVAL,
				"signals: %s: \"%s\": expected a JSON Pointer such as \"/sensor/temp\"",
				rule.picks[i].signal, rule.picks[i].pointer);
	if (rule.time.len)
		pointer_to_path(rule.time, rule.time_path, sizeof rule.time_path);
	*ret_rule = rule;
	return 0;
}

int gg_decode(struct gg_decoder *d, const struct gg_format_rule *rule, struct gg_str name,
	struct gg_str payload, int64_t received_ns, struct gg_batch **batch)
{
	return rule->format == GG_FORMAT_JSON ? gg_decode_json(d, rule, name, payload, received_ns, batch)
					      : gg_decode_plain(d, rule, name, payload, received_ns, batch);
}
