/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * GG_NS_PER_S + t.tv_nsec;
}

static int64_t system_monotonic(const struct gg_clock *c)
{
	(void)c;
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_utc(const struct gg_clock *c)
{
	(void)c;
	return read_clock(CLOCK_REALTIME);
}

const struct gg_clock gg_clock_system = {system_monotonic, system_utc};

static int64_t manual_monotonic(const struct gg_clock *c)
{
	return ((const struct gg_clock_manual *)(const void *)c)->monotonic;
}

static int64_t manual_utc(const struct gg_clock *c)
{
	return ((const struct gg_clock_manual *)(const void *)c)->utc;
}

void gg_clock_manual_init(struct gg_clock_manual *m, int64_t utc_ns)
{
	*m = (struct gg_clock_manual){{manual_monotonic, manual_utc}, GG_NS_PER_S, utc_ns};
}

/* Days since 1970-01-01 of a Gregorian date; March is month 0, so that the leap day ends the year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

size_t gg_time_format(char *to, int64_t utc_ns)
{
	int64_t s = utc_ns / GG_NS_PER_S, ns = utc_ns % GG_NS_PER_S;
	if (ns < 0) {
		ns += GG_NS_PER_S;
		s--;
	}
	struct tm tm;
	time_t seconds = (time_t)s;
	gmtime_r(&seconds, &tm);
	size_t n = strftime(to, GG_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	if (ns) {
		n += (size_t)snprintf(to + n, GG_TIME_TEXT - n, ".%09lld", (long long)ns);
		while (to[n - 1] == '0')
			n--;
	}
	to[n++] = 'Z';
	to[n] = '\0';
	return n;
}

/* Takes exactly n digits off the front; -1 when there are fewer. */
static int64_t digits(struct gg_str *s, size_t n)
{
	uint64_t value = 0;
	if (s->len < n || gg_parse_uint(gg_str_n(s->p, n), &value) < 0)
		return -1;
	s->p += n;
	s->len -= n;
	return (int64_t)value;
}

static bool accept(struct gg_str *s, char c)
{
	if (!s->len || s->p[0] != c)
		return false;
	s->p++;
	s->len--;
	return true;
}

static int64_t fraction(struct gg_str *s)
{
	int64_t ns = 0, unit = 100000000;
	size_t n = 0;
	for (; s->len && (unsigned)(s->p[0] - '0') <= 9; n++, unit /= 10) {
		ns += unit * (s->p[0] - '0');
		s->p++;
		s->len--;
	}
	return n ? ns : -1;
}

static int zone(struct gg_str *s, int64_t *ret_s)
{
	if (s->len == 0 || accept(s, 'Z') || accept(s, 'z')) {
		*ret_s = 0;
		return s->len ? -EINVAL : 0;
	}
	int sign = accept(s, '+') ? 1 : accept(s, '-') ? -1 : 0;
	int64_t hours = digits(s, 2);
	accept(s, ':');
	int64_t minutes = digits(s, 2);
	if (!sign || hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || s->len)
		return -EINVAL;
	*ret_s = sign * (hours * 3600 + minutes * 60);
	return 0;
}

static int time_of_day(struct gg_str *s, int64_t *ret_s, int64_t *ret_ns)
{
	int64_t hour = digits(s, 2);
	bool ok = accept(s, ':');
	int64_t minute = digits(s, 2), second = 0, ns = 0, offset = 0;
	if (accept(s, ':'))
		second = digits(s, 2);
	if (accept(s, '.') || accept(s, ','))
		ns = fraction(s);
	if (!ok || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
		ns < 0 || zone(s, &offset) < 0)
		return -EINVAL;
	*ret_s = hour * 3600 + minute * 60 + second - offset;
	*ret_ns = ns;
	return 0;
}

int gg_time_parse(struct gg_str s, int64_t *ret_utc_ns)
{
	static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t year = digits(&s, 4);
	bool ok = accept(&s, '-');
	int64_t month = digits(&s, 2);
	ok = accept(&s, '-') && ok;
	int64_t day = digits(&s, 2), of_day = 0, ns = 0;
	if (!ok || year < 1678 || year > 2261 || month < 1 || month > 12 || day < 1)
		return -EINVAL;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (day > month_days[month - 1] + (month == 2 && leap))
		return -EINVAL;
	if (s.len && ((!accept(&s, 'T') && !accept(&s, 't') && !accept(&s, ' ')) ||
			     time_of_day(&s, &of_day, &ns) < 0))
		return -EINVAL;
	*ret_utc_ns = (days_of(year, month, day) * 86400 + of_day) * GG_NS_PER_S + ns;
	return 0;
}
