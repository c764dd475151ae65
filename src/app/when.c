/* SPDX-License-Identifier: Apache-2.0 */
#include "app/when.h"

static const int64_t day_ns = 86400 * GG_NS_PER_S;

static int64_t midnight(int64_t ns)
{
	int64_t into = ns % day_ns;
	return ns - (into < 0 ? into + day_ns : into);
}

int gg_when_parse(struct gg_str text, int64_t now_ns, int64_t *ret_ns)
{
	int64_t back;
	text = gg_str_trim(text);
	if (gg_str_is(text, "now"))
		*ret_ns = now_ns;
	else if (gg_str_is(text, "today"))
		*ret_ns = midnight(now_ns);
	else if (gg_str_is(text, "yesterday"))
		*ret_ns = midnight(now_ns) - day_ns;
	else if (text.len && gg_time_parse(text, ret_ns) == 0)
		return 0;
	else {
		if (text.len && text.p[0] == '-')
			text = gg_str_n(text.p + 1, text.len - 1);
		if (gg_parse_duration(text, &back) < 0 || back < 0)
			return -EINVAL;
		*ret_ns = now_ns - back;
	}
	return 0;
}

const char *gg_when_age(char to[16], int64_t ns)
{
	double s = (double)ns / 1e9;
	bool ahead = s < 0; /* a device's clock that runs ahead of ours */
	s = ahead ? -s : s;
	const char *sign = ahead && s >= 0.05 ? "-" : "";
	if (s < 9.95)
		snprintf(to, 16, "%s%.1fs", sign, s);
	else if (s < 120)
		snprintf(to, 16, "%s%.0fs", sign, s);
	else if (s < 7200)
		snprintf(to, 16, "%s%.0fmin", sign, s / 60);
	else if (s < 2 * 86400)
		snprintf(to, 16, "%s%.0fh", sign, s / 3600);
	else
		snprintf(to, 16, "%s%.0fd", sign, s / 86400);
	return to;
}

const char *gg_when_short(char *to, int64_t ns, int64_t now_ns)
{
	char text[GG_TIME_TEXT];
	gg_time_format(text, ns - ((ns % GG_NS_PER_S) + GG_NS_PER_S) % GG_NS_PER_S);
	text[10] = ' ';
	text[19] = '\0';
	bool today = midnight(ns) == midnight(now_ns);
	memcpy(to, text + (today ? 11 : 0), today ? 9 : 20);
	return to;
}
