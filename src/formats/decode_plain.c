/* SPDX-License-Identifier: Apache-2.0 */
/* A payload that is one value, written as text: "21.5", "on", "open". */
#include "formats/decode.h"

#include <strings.h>

static bool is_word(struct gg_str s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.p, word, s.len) == 0;
}

static bool read_bool(struct gg_str s, bool *ret_value)
{
	bool yes = is_word(s, "true") || is_word(s, "on");
	if (!yes && !is_word(s, "false") && !is_word(s, "off"))
		return false;
	*ret_value = yes;
	return true;
}

/* Numbers begin with a digit, a sign or a point; so "nan", "inf" and "0x10" stay text. */
static bool read_number(struct gg_str s, double *ret_value)
{
	bool shape = s.len && ((s.p[0] >= '0' && s.p[0] <= '9') || memchr("+-.", s.p[0], 3));
	bool hex = s.len > 1 && (gg_str_find(s, 'x') < s.len || gg_str_find(s, 'X') < s.len);
	double v = 0;
	if (!shape || hex || gg_parse_float(s, &v) < 0 || v != v || v - v != 0)
		return false;
	*ret_value = v;
	return true;
}

int gg_decode_plain(struct gg_decoder *d, const struct gg_format_rule *rule, struct gg_str name,
	struct gg_str payload, int64_t received_ns, struct gg_batch **batch)
{
	uint32_t signal = 0;
	int rc = gg_decoder_signal(d, name.len ? name : rule->signal, &signal);
	if (rc < 0) {
		d->refused++;
		return rc;
	}
	struct gg_str text = gg_str_trim(payload);
	struct gg_sample s = {.time_ns = received_ns, .signal = signal, .type = GG_TYPE_FLOAT};
	if (read_number(text, &s.v.f))
		return gg_decode_add(batch, &s);
	bool b;
	if (read_bool(text, &b)) {
		s.type = GG_TYPE_BOOL;
		s.v.b = b;
		return gg_decode_add(batch, &s);
	}
	if (!gg_utf8_valid(text) || (text.len && memchr(text.p, 0, text.len)))
		return -EINVAL;
	return gg_decode_add_text(batch, signal, received_ns, text);
}
