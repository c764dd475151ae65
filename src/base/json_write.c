/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/json.h"

#include <math.h>

static void before_value(struct gg_json_writer *w)
{
	uint64_t bit = 1ULL << (w->depth & 63);
	if (w->after_key)
		w->after_key = false;
	else if (w->has_member & bit)
		gg_buf_char(w->to, ',');
	w->has_member |= bit;
}

static void open_level(struct gg_json_writer *w, char c)
{
	before_value(w);
	gg_buf_char(w->to, c);
	if (++w->depth >= GG_JSON_DEPTH)
		w->to->error = -E2BIG;
	w->has_member &= ~(1ULL << (w->depth & 63));
}

static void close_level(struct gg_json_writer *w, char c)
{
	w->depth--;
	gg_buf_char(w->to, c);
}

void gg_json_begin_object(struct gg_json_writer *w)
{
	open_level(w, '{');
}

void gg_json_end_object(struct gg_json_writer *w)
{
	close_level(w, '}');
}

void gg_json_begin_array(struct gg_json_writer *w)
{
	open_level(w, '[');
}

void gg_json_end_array(struct gg_json_writer *w)
{
	close_level(w, ']');
}

/* Length of the valid UTF-8 sequence at s, 0 when there is none. */
static size_t sequence(struct gg_str s)
{
	for (size_t n = 1; n <= 4 && n <= s.len; n++)
		if (gg_utf8_valid(gg_str_n(s.p, n)))
			return n;
	return 0;
}

static void escape(struct gg_buf *b, unsigned char c)
{
	static const char letters[32] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	char letter = c < 32 ? letters[c] : (char)c;
	if (letter) {
		char pair[2] = {'\\', letter};
		gg_buf_add(b, pair, 2);
	} else {
		gg_buf_printf(b, "\\u%04x", c);
	}
}

static void quoted(struct gg_buf *b, struct gg_str s)
{
	gg_buf_char(b, '"');
	size_t plain = 0, i = 0;
	while (i < s.len) {
		unsigned char c = (unsigned char)s.p[i];
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			i++;
			continue;
		}
		size_t n = c >= 0x80 ? sequence(gg_str_n(s.p + i, s.len - i)) : 0;
		if (n) {
			i += n;
			continue;
		}
		gg_buf_add(b, s.p + plain, i - plain);
		if (c >= 0x80)
			gg_buf_str(b, GG_STR("\xef\xbf\xbd"));
		else
			escape(b, c);
		plain = ++i;
	}
	gg_buf_add(b, s.p + plain, i - plain);
	gg_buf_char(b, '"');
}

void gg_json_key(struct gg_json_writer *w, struct gg_str key)
{
	before_value(w);
	quoted(w->to, key);
	gg_buf_char(w->to, ':');
	w->after_key = true;
}

void gg_json_string(struct gg_json_writer *w, struct gg_str s)
{
	before_value(w);
	quoted(w->to, s);
}

void gg_json_raw(struct gg_json_writer *w, struct gg_str json)
{
	before_value(w);
	gg_buf_str(w->to, json);
}

void gg_json_int(struct gg_json_writer *w, int64_t v)
{
	char text[32];
	size_t n = gg_format_int(text, v);
	gg_json_raw(w, gg_str_n(text, n));
}

void gg_json_uint(struct gg_json_writer *w, uint64_t v)
{
	char text[32];
	size_t n = gg_format_uint(text, v);
	gg_json_raw(w, gg_str_n(text, n));
}

void gg_json_float(struct gg_json_writer *w, double v)
{
	char text[32];
	if (!isfinite(v)) {
		gg_json_null(w);
		return;
	}
	size_t n = gg_format_float(text, v);
	gg_json_raw(w, gg_str_n(text, n));
}

void gg_json_bool(struct gg_json_writer *w, bool v)
{
	gg_json_raw(w, v ? GG_STR("true") : GG_STR("false"));
}

void gg_json_null(struct gg_json_writer *w)
{
	gg_json_raw(w, GG_STR("null"));
}

void gg_json_time(struct gg_json_writer *w, int64_t utc_ns)
{
	char text[GG_TIME_TEXT];
	size_t n = gg_time_format(text, utc_ns);
	gg_json_string(w, gg_str_n(text, n));
}

void gg_json_put_str(struct gg_json_writer *w, const char *key, struct gg_str v)
{
	gg_json_key(w, gg_str(key));
	gg_json_string(w, v);
}

void gg_json_put_int(struct gg_json_writer *w, const char *key, int64_t v)
{
	gg_json_key(w, gg_str(key));
	gg_json_int(w, v);
}

void gg_json_put_float(struct gg_json_writer *w, const char *key, double v)
{
	gg_json_key(w, gg_str(key));
	gg_json_float(w, v);
}

void gg_json_put_bool(struct gg_json_writer *w, const char *key, bool v)
{
	gg_json_key(w, gg_str(key));
	gg_json_bool(w, v);
}

void gg_json_put_time(struct gg_json_writer *w, const char *key, int64_t utc_ns)
{
	gg_json_key(w, gg_str(key));
	gg_json_time(w, utc_ns);
}
