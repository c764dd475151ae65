/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small readers that stand behind all others: numbers, durations, sizes, times, patterns, UTF-8, varints.
 * What reads must write and read back as the same; patterns match as the plain definition says. The input is
 * two texts, divided by a newline.
 */
#include "base/bytes.h"
#include "base/clock.h"
#include "base/str.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void numbers(struct gg_str s)
{
	char text[64];
	int64_t i, again;
	uint64_t u, u_again;
	double d, d_again;
	if (gg_parse_int(s, &i) == 0)
		must(gg_parse_int(gg_str_n(text, gg_format_int(text, i)), &again) == 0 && again == i);
	if (gg_parse_uint(s, &u) == 0)
		must(gg_parse_uint(gg_str_n(text, gg_format_uint(text, u)), &u_again) == 0 && u_again == u);
	if (gg_parse_float(s, &d) < 0)
		return;
	if (s.len < sizeof text) {
		gg_str_copy(text, sizeof text, s);
		must(isnan(d) || strtod(text, NULL) == d);
	}
	size_t n = gg_format_float(text, d);
	must(n < 32);
	if (isfinite(d)) {
		must(gg_parse_float(gg_str_n(text, n), &d_again) == 0 && d_again == d);
		must((float)gg_float32_value((float)d) == (float)d);
	}
}

static void amounts(struct gg_str s)
{
	char text[80];
	int64_t ns;
	uint64_t bytes;
	if (gg_parse_duration(s, &ns) == 0)
		must(gg_format_duration(text, sizeof text, ns) < sizeof text && ns >= 0);
	if (gg_parse_size(s, &bytes) == 0)
		must(s.len > 0);
}

static void times(struct gg_str s)
{
	struct gg_clock_manual clock;
	char text[GG_TIME_TEXT];
	int64_t ns, again;
	if (gg_time_parse(s, &ns) < 0)
		return;
	gg_clock_manual_init(&clock, ns);
	must(gg_clock_utc(&clock.clock) == ns && gg_clock_monotonic(&clock.clock) >= 0);
	must(gg_clock_utc(&gg_clock_system) > 0 && gg_clock_monotonic(&gg_clock_system) > 0);
	size_t n = gg_time_format(text, ns);
	must(n < sizeof text && gg_time_parse(gg_str_n(text, n), &again) == 0 && again == ns);
}

/* The definition, in time that grows without bound: for short texts. */
static bool matches(const char *p, const char *p_end, const char *t, const char *t_end)
{
	if (p == p_end)
		return t == t_end;
	if (*p == '*')
		return matches(p + 1, p_end, t, t_end) || (t < t_end && matches(p, p_end, t + 1, t_end));
	return t < t_end && (*p == '?' || *p == *t) && matches(p + 1, p_end, t + 1, t_end);
}

static void pattern(struct gg_str p, struct gg_str t)
{
	bool fits = gg_glob(p, t);
	if (p.len + t.len <= 16)
		must(fits == matches(p.p, p.p + p.len, t.p, t.p + t.len));
	if (!gg_glob_has_wildcard(p))
		must(fits == gg_str_eq(p, t));
	must(gg_str_distance(p, t) == gg_str_distance(t, p));
	must((gg_str_distance(p, t) == 0) == gg_str_eq(p, t) || p.len > 63 || t.len > 63);
	must((gg_str_cmp(p, t) == 0) == gg_str_eq(p, t));
}

static void bytes(struct gg_str s)
{
	uint8_t out[16];
	struct gg_reader r = gg_reader(s.p, s.len);
	while (gg_reader_left(&r) && gg_reader_ok(&r)) {
		uint64_t v = gg_read_varint(&r);
		struct gg_writer w = gg_writer(out, sizeof out);
		gg_write_varint(&w, v);
		struct gg_reader again = gg_reader(out, gg_writer_len(&w));
		must(gg_writer_ok(&w) && gg_read_varint(&again) == v && gg_reader_ok(&again));
	}
	char *copy = gg_str_dup(s);
	must(!copy || strlen(copy) <= s.len);
	free(copy);
	struct gg_str trimmed = gg_str_trim(s);
	must(trimmed.len <= s.len && (trimmed.len < s.len || gg_str_starts(s, trimmed)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_str all = gg_str_n(data ? (const char *)data : "", size), rest = all;
	struct gg_str first = gg_str_cut(&rest, '\n');
	numbers(first);
	amounts(first);
	times(first);
	pattern(first, rest);
	bytes(all);
	(void)gg_utf8_valid(all);
	return 0;
}
