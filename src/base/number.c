/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers to text and back, without locale and, for the usual case, without libc.
 *
 * Reading: a decimal of at most 19 digits whose power of ten is within 10^±22 is exact as one multiplication
 * or division of doubles (both operands are exact, the result is rounded once); all others go to strtod.
 * Writing: 15 digits are tried first (exact for what people and sensors write), then 16 and 17.
 */
#include "base/str.h"

#include <ctype.h>
#include <math.h>

static const double powers_of_ten[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

int gg_parse_uint(struct gg_str s, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (s.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(s.p[i] - '0');
		if (digit > 9)
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10U, &value) ||
			__builtin_add_overflow(value, digit, &value))
			return -ERANGE;
	}
	*ret_value = value;
	return 0;
}

int gg_parse_int(struct gg_str s, int64_t *ret_value)
{
	bool negative = s.len && s.p[0] == '-';
	struct gg_str digits = negative || (s.len && s.p[0] == '+') ? gg_str_n(s.p + 1, s.len - 1) : s;
	uint64_t value = 0;
	int rc = gg_parse_uint(digits, &value);
	if (rc < 0)
		return rc;
	if (value > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
	return 0;
}

int gg_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int gg_parse_hex(struct gg_str s, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (s.len < 3 || s.len > 18 || s.p[0] != '0' || (s.p[1] | 0x20) != 'x')
		return -EINVAL;
	for (size_t i = 2; i < s.len; i++) {
		int digit = gg_hex_digit(s.p[i]);
		if (digit < 0)
			return -EINVAL;
		value = value << 4 | (unsigned)digit;
	}
	*ret_value = value;
	return 0;
}

void gg_format_hex(char *to, const void *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = bytes;
	for (size_t i = 0; i < size; i++) {
		*to++ = digits[p[i] >> 4];
		*to++ = digits[p[i] & 15];
	}
	*to = '\0';
}

static int parse_float_slow(struct gg_str s, double *ret_value)
{
	char text[1100]; /* longer than any double needs to be exact; more is no number a device sends */
	if (s.len == 0 || s.len >= sizeof text || isspace((unsigned char)s.p[0]))
		return -EINVAL;
	gg_str_copy(text, sizeof text, s);
	char *end;
	errno = 0;
	double value = strtod(text, &end);
	if (end != text + s.len)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

struct decimal {
	uint64_t digits;
	int exponent;
	unsigned count;
	bool negative;
};

static const char *scan_digits(const char *p, const char *end, struct decimal *d, int step)
{
	for (; p < end && (unsigned)(*p - '0') <= 9; p++) {
		d->digits = d->digits * 10 + (unsigned)(*p - '0'); /* may wrap: then count tells */
		d->count += d->count > 0 || *p != '0';
		d->exponent += step;
	}
	return p;
}

/* Reads [-]digits[.digits][e[+-]digits] into d; false when it is another shape or has too many digits. */
static bool scan_decimal(struct gg_str s, struct decimal *d)
{
	const char *p = s.p, *end = s.p + s.len;
	if (p < end && (*p == '-' || *p == '+'))
		d->negative = *p++ == '-';
	const char *first = p;
	p = scan_digits(p, end, d, 0);
	size_t seen = (size_t)(p - first);
	if (p < end && *p == '.') {
		first = ++p;
		p = scan_digits(p, end, d, -1);
		seen += (size_t)(p - first);
	}
	if (seen == 0 || d->count > 19)
		return false;
	if (p < end && (*p == 'e' || *p == 'E')) {
		int64_t exponent = 0;
		if (gg_parse_int(gg_str_n(p + 1, (size_t)(end - p - 1)), &exponent) < 0 || exponent > 400 ||
			exponent < -400)
			return false;
		d->exponent += (int)exponent;
		p = end;
	}
	return p == end;
}

int gg_parse_float(struct gg_str s, double *ret_value)
{
	struct decimal d = {0};
	if (!scan_decimal(s, &d) || d.digits >= (1ULL << 53) || d.exponent > 22 || d.exponent < -22)
		return parse_float_slow(s, ret_value);
	double value = (double)d.digits;
	value = d.exponent < 0 ? value / powers_of_ten[-d.exponent] : value * powers_of_ten[d.exponent];
	*ret_value = d.negative ? -value : value;
	return 0;
}

size_t gg_format_uint(char *to, uint64_t value)
{
	char digits[20];
	size_t n = 0;
	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	for (size_t i = 0; i < n; i++)
		to[i] = digits[n - 1 - i];
	to[n] = '\0';
	return n;
}

size_t gg_format_int(char *to, int64_t value)
{
	if (value >= 0)
		return gg_format_uint(to, (uint64_t)value);
	to[0] = '-';
	return 1 + gg_format_uint(to + 1, 0 - (uint64_t)value);
}

/* Decimals with at most six places, which is nearly all that sensors send: value * 10^places is an integer
 * and dividing it back gives the same double, so the digits are right. */
static size_t format_short(char *to, double value)
{
	for (unsigned places = 0; places <= 6; places++) {
		double scaled = value * powers_of_ten[places];
		if (fabs(scaled) >= 1e15)
			return 0;
		int64_t whole = (int64_t)scaled;
		for (int64_t try = whole - 1; try <= whole + 1; try++) {
			if ((double)try / powers_of_ten[places] != value)
				continue;
			char *p = to;
			uint64_t digits = try < 0 ? 0 - (uint64_t)
			try:
				(uint64_t) try;
			uint64_t unit = (uint64_t)powers_of_ten[places];
			if (try < 0)
				*p++ = '-';
			p += gg_format_uint(p, digits / unit);
			if (places == 0)
				return (size_t)(p - to);
			*p++ = '.';
			uint64_t fraction = digits % unit;
			for (uint64_t u = unit / 10; u; u /= 10)
				*p++ = (char)('0' + fraction / u % 10);
			*p = '\0';
			return (size_t)(p - to);
		}
	}
	return 0;
}

size_t gg_format_float(char *to, double value)
{
	if (isnan(value))
		return gg_str_copy(to, 32, GG_STR("NaN"));
	if (isinf(value))
		return gg_str_copy(to, 32, value > 0 ? GG_STR("Infinity") : GG_STR("-Infinity"));
	if (value == 0)
		return gg_str_copy(to, 32, signbit(value) ? GG_STR("-0") : GG_STR("0"));
	size_t n = format_short(to, value);
	for (int digits = 15; n == 0 && digits <= 17; digits++) {
		int written = snprintf(to, 32, "%.*g", digits, value);
		if (digits == 17 || strtod(to, NULL) == value)
			n = (size_t)written;
	}
	return n;
}

/* The place of the first digit: 0 for 1 to 9, -1 for 0.1 to 0.9. a in [1e-13, 1e9). */
static int first_place(double a)
{
	int place = 0;
	while (a >= powers_of_ten[place + 1])
		place++;
	while (place <= 0 && a * powers_of_ten[-place] < 1)
		place--;
	return place;
}

static double float32_by_text(float f)
{
	char text[32];
	for (int digits = 1; digits < 9; digits++) { /* those below 1e-38 hold less than six */
		snprintf(text, sizeof text, "%.*g", digits, (double)f);
		if (strtof(text, NULL) == f)
			return strtod(text, NULL);
	}
	snprintf(text, sizeof text, "%.9g", (double)f);
	return strtod(text, NULL);
}

/* Six digits always survive a float, nine always tell it from its neighbours. As with reading, digits below
 * 2^53 divided by an exact power of ten are rounded once, so the result is the very double of the decimal. */
double gg_float32_value(float f)
{
	double value = (double)f, a = fabs(value);
	if (!isfinite(value) || a >= 1e9 || value == trunc(value))
		return value;
	if (a < 1e-12)
		return float32_by_text(f);
	int first = first_place(a);
	for (int digits = first > 5 ? first + 1 : 6; digits <= 9; digits++) {
		double power = powers_of_ten[digits - 1 - first];
		double decimal = nearbyint(value * power) / power;
		if ((float)decimal == f)
			return decimal;
	}
	return float32_by_text(f);
}

struct suffix {
	const char *name;
	double factor;
};

static const struct suffix durations[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"sec", 1e9},
	{"min", 60e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}, {"w", 604800e9}, {"", 1e9}};
static const struct suffix sizes[] = {{"", 1}, {"B", 1}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
	{"TB", 1e12}, {"KiB", 1024}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}};

static int parse_with_suffix(struct gg_str *rest, const struct suffix *table, size_t count, double *ret_value)
{
	size_t n = 0, end;
	while (n < rest->len && (isdigit((unsigned char)rest->p[n]) || rest->p[n] == '.'))
		n++;
	double value = 0;
	if (gg_parse_float(gg_str_n(rest->p, n), &value) < 0)
		return -EINVAL;
	while (n < rest->len && rest->p[n] == ' ')
		n++;
	for (end = n; end < rest->len && isalpha((unsigned char)rest->p[end]);)
		end++;
	struct gg_str unit = gg_str_n(rest->p + n, end - n);
	for (size_t i = 0; i < count; i++) {
		if (!gg_str_is(unit, table[i].name))
			continue;
		*ret_value = value * table[i].factor;
		while (end < rest->len && rest->p[end] == ' ')
			end++;
		*rest = gg_str_n(rest->p + end, rest->len - end);
		return 0;
	}
	return -EINVAL;
}

int gg_parse_duration(struct gg_str s, int64_t *ret_ns)
{
	double total = 0, part = 0;
	do {
		if (parse_with_suffix(&s, durations, GG_COUNT(durations), &part) < 0)
			return -EINVAL;
		total += part;
	} while (s.len);
	if (total > 9.2e18)
		return -ERANGE;
	*ret_ns = (int64_t)total;
	return 0;
}

int gg_parse_size(struct gg_str s, uint64_t *ret_bytes)
{
	double value = 0;
	if (parse_with_suffix(&s, sizes, GG_COUNT(sizes), &value) < 0 || s.len)
		return -EINVAL;
	if (value > 1e19)
		return -ERANGE;
	*ret_bytes = (uint64_t)value;
	return 0;
}

size_t gg_format_duration(char *to, size_t size, int64_t ns)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {{"d", 86400 * GG_NS_PER_S}, {"h", 3600 * GG_NS_PER_S}, {"min", 60 * GG_NS_PER_S},
		{"s", GG_NS_PER_S}, {"ms", GG_NS_PER_MS}, {"us", GG_NS_PER_US}, {"ns", 1}};
	size_t n = 0;
	unsigned parts = 0;
	if (ns < 0)
		n += (size_t)snprintf(to, size, "-");
	uint64_t left = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	for (size_t i = 0; i < GG_COUNT(units) && parts < 2 && n < size; i++) {
		uint64_t count = left / (uint64_t)units[i].ns;
		if (count == 0)
			continue;
		n += (size_t)snprintf(to + n, size - n, "%s%llu%s", parts++ ? " " : "",
			(unsigned long long)count, units[i].name);
		left %= (uint64_t)units[i].ns;
	}
	return parts ? n : (size_t)snprintf(to, size, "0s");
}
