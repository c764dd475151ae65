/* SPDX-License-Identifier: Apache-2.0 */
/* The checked tree to code: post-order, so that operands lie on the stack when their operator comes. */
#include "pipeline/expr_internal.h"

#include <math.h>

enum { MOST_CODE = GG_EXPR_NODES * 3 };

struct emitter {
	struct build *build;
	struct gg_expr_code code[MOST_CODE];
	double numbers[MOST_CODE];
	struct gg_str strings[GG_EXPR_NODES];
	unsigned code_count, number_count, string_count;
	unsigned height; /* of the stack */
	bool uses_time, uses_change, too_high;
};

static void put(struct emitter *m, enum op op, unsigned n, unsigned a, int growth)
{
	m->code[m->code_count++] = (struct gg_expr_code){(uint8_t)op, (uint8_t)n, (uint16_t)a};
	m->height = (unsigned)((int)m->height + growth);
	if (m->height > GG_EXPR_STACK)
		m->too_high = true;
}

static void put_number(struct emitter *m, double number)
{
	m->numbers[m->number_count] = number;
	put(m, OP_NUMBER, 0, m->number_count++, 1);
}

static void emit(struct emitter *m, const struct node *n);

static void emit_shifted(struct emitter *m, const struct node *n, double shift)
{
	emit(m, n);
	if (shift == 0)
		return;
	put_number(m, shift);
	put(m, OP_ARITH, T_PLUS, 0, -1);
}

static void emit_call(struct emitter *m, const struct node *n)
{
	const struct function *f = n->function;
	if (f->takes == F_SIGNAL) {
		m->uses_time |= f->op == OP_AGE;
		m->uses_change |= f->op == OP_CHANGED;
		put(m, (enum op)f->op, f->n, n->args[0]->ref, 1);
		return;
	}
	for (unsigned i = 0; i < n->count; i++)
		emit(m, n->args[i]);
	put(m, (enum op)f->op, f->n, n->count, 1 - (int)n->count);
}

static void emit_kind(struct emitter *m, const struct node *n)
{
	static const enum op logic[] = {
		[N_NEGATE] = OP_NEGATE, [N_NOT] = OP_NOT, [N_AND] = OP_AND, [N_OR] = OP_OR};
	switch (n->kind) {
	case N_NUMBER:
		put_number(m, n->number);
		return;
	case N_BOOL:
		put(m, OP_BOOL, 0, n->number != 0, 1);
		return;
	case N_STRING:
		m->strings[m->string_count] = n->text;
		put(m, OP_STRING, 0, m->string_count++, 1);
		return;
	case N_SIGNAL:
		put(m, OP_SIGNAL, 0, n->ref, 1);
		return;
	case N_CALL:
		emit_call(m, n);
		return;
	case N_COMPARE:
		emit(m, n->args[0]);
		emit_shifted(m, n->args[1], n->shift);
		put(m, OP_COMPARE, n->op, 0, -1);
		return;
	case N_BETWEEN:
		emit(m, n->args[0]);
		emit_shifted(m, n->args[1], -n->shift);
		emit_shifted(m, n->args[2], n->shift);
		put(m, OP_BETWEEN, 0, 0, -2);
		return;
	default:
		break;
	}
	for (unsigned i = 0; i < n->count; i++)
		emit(m, n->args[i]);
	if (n->kind == N_ARITH)
		put(m, OP_ARITH, n->op, 0, -1);
	else if (n->kind == N_IN)
		put(m, OP_IN, 0, n->count - 1U, 1 - (int)n->count);
	else
		put(m, logic[n->kind], 0, 0, 1 - (int)n->count);
}

static void emit(struct emitter *m, const struct node *n)
{
	emit_kind(m, n);
	if (!n->convert)
		return;
	m->numbers[m->number_count] = n->linear.scale;
	m->numbers[m->number_count + 1] = n->linear.offset;
	put(m, OP_LINEAR, 0, m->number_count, 0);
	m->number_count += 2;
}

static void *copy(struct gg_arena *arena, const void *from, size_t bytes)
{
	void *to = gg_arena_alloc(arena, bytes ? bytes : 1);
	if (to && bytes)
		memcpy(to, from, bytes);
	return to;
}

/* Replaces a borrowed text by its copy. */
static bool keep(struct gg_arena *arena, struct gg_str *s)
{
	s->p = gg_arena_str(arena, *s);
	return s->p != NULL;
}

static bool keep_texts(struct gg_expr *x, struct gg_arena *arena)
{
	bool ok = true;
	for (unsigned i = 0; i < x->ref_count && ok; i++) {
		struct gg_expr_ref *r = &x->refs[i];
		r->unit = *r->unit ? gg_arena_str(arena, gg_str(r->unit)) : "";
		ok = keep(arena, &r->name) && r->unit;
	}
	for (unsigned i = 0; i < x->string_count && ok; i++)
		ok = keep(arena, &x->strings[i]);
	return ok;
}

/* Most rules are "signal > 50": worth a way of its own. */
static uint8_t simple_token(const struct emitter *m)
{
	const struct gg_expr_code *c = m->code;
	bool is = m->code_count == 3 && c[0].op == OP_SIGNAL && c[0].a == 0 && c[1].op == OP_NUMBER &&
		  c[1].a == 0 && c[2].op == OP_COMPARE && isfinite(m->numbers[0]);
	return is ? c[2].n : 0;
}

int gg_expr_emit(struct build *b, const struct node *root, struct gg_arena *arena, struct gg_expr **ret_expr)
{
	struct emitter *m GG_CLEANUP(gg_free_p) = calloc(1, sizeof *m);
	if (!m)
		return gg_error_set(b->e, -ENOMEM, "out of memory");
	m->build = b;
	emit(m, root);
	if (m->too_high) {
		gg_expr_fail(b, 1, "the expression needs more than %d values at once", GG_EXPR_STACK);
		return -EINVAL;
	}
	struct gg_expr *x = GG_NEW(arena, struct gg_expr);
	if (!x)
		return gg_error_set(b->e, -ENOMEM, "out of memory");
	*x = (struct gg_expr){
		.code = copy(arena, m->code, m->code_count * sizeof *m->code),
		.numbers = copy(arena, m->numbers, m->number_count * sizeof *m->numbers),
		.strings = copy(arena, m->strings, m->string_count * sizeof *m->strings),
		.refs = copy(arena, b->refs, b->ref_count * sizeof *b->refs),
		.code_count = (uint16_t)m->code_count,
		.number_count = (uint16_t)m->number_count,
		.string_count = (uint16_t)m->string_count,
		.ref_count = (uint16_t)b->ref_count,
		.type = root->type,
		.stars = (uint8_t)b->stars,
		.simple = simple_token(m),
		.uses_time = m->uses_time,
		.uses_change = m->uses_change,
		.unit = *root->unit ? gg_arena_str(arena, gg_str(root->unit)) : "",
		.for_ns = b->for_ns,
	};
	if (!x->code || !x->numbers || !x->strings || !x->refs || !x->unit || !keep_texts(x, arena))
		return gg_error_set(b->e, -ENOMEM, "out of memory");
	*ret_expr = x;
	return 0;
}
