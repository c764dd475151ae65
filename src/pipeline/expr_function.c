/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of the language: one row says name, instruction, arguments and units. The reference in
 * docs/internals/expressions.md lists the same rows. */
#include "pipeline/expr_internal.h"

#define NUM GG_EXPR_NUMBER
#define ANY GG_EXPR_ANY

static const struct function functions[] = {
	{"abs", OP_MATH1, M_ABS, 1, 1, NUM, NUM, U_KEEP},
	{"sqrt", OP_MATH1, M_SQRT, 1, 1, NUM, NUM, U_NONE},
	{"ln", OP_MATH1, M_LN, 1, 1, NUM, NUM, U_NONE},
	{"log10", OP_MATH1, M_LOG10, 1, 1, NUM, NUM, U_NONE},
	{"exp", OP_MATH1, M_EXP, 1, 1, NUM, NUM, U_NONE},
	{"floor", OP_MATH1, M_FLOOR, 1, 1, NUM, NUM, U_KEEP},
	{"ceil", OP_MATH1, M_CEIL, 1, 1, NUM, NUM, U_KEEP},
	{"round", OP_MATH1, M_ROUND, 1, 1, NUM, NUM, U_KEEP},
	{"sin", OP_MATH1, M_SIN, 1, 1, NUM, NUM, U_RADIAN},
	{"cos", OP_MATH1, M_COS, 1, 1, NUM, NUM, U_RADIAN},
	{"tan", OP_MATH1, M_TAN, 1, 1, NUM, NUM, U_RADIAN},
	{"atan2", OP_MATH2, M_ATAN2, 2, 2, NUM, NUM, U_NONE},
	{"pow", OP_MATH2, M_POW, 2, 2, NUM, NUM, U_NONE},
	{"min", OP_EXTREME, 0, 1, 16, NUM, NUM, U_KEEP},
	{"max", OP_EXTREME, 1, 1, 16, NUM, NUM, U_KEEP},
	{"clamp", OP_CLAMP, 0, 3, 3, NUM, NUM, U_KEEP},
	{"if", OP_IF, 0, 3, 3, ANY, ANY, U_KEEP},
	{"default", OP_DEFAULT, 0, 2, 2, ANY, ANY, U_KEEP},
	{"known", OP_KNOWN, 0, 1, 1, ANY, GG_EXPR_BOOL, U_NONE},
	{"number", OP_PASS, 0, 1, 1, NUM, NUM, U_TAKE_AWAY},
	{"changed", OP_CHANGED, 0, 1, 1, F_SIGNAL, GG_EXPR_BOOL, U_NONE},
	{"age", OP_AGE, 0, 1, 1, F_SIGNAL, NUM, U_SECOND},
	{"quality", OP_QUALITY, 0, 1, 1, F_SIGNAL, GG_EXPR_STRING, U_NONE},
	{"good", OP_GOOD, 0, 1, 1, F_SIGNAL, GG_EXPR_BOOL, U_NONE},
	{"delta", OP_DELTA, 0, 1, 1, F_SIGNAL, NUM, U_KEEP},
};

const struct function *gg_expr_function(struct gg_str name)
{
	for (size_t i = 0; i < GG_COUNT(functions); i++)
		if (gg_str_is(name, functions[i].name))
			return &functions[i];
	return NULL;
}

const char *gg_expr_function_name(const void *ctx, size_t i)
{
	(void)ctx;
	return i < GG_COUNT(functions) ? functions[i].name : NULL;
}
