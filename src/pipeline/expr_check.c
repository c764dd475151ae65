/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names, types and units. Each node gets a type and a unit; where two meet, the second is converted into the
 * unit of the first, literals at once and others by an instruction.
 *
 * A value without a unit is taken to be in the unit it meets (`boiler/temperature > 95`), and a signal whose
 * unit is not known takes that of what it is compared with. Differences of temperatures are not temperatures:
 * `a - b > 5 K` with both in degC compares 5 with 5, and not with -268.15.
 */
#include "pipeline/expr_internal.h"

static bool check(struct build *b, struct node *n);

static const char *const type_names[] = {"a value", "true or false", "a number", "a text"};

static bool want(struct build *b, const struct node *n, uint8_t type)
{
	if (n->type == type || n->type == GG_EXPR_ANY || type == GG_EXPR_ANY)
		return true;
	gg_expr_fail(b, n->column, "this is %s where %s was expected", type_names[n->type], type_names[type]);
	return false;
}

/* ---- names ---- */

static const char *nearest(const struct build *b, struct gg_str name)
{
	const char *near = NULL, *each;
	unsigned best = (unsigned)gg_max_size(2, name.len / 4) + 1;
	for (size_t i = 0; b->names->name && (each = b->names->name(b->names->ctx, i)); i++) {
		unsigned distance = gg_str_distance(name, gg_str(each));
		if (distance < best) {
			best = distance;
			near = each;
		}
	}
	return near;
}

static bool unknown_name(struct build *b, const struct node *n)
{
	const char *near = nearest(b, n->text);
	bool sum = memchr(n->text.p, '/', n->text.len) || memchr(n->text.p, '*', n->text.len) ||
		   memchr(n->text.p, '-', n->text.len);
	if (near)
		gg_expr_fail(b, n->column, "there is no signal '%.*s'; did you mean '%s'?",
			GG_STR_ARG(n->text), near);
	else if (!memchr(n->text.p, '/', n->text.len))
		gg_expr_fail(b, n->column,
			"there is no signal '%.*s'; signals are written device/signal, texts in quotes%s",
			GG_STR_ARG(n->text), sum ? ", and / * - as operators between blanks" : "");
	else
		gg_expr_fail(b, n->column,
			"there is no signal '%.*s' (/ * - as operators want blanks around them)",
			GG_STR_ARG(n->text));
	return false;
}

static bool count_stars(struct build *b, const struct node *n, bool *ret_wild)
{
	unsigned stars = 0;
	for (size_t i = 0; i < n->text.len; i++)
		stars += n->text.p[i] == '*';
	*ret_wild = stars > 0;
	if (stars > GG_EXPR_STARS)
		return gg_expr_fail(b, n->column, "more than %d wildcards in a name", GG_EXPR_STARS) != NULL;
	if (stars && b->stars && b->stars != stars)
		return gg_expr_fail(b, n->column,
			       "all names with wildcards must have as many of them (here %u, before %u): "
			       "they stand "
			       "for the same",
			       stars, b->stars) != NULL;
	if (stars)
		b->stars = stars;
	return true;
}

static uint8_t type_of(uint8_t gg_type)
{
	switch (gg_type) {
	case GG_TYPE_BOOL:
		return GG_EXPR_BOOL;
	case GG_TYPE_INT:
	case GG_TYPE_UINT:
	case GG_TYPE_FLOAT:
		return GG_EXPR_NUMBER;
	case GG_TYPE_STRING:
		return GG_EXPR_STRING;
	default:
		return GG_EXPR_ANY;
	}
}

static bool check_signal(struct build *b, struct node *n)
{
	struct gg_expr_signal s = {.unit = ""};
	bool wild = false;
	if (n->text.len == 0 || n->text.len > 257)
		return gg_expr_fail(b, n->column, "a signal's name has 1 to 257 bytes") != NULL;
	if (!count_stars(b, n, &wild))
		return false;
	for (unsigned i = 0; i < b->ref_count; i++) {
		if (!gg_str_eq(b->refs[i].name, n->text))
			continue;
		n->ref = (uint16_t)i;
		n->type = b->refs[i].type;
		n->unit = b->refs[i].unit;
		return true;
	}
	if (b->names->find && b->names->find(b->names->ctx, n->text, &s) < 0)
		return unknown_name(b, n);
	if (s.type == GG_TYPE_BYTES)
		return gg_expr_fail(b, n->column, "'%.*s' holds bytes; expressions can't use them",
			       GG_STR_ARG(n->text)) != NULL;
	n->unit = gg_arena_str(&b->tree, gg_str(s.unit));
	if (!n->unit)
		return gg_expr_no_memory(b) != NULL;
	n->type = type_of(s.type);
	n->ref = (uint16_t)b->ref_count;
	b->refs[b->ref_count++] = (struct gg_expr_ref){
		.name = n->text, .unit = n->unit, .type = n->type, .wild = wild, .column = n->column};
	return true;
}

/* ---- units ---- */

static void convert(struct node *n, struct gg_expr_linear l, bool difference, const char *unit)
{
	if (difference)
		l.offset = 0;
	n->unit = unit;
	if (n->kind == N_NUMBER) {
		n->number = n->number * l.scale + l.offset;
		return;
	}
	struct gg_expr_linear first = n->convert ? n->linear : (struct gg_expr_linear){1, 0};
	n->convert = true;
	n->linear = (struct gg_expr_linear){first.scale * l.scale, first.offset * l.scale + l.offset};
}

static void adopt(struct build *b, struct node *n, const char *unit)
{
	n->unit = unit;
	if (n->kind == N_SIGNAL)
		b->refs[n->ref].unit = unit;
}

/* Brings n into unit; where: what the other side is, for the message. */
static bool into(struct build *b, struct node *n, const char *unit, bool difference)
{
	struct gg_expr_linear l;
	if (!*unit || strcmp(n->unit, unit) == 0)
		return true;
	if (!*n->unit) {
		adopt(b, n, unit);
		return true;
	}
	int rc = gg_unit_linear(n->unit, unit, &l);
	if (rc == 0) {
		convert(n, l, difference, unit);
		return true;
	}
	const char *strange = rc == -ENOTSUP ? NULL : !gg_unit_known(n->unit) ? n->unit : unit;
	if (strange)
		gg_expr_fail(b, n->column,
			"'%s' is no known unit, so it can't be converted between '%s' and '%s'", strange,
			n->unit, unit);
	else
		gg_expr_fail(b, n->column,
			"this is in '%s', the other side in '%s': they can't be compared or added", n->unit,
			unit);
	return false;
}

/* y into the unit of x, or x into that of y when x has none. */
static bool unify(struct build *b, struct node *x, struct node *y)
{
	bool difference = x->difference || y->difference;
	if (!*x->unit && *y->unit)
		return into(b, x, y->unit, difference);
	return into(b, y, x->unit, difference);
}

/* ---- kinds of nodes ---- */

static bool check_args(struct build *b, struct node *n)
{
	for (unsigned i = 0; i < n->count; i++)
		if (!check(b, n->args[i]))
			return false;
	return true;
}

/* Below functions and sums hysteresis moves nothing. */
static bool check_args_unmoved(struct build *b, struct node *n)
{
	int polarity = b->polarity;
	b->polarity = 0;
	bool ok = check_args(b, n);
	b->polarity = polarity;
	return ok;
}

static bool check_logic(struct build *b, struct node *n)
{
	n->type = GG_EXPR_BOOL;
	if (n->kind == N_NOT)
		b->polarity = -b->polarity;
	bool ok = check_args(b, n);
	if (n->kind == N_NOT)
		b->polarity = -b->polarity;
	for (unsigned i = 0; ok && i < n->count; i++)
		ok = want(b, n->args[i], GG_EXPR_BOOL);
	return ok;
}

static bool check_negate(struct build *b, struct node *n)
{
	if (!check_args_unmoved(b, n) || !want(b, n->args[0], GG_EXPR_NUMBER))
		return false;
	n->type = GG_EXPR_NUMBER;
	n->unit = n->args[0]->unit;
	n->difference = n->args[0]->difference;
	return true;
}

static bool is_0_or_1(const struct node *n)
{
	return n->kind == N_NUMBER && (n->number == 0 || n->number == 1) && !*n->unit;
}

/* May x and y be told equal? A bool may be compared with 0 and 1. */
static bool comparable(struct build *b, const struct node *x, const struct node *y)
{
	if (x->type == y->type || x->type == GG_EXPR_ANY || y->type == GG_EXPR_ANY)
		return true;
	if ((x->type == GG_EXPR_BOOL && is_0_or_1(y)) || (y->type == GG_EXPR_BOOL && is_0_or_1(x)))
		return true;
	gg_expr_fail(b, y->column, "%s can't be compared with %s", type_names[x->type], type_names[y->type]);
	return false;
}

/* Hysteresis: how far the threshold moves, in the unit of what is compared. */
static bool shift_of(struct build *b, const struct node *n, double *ret_shift)
{
	const char *from = b->options.loosen_unit, *to = n->args[0]->unit;
	struct gg_expr_linear l = {1, 0};
	if (from && *from && *to && strcmp(from, to) != 0 && gg_unit_linear(from, to, &l) < 0)
		return gg_expr_fail(b, n->column,
			       "the hysteresis is in '%s', which can't be converted to '%s'", from,
			       to) != NULL;
	*ret_shift = b->options.loosen * l.scale * b->polarity;
	b->loosened++;
	return true;
}

static bool check_compare(struct build *b, struct node *n)
{
	struct node *x = n->args[0], *y = n->args[1];
	bool order = n->op != T_EQ && n->op != T_NE;
	n->type = GG_EXPR_BOOL;
	if (!check_args_unmoved(b, n) || !comparable(b, x, y) || !unify(b, x, y))
		return false;
	if (!order)
		return true;
	if (!want(b, x, GG_EXPR_NUMBER) || !want(b, y, GG_EXPR_NUMBER))
		return false;
	if (b->options.loosen == 0 || b->polarity == 0)
		return true;
	if (!shift_of(b, n, &n->shift))
		return false;
	if (n->op == T_GT || n->op == T_GE)
		n->shift = -n->shift;
	return true;
}

static bool check_between(struct build *b, struct node *n)
{
	n->type = GG_EXPR_BOOL;
	if (!check_args_unmoved(b, n))
		return false;
	for (unsigned i = 0; i < 3; i++)
		if (!want(b, n->args[i], GG_EXPR_NUMBER) || (i && !unify(b, n->args[0], n->args[i])))
			return false;
	return b->options.loosen == 0 || b->polarity == 0 || shift_of(b, n, &n->shift);
}

static bool check_in(struct build *b, struct node *n)
{
	n->type = GG_EXPR_BOOL;
	if (!check_args_unmoved(b, n))
		return false;
	for (unsigned i = 1; i < n->count; i++)
		if (!comparable(b, n->args[0], n->args[i]) || !unify(b, n->args[0], n->args[i]))
			return false;
	return true;
}

static bool check_sum(struct build *b, struct node *n)
{
	struct node *x = n->args[0], *y = n->args[1];
	/* 20 degC + 5 K and 20 degC - 5 K: the second is a difference; two signals are two temperatures */
	bool step = n->op == T_PLUS || y->kind == N_NUMBER || y->difference || x->difference;
	if (!*x->unit && *y->unit && !into(b, x, y->unit, step))
		return false;
	if (!into(b, y, x->unit, step))
		return false;
	n->unit = x->unit;
	n->difference =
		n->op == T_MINUS ? !step || (x->difference && y->difference) : x->difference && y->difference;
	if (n->op == T_MINUS && x->difference)
		n->difference = true;
	return true;
}

/* The unit of x * y or x / y, when both have one. */
static bool product_unit(struct build *b, struct node *n, const char *x, const char *y)
{
	char unit[64];
	bool times = n->op == T_TIMES;
	if (!times && strcmp(x, y) == 0)
		return true;
	if (gg_unit_combine(x, times ? '*' : '/', y, unit, sizeof unit) < 0 || gg_str_is(gg_str(unit), "1"))
		return true;
	n->unit = gg_arena_str(&b->tree, gg_str(unit));
	return n->unit || gg_expr_no_memory(b);
}

static bool check_product(struct build *b, struct node *n)
{
	const char *x = n->args[0]->unit, *y = n->args[1]->unit;
	n->unit = "";
	if (n->op == T_POWER)
		return true;
	if (n->op == T_MODULO) {
		n->unit = x;
		return unify(b, n->args[0], n->args[1]);
	}
	if (*x && *y)
		return product_unit(b, n, x, y);
	/* 2 * 3 m, 3 m / 2; 1 / s is not worth its rules: no unit */
	n->unit = *x ? x : n->op == T_TIMES ? y : "";
	n->difference = n->args[0]->difference || n->args[1]->difference;
	return true;
}

static bool check_arithmetic(struct build *b, struct node *n)
{
	n->type = GG_EXPR_NUMBER;
	if (!check_args_unmoved(b, n) || !want(b, n->args[0], GG_EXPR_NUMBER) ||
		!want(b, n->args[1], GG_EXPR_NUMBER))
		return false;
	return n->op == T_PLUS || n->op == T_MINUS ? check_sum(b, n) : check_product(b, n);
}

static bool check_call_units(struct build *b, struct node *n)
{
	const struct function *f = n->function;
	unsigned first = f->op == OP_IF;
	switch (f->unit) {
	case U_KEEP:
		for (unsigned i = first + 1; i < n->count; i++)
			if (!unify(b, n->args[first], n->args[i]))
				return false;
		n->unit = n->args[first]->unit;
		n->difference = n->args[first]->difference || f->op == OP_DELTA;
		return true;
	case U_RADIAN:
		return !*n->args[0]->unit || into(b, n->args[0], "radian", false);
	case U_SECOND:
		n->unit = "s";
		return true;
	default:
		return f->op != OP_MATH2 || f->n != M_ATAN2 || unify(b, n->args[0], n->args[1]);
	}
}

/* if() and default() give what their last two arguments are, which must be the same. */
static bool check_alternatives(struct build *b, struct node *n)
{
	uint8_t x = n->args[n->count - 2]->type, y = n->args[n->count - 1]->type;
	n->type = x == GG_EXPR_ANY ? x : y;
	if (x == y || x == GG_EXPR_ANY || y == GG_EXPR_ANY)
		return true;
	gg_expr_fail(b, n->column, "%s() gives %s in one case and %s in the other", n->function->name,
		type_names[x], type_names[y]);
	return false;
}

static bool check_call(struct build *b, struct node *n)
{
	const struct function *f = n->function;
	if (f->takes == F_SIGNAL && n->args[0]->kind != N_SIGNAL)
		return gg_expr_fail(b, n->args[0]->column, "%s() wants the name of a signal", f->name) !=
		       NULL;
	if (!check_args_unmoved(b, n))
		return false;
	for (unsigned i = 0; f->takes != F_SIGNAL && i < n->count; i++)
		if (!want(b, n->args[i], f->op == OP_IF && i == 0 ? GG_EXPR_BOOL : f->takes))
			return false;
	if (f->op == OP_DELTA && !want(b, n->args[0], GG_EXPR_NUMBER))
		return false;
	n->type = f->gives;
	if (f->gives == GG_EXPR_ANY && !check_alternatives(b, n))
		return false;
	return check_call_units(b, n);
}

static bool check_literal(struct build *b, struct node *n)
{
	n->type = n->kind == N_STRING ? GG_EXPR_STRING : n->kind == N_BOOL ? GG_EXPR_BOOL : GG_EXPR_NUMBER;
	if (*n->unit && !gg_str_is(gg_str(n->unit), "s") && !gg_unit_known(n->unit))
		return gg_expr_fail(b, n->column, "'%s' is no known unit", n->unit) != NULL;
	return true;
}

static bool check(struct build *b, struct node *n)
{
	static bool (*const checks[])(struct build *, struct node *) = {
		[N_NUMBER] = check_literal,
		[N_STRING] = check_literal,
		[N_BOOL] = check_literal,
		[N_SIGNAL] = check_signal,
		[N_NEGATE] = check_negate,
		[N_NOT] = check_logic,
		[N_AND] = check_logic,
		[N_OR] = check_logic,
		[N_COMPARE] = check_compare,
		[N_ARITH] = check_arithmetic,
		[N_IN] = check_in,
		[N_BETWEEN] = check_between,
		[N_CALL] = check_call,
	};
	return checks[n->kind](b, n);
}

bool gg_expr_check_tree(struct build *b, struct node *root)
{
	b->polarity = 1;
	if (!check(b, root))
		return false;
	if (!(b->options.flags & GG_EXPR_CONDITION))
		return true;
	if (root->type != GG_EXPR_BOOL && root->type != GG_EXPR_ANY)
		return gg_expr_fail(b, root->column, "this is %s; a condition is true or false, e.g. x > 5",
			       type_names[root->type]) != NULL;
	if (b->options.loosen != 0 && b->loosened == 0)
		return gg_expr_fail(b, root->column,
			       "hysteresis wants a comparison with < or >; there is none") != NULL;
	return true;
}
