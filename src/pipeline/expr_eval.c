/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack machine. Every instruction is one small function in a table; there are no jumps, so both sides of
 * `and`, `or` and if() are evaluated, which costs little and keeps the run time fixed.
 *
 * A value is known or unknown. Unknown goes through every operation, except where the result does not depend
 * on it: false and x, true or x, if(c, a, b) by its condition, known(x), default(x, y), good(x). A result
 * that is no finite number is unknown.
 *
 * Time: a value that grows by a second each second (age) says so; a comparison with it works out when it will
 * turn and notes the earliest in env->due_ns, so that nobody has to ask every second.
 */
#include "pipeline/expr_internal.h"

#include <math.h>

enum { STEADY, BY_SECONDS, OTHERWISE };

struct machine {
	const struct gg_expr *x;
	struct gg_expr_env *env;
	struct gg_expr_value *top; /* one past the last */
	struct gg_expr_value stack[GG_EXPR_STACK + 1];
};

typedef void step(struct machine *m, struct gg_expr_code c);

static const struct gg_expr_value unknown = {0};

static struct gg_expr_value of_bool(bool b)
{
	return (struct gg_expr_value){.known = true, .type = GG_EXPR_BOOL, .v.b = b};
}

static struct gg_expr_value of_number(double f)
{
	return isfinite(f) ? (struct gg_expr_value){.known = true, .type = GG_EXPR_NUMBER, .v.f = f}
			   : unknown;
}

static struct gg_expr_value of_string(struct gg_str s)
{
	return (struct gg_expr_value){.known = true, .type = GG_EXPR_STRING, .v.s = s};
}

/* Reads a value as a number; false when it is unknown or a text. */
static bool number(const struct gg_expr_value *v, double *ret_number)
{
	if (!v->known || v->type == GG_EXPR_STRING)
		return false;
	*ret_number = v->type == GG_EXPR_BOOL ? v->v.b : v->v.f;
	return true;
}

static enum gg_truth truth(const struct gg_expr_value *v)
{
	double f = 0;
	return number(v, &f) ? (f != 0 ? GG_TRUE : GG_FALSE) : GG_UNKNOWN;
}

static struct gg_expr_value of_truth(enum gg_truth t)
{
	return t == GG_UNKNOWN ? unknown : of_bool(t == GG_TRUE);
}

static void push(struct machine *m, struct gg_expr_value v)
{
	*m->top++ = v;
}

/* Takes n values off and returns the first of them, where the result goes. */
static struct gg_expr_value *take(struct machine *m, unsigned n)
{
	m->top -= n;
	return m->top++;
}

static void due_at(struct machine *m, double seconds)
{
	/* A bit late rather than early, so that the comparison has turned when it is asked again. */
	double ns = ceil(seconds * 1e9);
	int64_t at = ns < 9e18 - (double)m->env->now_ns ? m->env->now_ns + (int64_t)ns : INT64_MAX;
	if (at <= m->env->now_ns)
		at = m->env->now_ns + 1;
	if (at < m->env->due_ns)
		m->env->due_ns = at;
}

/* A result made of something that changes with time in a way we do not follow: ask again in a second. */
static uint8_t blur(struct machine *m, uint8_t grows)
{
	if (grows == STEADY)
		return STEADY;
	due_at(m, 1);
	return OTHERWISE;
}

static void op_number(struct machine *m, struct gg_expr_code c)
{
	push(m, of_number(m->x->numbers[c.a]));
}

static void op_string(struct machine *m, struct gg_expr_code c)
{
	push(m, of_string(m->x->strings[c.a]));
}

static void op_bool(struct machine *m, struct gg_expr_code c)
{
	push(m, of_bool(c.a != 0));
}

static const struct gg_expr_last *last_of(const struct machine *m, unsigned ref)
{
	uint32_t slot = m->env->slots[ref];
	const struct gg_expr_last *l = slot == UINT32_MAX ? NULL : &m->env->lasts[slot];
	return l && l->flags & GG_LAST_SEEN ? l : NULL;
}

static void op_signal(struct machine *m, struct gg_expr_code c)
{
	const struct gg_expr_last *l = last_of(m, c.a);
	struct gg_expr_value v = unknown;
	if (!l || l->quality == GG_BAD) {
		push(m, v);
		return;
	}
	if (l->type == GG_TYPE_BOOL)
		v = of_bool(l->number != 0);
	else if (l->type == GG_TYPE_STRING)
		v = of_string(gg_str_n(l->text, l->text_len));
	else if (m->env->convert)
		v = of_number(l->number * m->env->convert[c.a].scale + m->env->convert[c.a].offset);
	else
		v = of_number(l->number);
	push(m, v);
}

static void op_linear(struct machine *m, struct gg_expr_code c)
{
	struct gg_expr_value *v = m->top - 1;
	double f = 0;
	const double *linear = &m->x->numbers[c.a];
	uint8_t grows = linear[0] == 1 ? v->grows : blur(m, v->grows);
	*v = number(v, &f) ? of_number(f * linear[0] + linear[1]) : unknown;
	v->grows = grows;
}

static void op_negate(struct machine *m, struct gg_expr_code c)
{
	(void)c;
	struct gg_expr_value *v = m->top - 1;
	double f = 0;
	uint8_t grows = blur(m, v->grows);
	*v = number(v, &f) ? of_number(-f) : unknown;
	v->grows = grows;
}

static void op_not(struct machine *m, struct gg_expr_code c)
{
	(void)c;
	struct gg_expr_value *v = m->top - 1;
	enum gg_truth t = truth(v);
	*v = t == GG_UNKNOWN ? unknown : of_bool(t == GG_FALSE);
}

static void op_and(struct machine *m, struct gg_expr_code c)
{
	(void)c;
	struct gg_expr_value *v = take(m, 2);
	enum gg_truth a = truth(v), b = truth(v + 1);
	*v = of_truth(a == GG_FALSE || b == GG_FALSE ? GG_FALSE
		      : a == GG_TRUE && b == GG_TRUE ? GG_TRUE
						     : GG_UNKNOWN);
}

static void op_or(struct machine *m, struct gg_expr_code c)
{
	(void)c;
	struct gg_expr_value *v = take(m, 2);
	enum gg_truth a = truth(v), b = truth(v + 1);
	*v = of_truth(a == GG_TRUE || b == GG_TRUE     ? GG_TRUE
		      : a == GG_FALSE && b == GG_FALSE ? GG_FALSE
						       : GG_UNKNOWN);
}

/* -1, 0, 1; 2 when they can't be compared */
static int order(const struct gg_expr_value *a, const struct gg_expr_value *b)
{
	double x = 0, y = 0;
	if (!a->known || !b->known)
		return 2;
	if (a->type == GG_EXPR_STRING && b->type == GG_EXPR_STRING) {
		int c = gg_str_cmp(a->v.s, b->v.s);
		return (c > 0) - (c < 0);
	}
	if (!number(a, &x) || !number(b, &y))
		return 2;
	return (x > y) - (x < y);
}

/* When does a comparison of these two turn? */
static void note_turn(struct machine *m, const struct gg_expr_value *a, const struct gg_expr_value *b)
{
	double x = 0, y = 0;
	if (a->grows == b->grows || !number(a, &x) || !number(b, &y))
		return;
	if (a->grows == OTHERWISE || b->grows == OTHERWISE)
		return; /* blur() has asked for it already */
	double wait = a->grows ? y - x : x - y;
	if (wait >= 0)
		due_at(m, wait + 1e-9);
}

static bool holds(unsigned token, int order)
{
	switch (token) {
	case T_EQ:
		return order == 0;
	case T_NE:
		return order != 0;
	case T_LT:
		return order < 0;
	case T_LE:
		return order <= 0;
	case T_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}

static void op_compare(struct machine *m, struct gg_expr_code c)
{
	struct gg_expr_value *v = take(m, 2);
	int o = order(v, v + 1);
	if (v[0].grows | v[1].grows)
		note_turn(m, v, v + 1);
	*v = o == 2 ? unknown : of_bool(holds(c.n, o));
}

static void op_between(struct machine *m, struct gg_expr_code c)
{
	(void)c;
	struct gg_expr_value *v = take(m, 3);
	int low = order(v, v + 1), high = order(v, v + 2);
	if (v[0].grows | v[1].grows | v[2].grows) {
		note_turn(m, v, v + 1);
		note_turn(m, v, v + 2);
	}
	*v = low == 2 || high == 2 ? unknown : of_bool(low >= 0 && high <= 0);
}

static void op_in(struct machine *m, struct gg_expr_code c)
{
	struct gg_expr_value *v = take(m, c.a + 1U);
	bool found = false, open = false;
	uint8_t grows = 0;
	for (unsigned i = 1; i <= c.a; i++) {
		int o = order(v, v + i);
		found |= o == 0;
		open |= !v[i].known;
		grows |= v[i].grows;
	}
	blur(m, v->grows | grows);
	*v = found ? of_bool(true) : open || !v->known ? unknown : of_bool(false);
}

static double arithmetic(unsigned token, double x, double y)
{
	switch (token) {
	case T_PLUS:
		return x + y;
	case T_MINUS:
		return x - y;
	case T_TIMES:
		return x * y;
	case T_DIVIDE:
		return x / y;
	case T_MODULO:
		return fmod(x, y);
	default:
		return pow(x, y);
	}
}

static void op_arith(struct machine *m, struct gg_expr_code c)
{
	struct gg_expr_value *v = take(m, 2);
	double x = 0, y = 0;
	uint8_t grows = v[0].grows | v[1].grows;
	bool one = !(v[0].grows && v[1].grows);
	bool follows = one && grows == BY_SECONDS && (c.n == T_PLUS || (c.n == T_MINUS && v[0].grows));
	if (!follows)
		grows = blur(m, grows);
	*v = number(v, &x) && number(v + 1, &y) ? of_number(arithmetic(c.n, x, y)) : unknown;
	v->grows = grows;
}

static void op_if(struct machine *m, struct gg_expr_code c)
{
	(void)c;
	struct gg_expr_value *v = take(m, 3);
	enum gg_truth t = truth(v);
	*v = t == GG_UNKNOWN ? unknown : t == GG_TRUE ? v[1] : v[2];
}

static double math1(unsigned which, double x)
{
	static double (*const functions[])(double) = {[M_ABS] = fabs,
		[M_SQRT] = sqrt,
		[M_LN] = log,
		[M_LOG10] = log10,
		[M_EXP] = exp,
		[M_FLOOR] = floor,
		[M_CEIL] = ceil,
		[M_ROUND] = round,
		[M_SIN] = sin,
		[M_COS] = cos,
		[M_TAN] = tan};
	return functions[which](x);
}

static void op_math1(struct machine *m, struct gg_expr_code c)
{
	struct gg_expr_value *v = m->top - 1;
	double x = 0;
	uint8_t grows = blur(m, v->grows);
	*v = number(v, &x) ? of_number(math1(c.n, x)) : unknown;
	v->grows = grows;
}

static void op_math2(struct machine *m, struct gg_expr_code c)
{
	struct gg_expr_value *v = take(m, 2);
	double x = 0, y = 0;
	uint8_t grows = blur(m, v[0].grows | v[1].grows);
	*v = number(v, &x) && number(v + 1, &y) ? of_number(c.n == M_ATAN2 ? atan2(x, y) : pow(x, y))
						: unknown;
	v->grows = grows;
}

static void op_extreme(struct machine *m, struct gg_expr_code c)
{
	struct gg_expr_value *v = take(m, c.a);
	double best = 0, each = 0;
	bool known = number(v, &best);
	uint8_t grows = v->grows;
	for (unsigned i = 1; i < c.a; i++) {
		known = known && number(v + i, &each);
		grows |= v[i].grows;
		if (c.n ? each > best : each < best)
			best = each;
	}
	*v = known ? of_number(best) : unknown;
	v->grows = blur(m, grows);
}

static void op_clamp(struct machine *m, struct gg_expr_code c)
{
	(void)c;
	struct gg_expr_value *v = take(m, 3);
	double x = 0, low = 0, high = 0;
	uint8_t grows = blur(m, v[0].grows | v[1].grows | v[2].grows);
	bool known = number(v, &x) && number(v + 1, &low) && number(v + 2, &high);
	*v = known ? of_number(x < low ? low : x > high ? high : x) : unknown;
	v->grows = grows;
}

static void op_changed(struct machine *m, struct gg_expr_code c)
{
	const struct gg_expr_last *l = last_of(m, c.a);
	push(m, l ? of_bool(m->env->cause == m->env->slots[c.a] && l->flags & GG_LAST_CHANGED) : unknown);
}

static void op_age(struct machine *m, struct gg_expr_code c)
{
	const struct gg_expr_last *l = last_of(m, c.a);
	struct gg_expr_value v = l ? of_number((double)(m->env->now_ns - l->seen_ns) / 1e9) : unknown;
	v.grows = l ? BY_SECONDS : STEADY;
	push(m, v);
}

static void op_quality(struct machine *m, struct gg_expr_code c)
{
	static const char *const names[] = {
		[GG_GOOD] = "good", [GG_UNCERTAIN] = "uncertain", [GG_BAD] = "bad"};
	const struct gg_expr_last *l = last_of(m, c.a);
	push(m, l ? of_string(gg_str(names[l->quality <= GG_BAD ? l->quality : GG_BAD])) : unknown);
}

static void op_good(struct machine *m, struct gg_expr_code c)
{
	const struct gg_expr_last *l = last_of(m, c.a);
	push(m, of_bool(l && l->quality == GG_GOOD));
}

static void op_delta(struct machine *m, struct gg_expr_code c)
{
	const struct gg_expr_last *l = last_of(m, c.a);
	bool known = l && l->flags & GG_LAST_BEFORE && l->quality != GG_BAD && l->type != GG_TYPE_STRING;
	double scale = m->env->convert ? m->env->convert[c.a].scale : 1;
	push(m, known ? of_number((l->number - l->before) * scale) : unknown);
}

static void op_known(struct machine *m, struct gg_expr_code c)
{
	(void)c;
	m->top[-1] = of_bool(m->top[-1].known);
}

static void op_default(struct machine *m, struct gg_expr_code c)
{
	(void)c;
	struct gg_expr_value *v = take(m, 2);
	*v = v[0].known ? v[0] : v[1];
}

static void op_pass(struct machine *m, struct gg_expr_code c)
{
	(void)m;
	(void)c;
}

static step *const steps[OP_COUNT] = {
	[OP_NUMBER] = op_number,
	[OP_STRING] = op_string,
	[OP_BOOL] = op_bool,
	[OP_SIGNAL] = op_signal,
	[OP_LINEAR] = op_linear,
	[OP_NEGATE] = op_negate,
	[OP_NOT] = op_not,
	[OP_AND] = op_and,
	[OP_OR] = op_or,
	[OP_COMPARE] = op_compare,
	[OP_ARITH] = op_arith,
	[OP_IN] = op_in,
	[OP_BETWEEN] = op_between,
	[OP_IF] = op_if,
	[OP_MATH1] = op_math1,
	[OP_MATH2] = op_math2,
	[OP_EXTREME] = op_extreme,
	[OP_CLAMP] = op_clamp,
	[OP_CHANGED] = op_changed,
	[OP_AGE] = op_age,
	[OP_QUALITY] = op_quality,
	[OP_GOOD] = op_good,
	[OP_DELTA] = op_delta,
	[OP_KNOWN] = op_known,
	[OP_DEFAULT] = op_default,
	[OP_PASS] = op_pass,
};

struct gg_expr_value gg_expr_eval(const struct gg_expr *x, struct gg_expr_env *env)
{
	struct machine m;
	m.x = x;
	m.env = env;
	m.top = m.stack;
	for (unsigned i = 0; i < x->code_count; i++)
		steps[x->code[i].op](&m, x->code[i]);
	return m.stack[0];
}

/* A number against a number; -1 when it is something else after all: the machine knows how to say it. */
static int compare_simply(const struct gg_expr *x, const struct gg_expr_env *env)
{
	uint32_t slot = env->slots[0];
	const struct gg_expr_last *l = slot == UINT32_MAX ? NULL : &env->lasts[slot];
	if (!l || !(l->flags & GG_LAST_SEEN) || l->quality == GG_BAD || l->type == GG_TYPE_BOOL ||
		l->type == GG_TYPE_STRING)
		return -1;
	double f = l->number, limit = x->numbers[0];
	if (env->convert)
		f = f * env->convert[0].scale + env->convert[0].offset;
	return isfinite(f) ? holds(x->simple, (f > limit) - (f < limit)) : -1;
}

enum gg_truth gg_expr_truth(const struct gg_expr *x, struct gg_expr_env *env)
{
	int simple = x->simple ? compare_simply(x, env) : -1;
	if (simple >= 0)
		return simple ? GG_TRUE : GG_FALSE;
	struct gg_expr_value v = gg_expr_eval(x, env);
	return truth(&v);
}
