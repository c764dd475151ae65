/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What changed, in a word and in a sentence.
 *
 * The novelty says that a situation is new, not why. At an alarm the running averages are read like a short
 * story of the signal: a sample that has just left its band is a spike; averages that lie further apart the
 * slower they are belong to a steady drift; a mean step between samples unlike the long-run one is a change
 * of spread; everything else is a change of level. The naming is a guess for people and has no effect on the
 * alarms.
 *
 * The sentence ends in a number where the signal has a unit, so that the caller can append the unit:
 * "level rose from 21.4 to 35.2" + " degC". Spans of time carry their own.
 */

#include "pipeline/detector_internal.h"

#include <math.h>
#include <stdio.h>

#define WIDER  2.0f
#define CALMER 0.4f

static const char *const names[GG_CHANGE_KINDS] = {
	[GG_CHANGE_NONE] = "none",
	[GG_CHANGE_LEVEL] = "level",
	[GG_CHANGE_TREND] = "trend",
	[GG_CHANGE_SPREAD] = "spread",
	[GG_CHANGE_SPIKE] = "spike",
	[GG_CHANGE_FLAT] = "flat line",
	[GG_CHANGE_MISSING] = "missing",
	[GG_CHANGE_LATE] = "late",
};

static bool drifts(const struct gg_detector *d)
{
	float fast = d->e[GG_E4] - d->e[GG_E16];
	float middle = d->e[GG_E16] - d->e[GG_E64];
	float slow = d->e[GG_E64] - d->e[GG_E256];
	float sign = slow < 0.0f ? -1.0f : 1.0f;

	return fabsf(slow) > d->deviation && sign * fast > 0.0f && sign * middle > sign * fast &&
	       sign * slow > sign * middle;
}

static void set(struct gg_change *change, enum gg_change_kind kind, double from, double to)
{
	change->kind = kind;
	change->from = from;
	change->to = to;
}

void gg_detector_explain(
	const struct gg_detector *d, float x, float mid, bool sudden, struct gg_change *ret_change)
{
	float level_move = fabsf(d->e[GG_E16] - d->e[GG_E256]);
	bool spread = d->rough > WIDER * d->rough_long || d->rough < CALMER * d->rough_long;

	if (sudden)
		set(ret_change, GG_CHANGE_SPIKE, d->ref + (double)mid, d->ref + (double)x);
	else if (drifts(d))
		set(ret_change, GG_CHANGE_TREND, d->ref + (double)d->e[GG_E256],
			d->ref + (double)d->e[GG_E4]);
	else if (spread && level_move < 2.0f * d->deviation)
		set(ret_change, GG_CHANGE_SPREAD, (double)d->rough_long, (double)d->rough);
	else
		set(ret_change, GG_CHANGE_LEVEL, d->ref + (double)d->e[GG_E256],
			d->ref + (double)d->e[GG_E4]);
}

const char *gg_change_name(enum gg_change_kind kind)
{
	return (unsigned)kind < GG_CHANGE_KINDS ? names[kind] : "unknown";
}

bool gg_change_takes_unit(enum gg_change_kind kind)
{
	return kind >= GG_CHANGE_LEVEL && kind <= GG_CHANGE_FLAT;
}

int gg_change_text(const struct gg_change *c, char *text, size_t size)
{
	bool up = c->to > c->from;

	switch (c->kind) {
	case GG_CHANGE_LEVEL:
		return snprintf(
			text, size, "level %s from %.4g to %.4g", up ? "rose" : "fell", c->from, c->to);
	case GG_CHANGE_TREND:
		return snprintf(
			text, size, "keeps %s, from %.4g to %.4g", up ? "rising" : "falling", c->from, c->to);
	case GG_CHANGE_SPREAD:
		return snprintf(text, size, "mean step between samples %s from %.4g to %.4g",
			up ? "grew" : "shrank", c->from, c->to);
	case GG_CHANGE_SPIKE:
		return snprintf(
			text, size, "jumped %s from %.4g to %.4g", up ? "up" : "down", c->from, c->to);
	case GG_CHANGE_FLAT:
		return snprintf(text, size, "stuck for %.0f samples at %.4g", c->from, c->to);
	case GG_CHANGE_MISSING:
		return snprintf(text, size, "no data for %.3g s, usual interval %.3g s", c->to, c->from);
	case GG_CHANGE_LATE:
		return snprintf(
			text, size, "data is back after %.3g s, usual interval %.3g s", c->to, c->from);
	case GG_CHANGE_NONE:
	case GG_CHANGE_KINDS:
		break;
	}
	return snprintf(text, size, "no change");
}
