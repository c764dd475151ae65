/* SPDX-License-Identifier: Apache-2.0 */
/*
 * normalise: makes samples of many makes speak one language. In this order: text to number (when a type is
 * asked for), value * scale + offset, unit to unit, clamp, type, name.
 *
 * The unit it comes from is the signal's own, or `from`. A signal that has neither is taken to be in the unit
 * asked for already. Switches and texts have no unit and go by unconverted, so one pipeline may carry a
 * boiler's temperature and its burner. A value that can't be what is asked (text that is no number, too large
 * for an integer) is not dropped but becomes bad. It keeps no state; order and clocks are nothing to it.
 */
#include "pipeline/expr.h"
#include "pipeline/stages_internal.h"

#include <math.h>

struct normalise_slot {
	struct gg_expr_linear units; /* into the unit asked for */
	bool numbers;                /* scale, offset, units or clamp apply */
};

static int read_clamp(struct normalise *n, struct gg_error *e)
{
	if (n->clamp.count == 0)
		return 0;
	if (n->clamp.count != 2 || gg_parse_float(gg_str(n->clamp.items[0]), &n->low) < 0 ||
		gg_parse_float(gg_str(n->clamp.items[1]), &n->high) < 0 || !(n->low <= n->high))
		return gg_error_set(
			e, -EINVAL, "clamp: two numbers, lowest and highest, were expected: [0, 100]");
	n->clamps = true;
	return 0;
}

static int normalise_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct normalise *n = self;
	(void)host;
	if (n->type && (gg_type_of_name(gg_str(n->type), &n->to_type) < 0 || n->to_type > GG_TYPE_FLOAT))
		return gg_error_set(
			e, -EINVAL, "type is \"%s\": bool, int, uint or float was expected", n->type);
	if (!isfinite(n->scale) || !isfinite(n->offset))
		return gg_error_set(e, -EINVAL, "scale and offset must be finite numbers");
	const char *const units[] = {n->unit, n->from};
	for (size_t i = 0; i < GG_COUNT(units); i++)
		if (units[i] && !gg_unit_known(units[i]))
			return gg_error_set(e, -EINVAL,
				"\"%.64s\" is no unit as UDUNITS writes it (degC, bar, m3/h, ...)", units[i]);
	return read_clamp(n, e);
}

/* "{device}.{signal}" with its parts filled in. Errors: -EINVAL, -E2BIG. */
static int make_name(const char *pattern, const struct gg_signal_info *info, char *to, size_t size)
{
	struct gg_str device = gg_device_id(info->device);
	size_t n = 0;
	for (const char *p = pattern; *p;) {
		struct gg_str part = gg_str_n(p, 1);
		size_t skip = 1;
		if (strncmp(p, "{device}", 8) == 0) {
			part = device;
			skip = 8;
		} else if (strncmp(p, "{signal}", 8) == 0) {
			part = info->signal;
			skip = 8;
		} else if (*p == '{' || *p == '}') {
			return -EINVAL;
		}
		if (n + part.len >= size)
			return -E2BIG;
		memcpy(to + n, part.p, part.len);
		n += part.len;
		p += skip;
	}
	to[n] = '\0';
	return 0;
}

/* Which unit to convert from; NULL: not at all. */
static const char *unit_of(const struct normalise *n, const struct gg_signal_info *info)
{
	bool has_none = info->type == GG_TYPE_BOOL || info->type >= GG_TYPE_STRING;
	if (!n->unit || (has_none && !info->unit[0] && !n->from))
		return NULL;
	if (info->unit[0])
		return info->unit;
	return n->from;
}

static int find_units(
	const struct normalise *n, const char *unit, struct normalise_slot *s, struct gg_error *e)
{
	s->units = (struct gg_expr_linear){1, 0};
	if (!unit || strcmp(unit, n->unit) == 0)
		return 0;
	int rc = gg_unit_linear(unit, n->unit, &s->units);
	if (rc == -EINVAL)
		return gg_error_set(e, rc, "its unit \"%.64s\" is none that UDUNITS knows", unit);
	if (rc < 0)
		return gg_error_set(e, rc, "its unit %s can't be converted to %s", unit, n->unit);
	s->numbers = true;
	return 0;
}

static double applied(const struct normalise *n, const struct gg_expr_linear *u, double v)
{
	v = (v * n->scale + n->offset) * u->scale + u->offset;
	if (n->clamps)
		v = v < n->low ? n->low : v > n->high ? n->high : v;
	return v;
}

static struct gg_signal_spec spec_after(const struct normalise *n, const struct normalise_slot *s,
	const struct gg_signal_info *info, const char *unit)
{
	struct gg_signal_spec spec = {.type = info->type, .low = info->low, .high = info->high};
	bool switches = info->type == GG_TYPE_BOOL || info->type >= GG_TYPE_STRING;
	if (unit || (n->unit && !switches))
		spec.unit = n->unit;
	if (n->to_type != GG_TYPE_NONE)
		spec.type = n->to_type;
	else if (s->numbers && !switches)
		spec.type = GG_TYPE_FLOAT;
	if (s->numbers && info->low < info->high) {
		double a = applied(n, &s->units, info->low), b = applied(n, &s->units, info->high);
		spec.low = a < b ? a : b;
		spec.high = a < b ? b : a;
	}
	return spec;
}

static int normalise_add_slot(
	void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e)
{
	struct normalise *n = self;
	char name[260];
	struct normalise_slot *s = GG_SLOT_ADD(&n->slots, slot->slot, struct normalise_slot);
	if (!s)
		return gg_error_set(e, -ENOMEM, "out of memory");
	const char *unit = unit_of(n, slot->info);
	int rc = find_units(n, unit, s, e);
	if (rc < 0)
		return rc;
	s->numbers =
		s->numbers || n->clamps || n->scale < 1 || n->scale > 1 || n->offset < 0 || n->offset > 0;
	if (n->name && make_name(n->name, slot->info, name, sizeof name) < 0)
		return gg_error_set(e, -EINVAL,
			"name is \"%s\": letters with {device} and {signal} in it were expected", n->name);
	struct gg_signal_spec spec = spec_after(n, s, slot->info, unit);
	rc = gg_stage_becomes(p, slot, &spec, n->name ? name : NULL);
	if (rc == -ENOTSUP)
		return gg_error_set(e, rc, "put normalise before the stage that makes %.*s",
			GG_STR_ARG(slot->info->name));
	return rc;
}

static void spoil(struct gg_sample *s, enum gg_reason reason)
{
	s->quality = GG_BAD;
	s->aux = (uint16_t)reason;
}

static void to_number(const struct gg_flow *flow, struct gg_sample *s)
{
	double v;
	if (gg_parse_float(gg_str_trim(gg_flow_text(flow, s)), &v) < 0 || !isfinite(v)) {
		s->type = GG_TYPE_NONE;
		s->v.u = 0;
		spoil(s, GG_REASON_WRONG_TYPE);
		return;
	}
	s->type = GG_TYPE_FLOAT;
	s->v.f = v;
}

/* A number to another type; whole numbers are rounded, halves away from zero. */
static void to_type(struct gg_sample *s, uint8_t type)
{
	double v = gg_sample_number(s);
	if (s->type == type)
		return;
	switch (type) {
	case GG_TYPE_BOOL:
		s->v.u = 0;
		s->v.b = v < 0 || v > 0;
		break;
	case GG_TYPE_INT:
		if (s->type == GG_TYPE_UINT ? s->v.u > INT64_MAX : !(fabs(v) < 0x1p63))
			spoil(s, GG_REASON_OUT_OF_RANGE);
		else if (s->type != GG_TYPE_UINT)
			s->v.i = (int64_t)round(v);
		break;
	case GG_TYPE_UINT:
		if (s->type == GG_TYPE_INT ? s->v.i < 0 : !(v > -0.5 && v < 0x1p64))
			spoil(s, GG_REASON_OUT_OF_RANGE);
		else if (s->type != GG_TYPE_INT)
			s->v.u = (uint64_t)round(v);
		break;
	default:
		s->v.f = v;
	}
	s->type = type;
}

static void normalise_one(const struct normalise *n, const struct gg_flow *flow, uint32_t at)
{
	struct gg_sample *s = &flow->samples[at];
	const struct normalise_slot *slot = GG_SLOT(&n->slots, flow->slots[at], struct normalise_slot);
	if (s->quality == GG_BAD)
		return;
	if (s->type == GG_TYPE_STRING && n->to_type != GG_TYPE_NONE)
		to_number(flow, s);
	if (s->quality == GG_BAD || !gg_type_is_number(s->type))
		return;
	if (slot->numbers && (s->type != GG_TYPE_BOOL || n->to_type != GG_TYPE_NONE)) {
		s->v.f = applied(n, &slot->units, gg_sample_number(s));
		s->type = GG_TYPE_FLOAT;
		if (!isfinite(s->v.f))
			spoil(s, GG_REASON_NOT_A_NUMBER);
	}
	if (n->to_type != GG_TYPE_NONE && s->quality != GG_BAD)
		to_type(s, n->to_type);
}

static void normalise_process(void *self, struct gg_flow *flow)
{
	for (uint32_t i = 0; i < flow->count; i++)
		normalise_one(self, flow, i);
}

static void normalise_fini(void *self)
{
	struct normalise *n = self;
	gg_slots_done(&n->slots);
}

static const struct gg_option options[] = {
	GG_OPTION(struct normalise, unit, STRING, .help = "The unit values shall have, as UDUNITS writes it",
		.example = "degC"),
	GG_OPTION(struct normalise, from, STRING, .help = "The unit of signals that tell none",
		.example = "degF"),
	GG_OPTION(struct normalise, scale, FLOAT, .def = "1",
		.help = "What values are multiplied by, before the unit"),
	GG_OPTION(struct normalise, offset, FLOAT, .def = "0", .help = "What is added then"),
	GG_OPTION(struct normalise, clamp, STRINGS,
		.help = "Lowest and highest value; what lies outside becomes these", .example = "[0, 100]"),
	GG_OPTION(struct normalise, type, STRING,
		.help = "The type values shall have: bool, int, uint or float", .example = "float"),
	GG_OPTION(struct normalise, name, STRING,
		.help = "The name behind the pipeline's, in which {device} and {signal} stand for those of "
			"the source",
		.example = "{device}/temperature"),
	{0}};

static const struct gg_stage_ops ops = {
	.flags = GG_STAGE_NORMALISE,
	.add_slot = normalise_add_slot,
	.process = normalise_process,
};

const struct gg_component gg_stage_normalise = {
	.name = "normalise",
	.title = "Normalise",
	.help = "Brings values into one unit, scale and type.",
	.example = "- normalise: { unit: degC }\n",
	.kind = GG_STAGE,
	.self_size = sizeof(struct normalise),
	.options = options,
	.init = normalise_init,
	.fini = normalise_fini,
	.stage = &ops,
};
