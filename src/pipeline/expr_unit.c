/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units by UDUNITS-2. Its database is read when two units that are written differently meet for the first
 * time (a gateway whose signals all match never loads it); the library has global state, so one lock guards
 * all of it. Never called per sample.
 */
#include <udunits2.h> /* first: its parameters use a word that base.h poisons */

#include "pipeline/expr.h"

#include <math.h>
#include <pthread.h>

static struct {
	pthread_mutex_t lock; /* guards known and every call into the library */
	ut_system *known;
	bool tried;
} units = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum { UNIT_TEXT = 64 };

/* The way people write them, next to what UDUNITS knows. */
static const char *usual(const char *unit)
{
	static const char *const others[][2] = {{"%", "percent"}, {"rpm", "1/min"}, {"°C", "degC"},
		{"°F", "degF"}, {"bar(g)", "bar"}, {"U/min", "1/min"}, {"l/min", "L/min"}, {"m³/h", "m3/h"},
		{"°", "degree"}, {"Nm", "N.m"}, {"VA", "V.A"}, {"kVA", "kV.A"}, {"var", "V.A"},
		{"kvar", "kV.A"}, {"Ah", "A.h"}, {"mAh", "mA.h"}, {"Wh", "W.h"}, {"kWh", "kW.h"},
		{"MWh", "MW.h"}, {"ppm", "1e-6"}, {"ppb", "1e-9"}};
	for (size_t i = 0; i < GG_COUNT(others); i++)
		if (gg_str_is(gg_str(unit), others[i][0]))
			return others[i][1];
	return unit;
}

/* Under the lock. */
static ut_unit *parse(const char *unit)
{
	if (!units.tried) {
		units.tried = true;
		ut_set_error_message_handler(ut_ignore);
		units.known = ut_read_xml(NULL);
	}
	if (!units.known || strlen(unit) >= UNIT_TEXT)
		return NULL;
	return ut_parse(units.known, usual(unit), UT_UTF8);
}

int gg_unit_linear(const char *from, const char *to, struct gg_expr_linear *ret_linear)
{
	int rc = -EINVAL;
	pthread_mutex_lock(&units.lock);
	ut_unit *a = parse(from), *b = parse(to);
	cv_converter *c = a && b && ut_are_convertible(a, b) ? ut_get_converter(a, b) : NULL;
	if (a && b)
		rc = -ENOTSUP;
	if (c) {
		double offset = cv_convert_double(c, 0), at_1 = cv_convert_double(c, 1),
		       at_3 = cv_convert_double(c, 3);
		/* logarithmic units (dBm) are not linear */
		if (fabs(at_3 - offset - 3 * (at_1 - offset)) <= 1e-9 * (1 + fabs(at_3))) {
			*ret_linear = (struct gg_expr_linear){at_1 - offset, offset};
			rc = 0;
		}
	}
	cv_free(c);
	ut_free(a);
	ut_free(b);
	pthread_mutex_unlock(&units.lock);
	return rc;
}

bool gg_unit_known(const char *unit)
{
	pthread_mutex_lock(&units.lock);
	ut_unit *u = parse(unit);
	ut_free(u);
	pthread_mutex_unlock(&units.lock);
	return u != NULL;
}

int gg_unit_combine(const char *a, char operation, const char *b, char *to, size_t size)
{
	int rc = -EINVAL;
	pthread_mutex_lock(&units.lock);
	ut_unit *x = parse(a), *y = parse(b);
	ut_unit *z = !x || !y ? NULL : operation == '*' ? ut_multiply(x, y) : ut_divide(x, y);
	if (z) {
		int n = ut_format(z, to, size, UT_ASCII);
		if (n >= 0 && (size_t)n < size)
			rc = 0;
	}
	ut_free(x);
	ut_free(y);
	ut_free(z);
	pthread_mutex_unlock(&units.lock);
	return rc;
}
