/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDUNITS-2 behind a lock: its parser and its system keep global state, so all but the conversion itself
 * happens under the mutex. The handful of spellings that people write and it does not know are put right
 * first.
 */
#include <udunits2.h> /* first: its parameters are named as a function nobody may call */

#include "pipeline/units.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of UDUNITS */
static ut_system *units_system;

/* What is on machines' labels. */
static const char *const spellings[][2] = {{"rpm", "min-1"}, {"1/min", "min-1"}, {"U/min", "min-1"},
	{"m\xc2\xb3/h", "m3/h"}, {"l/min", "L/min"}, {"\xe2\x84\x83", "degC"}, {"\xe2\x84\x89", "degF"},
	{"\xc2\xb0", "degree"}, {"Nm", "N.m"}, {"VA", "V.A"}, {"kVA", "kV.A"}, {"var", "V.A"},
	{"kvar", "kV.A"}, {"Ah", "A.h"}, {"mAh", "mA.h"}, {"Wh", "W.h"}, {"kWh", "kW.h"}, {"MWh", "MW.h"},
	{"ppm", "1e-6"}, {"ppb", "1e-9"}};

static const char *respelled(const char *unit)
{
	for (size_t i = 0; i < GG_COUNT(spellings); i++)
		if (strcmp(spellings[i][0], unit) == 0)
			return spellings[i][1];
	return unit;
}

static int open_locked(struct gg_error *e)
{
	if (units_system)
		return 0;
	ut_set_error_message_handler(ut_ignore);
	units_system = ut_read_xml(NULL);
	if (!units_system)
		return gg_error_set(
			e, -ENOTSUP, "the database of units (UDUNITS-2) can't be read; is it installed?");
	return 0;
}

static int parse_locked(const char *text, ut_unit **ret_unit, struct gg_error *e)
{
	int rc = open_locked(e);
	if (rc < 0)
		return rc;
	ut_unit *u = strlen(text) <= 128 ? ut_parse(units_system, respelled(text), UT_UTF8) : NULL;
	if (!u)
		return gg_error_set(e, -EINVAL,
			"\"%.128s\" is not a unit as UDUNITS writes it (degC, bar, m3/h, ...)", text);
	*ret_unit = u;
	return 0;
}

int gg_units_check(const char *unit, struct gg_error *e)
{
	ut_unit *u;
	pthread_mutex_lock(&lock);
	int rc = parse_locked(unit, &u, e);
	if (rc == 0)
		ut_free(u);
	pthread_mutex_unlock(&lock);
	return rc;
}

static int converter_locked(const char *from, const char *to, struct gg_units **ret_units, struct gg_error *e)
{
	ut_unit *a, *b;
	int rc = parse_locked(from, &a, e);
	if (rc < 0)
		return rc;
	rc = parse_locked(to, &b, e);
	if (rc < 0) {
		ut_free(a);
		return rc;
	}
	cv_converter *c = NULL;
	if (!ut_are_convertible(a, b))
		rc = gg_error_set(
			e, -EINVAL, "%s can't be converted to %s: they measure different things", from, to);
	else if (ut_compare(a, b) != 0 && !(c = ut_get_converter(a, b)))
		rc = gg_error_set(e, -ENOMEM, "out of memory");
	ut_free(a);
	ut_free(b);
	if (rc == 0)
		*ret_units = (struct gg_units *)c;
	return rc;
}

int gg_units_new(const char *from, const char *to, struct gg_units **ret_units, struct gg_error *e)
{
	pthread_mutex_lock(&lock);
	int rc = converter_locked(from, to, ret_units, e);
	pthread_mutex_unlock(&lock);
	return rc;
}

double gg_units_convert(const struct gg_units *u, double value)
{
	return cv_convert_double((const cv_converter *)u, value);
}

struct gg_units *gg_units_free(struct gg_units *u)
{
	if (u) {
		pthread_mutex_lock(&lock);
		cv_free((cv_converter *)u);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}
