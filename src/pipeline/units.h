/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units of measurement, by UDUNITS-2: "degC", "km/h", "m3 s-1". Its database is read once, at the first
 * question; parsing takes a lock, converting does not. Thread: any.
 */
#ifndef GG_PIPELINE_UNITS_H
#define GG_PIPELINE_UNITS_H

#include "base/error.h"
#include "base/str.h"

struct gg_units; /* a way from one unit to another; immutable */

/* Is it a unit? Errors: -EINVAL, -ENOTSUP the unit database is not installed. */
int gg_units_check(const char *unit, struct gg_error *e);
/* ret_units is NULL when both are the same. Errors: -EINVAL one is no unit, or they measure different things;
 * -ENOTSUP, -ENOMEM. */
int gg_units_new(const char *from, const char *to, struct gg_units **ret_units, struct gg_error *e);
double gg_units_convert(const struct gg_units *u, double value);
/* Accepts NULL; returns NULL. */
struct gg_units *gg_units_free(struct gg_units *u);

#endif
