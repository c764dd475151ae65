/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens to a tree, by recursive descent; one function per line of the grammar:
 *
 *   condition  = or [ "for" duration ]
 *   or         = and { "or" and }
 *   and        = not { "and" not }
 *   not        = "not" not | comparison
 *   comparison = sum [ ("=="|"!="|"<"|"<="|">"|">=") sum
 *                    | ["not"] "in" "[" sum { "," sum } "]"
 *                    | ["not"] "between" sum "and" sum ]
 *   sum        = product { ("+"|"-") product }
 *   product    = unary { ("*"|"/"|"%") unary }
 *   unary      = "-" unary | power
 *   power      = primary [ "^" unary ]
 *   primary    = number [unit] | string | true | false | name | function "(" or { "," or } ")" | "(" or ")"
 *
 * Recursion is bounded by GG_EXPR_DEPTH, the tree by GG_EXPR_NODES.
 */
#include "pipeline/expr_internal.h"

#include <stdarg.h>

static struct node *parse_or(struct build *b);
static struct node *parse_unary(struct build *b);
static struct node *parse_sum(struct build *b);

struct node *gg_expr_fail(struct build *b, unsigned column, const char *format, ...)
{
	if (b->failed)
		return NULL;
	b->failed = true;
	b->code = -EINVAL;
	char text[GG_ERROR_TEXT];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	gg_error_set(b->e, -EINVAL, "%s", text);
	if (b->e)
		b->e->column = column;
	return NULL;
}

struct node *gg_expr_no_memory(struct build *b)
{
	if (b->failed)
		return NULL;
	b->failed = true;
	b->code = gg_error_set(b->e, -ENOMEM, "out of memory");
	return NULL;
}

static struct node *node_new(struct build *b, enum node_kind kind, unsigned column, unsigned count)
{
	if (b->failed)
		return NULL;
	if (++b->nodes > GG_EXPR_NODES)
		return gg_expr_fail(b, column, "the expression has more than %d parts", GG_EXPR_NODES);
	struct node *n = GG_NEW(&b->tree, struct node);
	if (n && count)
		n->args = gg_arena_alloc(&b->tree, count * sizeof *n->args);
	if (!n || (count && !n->args))
		return gg_expr_no_memory(b);
	n->kind = (uint8_t)kind;
	n->column = (uint16_t)column;
	n->count = (uint16_t)count;
	n->unit = "";
	return n;
}

static struct node *node_two(
	struct build *b, enum node_kind kind, unsigned column, struct node *x, struct node *y)
{
	struct node *n = x && y ? node_new(b, kind, column, 2) : NULL;
	if (!n)
		return NULL;
	n->args[0] = x;
	n->args[1] = y;
	return n;
}

static struct node *node_one(struct build *b, enum node_kind kind, unsigned column, struct node *x)
{
	struct node *n = x ? node_new(b, kind, column, 1) : NULL;
	if (!n)
		return NULL;
	n->args[0] = x;
	return n;
}

static struct node *unexpected(struct build *b, const char *wanted)
{
	struct lexer *l = &b->lex;
	if (l->token == T_ERROR)
		return gg_expr_fail(b, l->column, "%s", l->error);
	if (l->token == T_END)
		return gg_expr_fail(b, l->column, "the text ends where %s was expected", wanted);
	return gg_expr_fail(b, l->column, "'%.*s' stands where %s was expected", GG_STR_ARG(l->text), wanted);
}

static bool deeper(struct build *b)
{
	if (++b->depth <= GG_EXPR_DEPTH)
		return true;
	gg_expr_fail(b, b->lex.column, "nested deeper than %d levels", GG_EXPR_DEPTH);
	return false;
}

static bool accept(struct build *b, enum token t)
{
	if (b->failed || b->lex.token != t)
		return false;
	gg_expr_lex_next(&b->lex);
	return true;
}

static bool expect(struct build *b, enum token t, const char *wanted)
{
	if (accept(b, t))
		return true;
	unexpected(b, wanted);
	return false;
}

/* Items up to the closing token; the opening one has been read. */
static struct node *parse_items(struct build *b, enum node_kind kind, unsigned column, struct node *first,
	enum token close, unsigned most)
{
	struct node *items[GG_EXPR_STACK];
	unsigned count = 0;
	if (first)
		items[count++] = first;
	if (!accept(b, close)) {
		do {
			if (count == most)
				return gg_expr_fail(b, b->lex.column, "more than %u values here", most);
			items[count] = kind == N_IN ? parse_sum(b) : parse_or(b);
			if (!items[count++])
				return NULL;
		} while (accept(b, T_COMMA));
		if (!expect(b, close, close == T_CLOSE ? "',' or ')'" : "',' or ']'"))
			return NULL;
	}
	struct node *n = node_new(b, kind, column, count);
	for (unsigned i = 0; n && i < count; i++)
		n->args[i] = items[i];
	return n;
}

static struct node *parse_call(struct build *b, struct gg_str name, unsigned column)
{
	const struct function *f = gg_expr_function(name);
	if (!f) {
		const char *near = NULL, *each;
		unsigned best = 3;
		for (size_t i = 0; (each = gg_expr_function_name(NULL, i)); i++) {
			unsigned distance = gg_str_distance(name, gg_str(each));
			if (distance < best) {
				best = distance;
				near = each;
			}
		}
		return gg_expr_fail(b, column, "there is no function '%.*s'%s%s%s", GG_STR_ARG(name),
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	struct node *n = parse_items(b, N_CALL, column, NULL, T_CLOSE, f->most);
	if (n && n->count < f->least)
		return gg_expr_fail(b, column, "%s() wants %u value%s, here are %u", f->name, f->least,
			f->least == 1 ? "" : "s", n->count);
	if (n)
		n->function = f;
	return n;
}

static struct node *parse_name(struct build *b)
{
	struct gg_str name = b->lex.text;
	unsigned column = b->lex.column;
	bool quoted = b->lex.quoted_name;
	gg_expr_lex_next(&b->lex);
	if (!quoted && accept(b, T_OPEN))
		return parse_call(b, name, column);
	if (!quoted && gg_str_is(name, "pi")) {
		struct node *n = node_new(b, N_NUMBER, column, 0);
		if (n)
			n->number = 3.14159265358979323846;
		return n;
	}
	struct node *n = node_new(b, N_SIGNAL, column, 0);
	if (n)
		n->text = name;
	return n;
}

static struct node *parse_literal(struct build *b)
{
	struct lexer *l = &b->lex;
	struct node *n = node_new(b,
		l->token == T_NUMBER   ? N_NUMBER
		: l->token == T_STRING ? N_STRING
				       : N_BOOL,
		l->column, 0);
	if (!n)
		return NULL;
	n->number = l->token == T_NUMBER ? l->number : l->token == T_TRUE;
	if (l->token == T_STRING)
		n->text = l->text;
	if (l->token == T_NUMBER && l->unit.len) {
		n->unit = gg_arena_str(&b->tree, l->unit);
		if (!n->unit)
			return gg_expr_no_memory(b);
	}
	gg_expr_lex_next(l);
	return n;
}

static struct node *parse_primary(struct build *b)
{
	switch (b->lex.token) {
	case T_NUMBER:
	case T_STRING:
	case T_TRUE:
	case T_FALSE:
		return parse_literal(b);
	case T_NAME:
		return parse_name(b);
	case T_OPEN: {
		gg_expr_lex_next(&b->lex);
		struct node *n = parse_or(b);
		return n && expect(b, T_CLOSE, "')'") ? n : NULL;
	}
	default:
		return unexpected(b, "a value");
	}
}

static struct node *parse_power(struct build *b)
{
	struct node *n = parse_primary(b);
	unsigned column = b->lex.column;
	if (n && accept(b, T_POWER)) {
		n = node_two(b, N_ARITH, column, n, parse_unary(b));
		if (n)
			n->op = T_POWER;
	}
	return n;
}

static struct node *parse_unary(struct build *b)
{
	unsigned column = b->lex.column;
	if (!accept(b, T_MINUS))
		return parse_power(b);
	if (!deeper(b))
		return NULL;
	bool literal = b->lex.token == T_NUMBER;
	struct node *n = parse_unary(b);
	b->depth--;
	if (n && literal && n->kind == N_NUMBER) { /* so that -5 degC is converted as one */
		n->number = -n->number;
		n->column = (uint16_t)column;
		return n;
	}
	return node_one(b, N_NEGATE, column, n);
}

static struct node *parse_product(struct build *b)
{
	struct node *n = parse_unary(b);
	for (enum token t; n && (t = b->lex.token, t == T_TIMES || t == T_DIVIDE || t == T_MODULO);) {
		unsigned column = b->lex.column;
		gg_expr_lex_next(&b->lex);
		n = node_two(b, N_ARITH, column, n, parse_unary(b));
		if (n)
			n->op = (uint8_t)t;
	}
	return n;
}

static struct node *parse_sum(struct build *b)
{
	struct node *n = parse_product(b);
	for (enum token t; n && (t = b->lex.token, t == T_PLUS || t == T_MINUS);) {
		unsigned column = b->lex.column;
		gg_expr_lex_next(&b->lex);
		n = node_two(b, N_ARITH, column, n, parse_product(b));
		if (n)
			n->op = (uint8_t)t;
	}
	return n;
}

static struct node *parse_between(struct build *b, struct node *value, unsigned column)
{
	struct node *low = parse_sum(b);
	if (!low || !expect(b, T_AND, "'and' (as in: between 1 and 5)"))
		return NULL;
	struct node *high = parse_sum(b);
	struct node *n = high ? node_new(b, N_BETWEEN, column, 3) : NULL;
	if (!n)
		return NULL;
	n->args[0] = value;
	n->args[1] = low;
	n->args[2] = high;
	return n;
}

static struct node *parse_set(struct build *b, struct node *value)
{
	unsigned column = b->lex.column;
	bool negated = accept(b, T_NOT);
	struct node *n;
	if (accept(b, T_BETWEEN))
		n = parse_between(b, value, column);
	else if (accept(b, T_IN))
		n = expect(b, T_OPEN_LIST, "'['")
			    ? parse_items(b, N_IN, column, value, T_CLOSE_LIST, GG_EXPR_STACK - 1)
			    : NULL;
	else
		return unexpected(b, "'in' or 'between'");
	return negated ? node_one(b, N_NOT, column, n) : n;
}

static struct node *parse_comparison(struct build *b)
{
	struct node *n = parse_sum(b);
	enum token t = b->lex.token;
	if (!n)
		return NULL;
	if (t == T_NOT || t == T_IN || t == T_BETWEEN)
		return parse_set(b, n);
	if (t < T_EQ || t > T_GE)
		return n;
	unsigned column = b->lex.column;
	gg_expr_lex_next(&b->lex);
	n = node_two(b, N_COMPARE, column, n, parse_sum(b));
	if (n)
		n->op = (uint8_t)t;
	if (n && b->lex.token >= T_EQ && b->lex.token <= T_GE)
		return gg_expr_fail(
			b, b->lex.column, "comparisons can't be chained; write: x between 1 and 5");
	return n;
}

static struct node *parse_not(struct build *b)
{
	unsigned column = b->lex.column;
	if (!accept(b, T_NOT))
		return parse_comparison(b);
	if (!deeper(b))
		return NULL;
	struct node *n = node_one(b, N_NOT, column, parse_not(b));
	b->depth--;
	return n;
}

static struct node *parse_and(struct build *b)
{
	struct node *n = parse_not(b);
	for (unsigned column = b->lex.column; n && accept(b, T_AND); column = b->lex.column)
		n = node_two(b, N_AND, column, n, parse_not(b));
	return n;
}

static struct node *parse_or(struct build *b)
{
	if (!deeper(b))
		return NULL;
	struct node *n = parse_and(b);
	for (unsigned column = b->lex.column; n && accept(b, T_OR); column = b->lex.column)
		n = node_two(b, N_OR, column, n, parse_and(b));
	b->depth--;
	return n;
}

static bool parse_for(struct build *b)
{
	struct lexer *l = &b->lex;
	if (!(b->options.flags & GG_EXPR_CONDITION)) {
		gg_expr_fail(b, l->column, "'for' belongs to the condition of a rule");
		return false;
	}
	gg_expr_lex_next(l);
	bool seconds = l->token == T_NUMBER && gg_str_is(l->unit, "s");
	if (!seconds || l->number > 366 * 86400.0) {
		gg_expr_fail(b, l->column, "'for' wants a time of at most a year, e.g. for 10s");
		return false;
	}
	b->for_ns = (int64_t)(l->number * 1e9);
	gg_expr_lex_next(l);
	return true;
}

struct node *gg_expr_parse(struct build *b)
{
	gg_expr_lex_next(&b->lex);
	struct node *n = parse_or(b);
	if (n && b->lex.token == T_FOR && !parse_for(b))
		return NULL;
	if (n && b->lex.token != T_END)
		return unexpected(b, "an operator or the end");
	return n;
}
