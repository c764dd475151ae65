/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of the compiler hand to each other. Used by expr_*.c only. */
#ifndef GG_EXPR_INTERNAL_H
#define GG_EXPR_INTERNAL_H

#include "pipeline/expr.h"

enum token {
	T_END,
	T_NUMBER,
	T_STRING,
	T_NAME,
	T_TRUE,
	T_FALSE,
	T_AND,
	T_OR,
	T_NOT,
	T_IN,
	T_BETWEEN,
	T_FOR,
	T_OPEN,
	T_CLOSE,
	T_OPEN_LIST,
	T_CLOSE_LIST,
	T_COMMA,
	T_PLUS,
	T_MINUS,
	T_TIMES,
	T_DIVIDE,
	T_MODULO,
	T_POWER,
	T_EQ,
	T_NE,
	T_LT,
	T_LE,
	T_GT,
	T_GE,
	T_ERROR,
};

struct lexer {
	const char *start, *p, *end;
	enum token token;
	unsigned column;    /* of the token, 1-based, in bytes */
	struct gg_str text; /* name, string, or the token as written */
	struct gg_str unit; /* of a number */
	double number;
	bool quoted_name;  /* in backquotes or ${} */
	const char *error; /* T_ERROR: what is wrong */
};

void gg_expr_lex_start(struct lexer *l, struct gg_str text);
void gg_expr_lex_next(struct lexer *l);

enum node_kind {
	N_NUMBER,
	N_STRING,
	N_BOOL,
	N_SIGNAL,
	N_NEGATE,
	N_NOT,
	N_AND,
	N_OR,
	N_COMPARE,
	N_ARITH,
	N_IN,
	N_BETWEEN,
	N_CALL
};

struct node {
	uint8_t kind, op; /* op: enum token of a comparison or arithmetic */
	uint8_t type;     /* enum gg_expr_type, by check */
	bool difference;  /* of two values of a scale with an offset (degC): converts without the offset */
	bool convert;
	uint16_t column, count, ref;
	const struct function *function;
	struct gg_str text;
	const char *unit; /* "" = none */
	double number;
	struct gg_expr_linear linear; /* after the node, when convert */
	double shift;                 /* N_COMPARE, N_BETWEEN: added to thresholds (hysteresis) */
	struct node **args;
};

enum function_unit { U_NONE, U_KEEP, U_RADIAN, U_SECOND, U_TAKE_AWAY };

/* What a function wants and gives. */
struct function {
	const char *name;
	uint8_t op, n; /* instruction and its variant */
	uint8_t least, most;
	uint8_t takes; /* enum gg_expr_type; GG_EXPR_ANY = any, F_SIGNAL = a signal's name */
	uint8_t gives; /* enum gg_expr_type; GG_EXPR_ANY = as its last argument */
	uint8_t unit;  /* enum function_unit */
};

enum { F_SIGNAL = 100 };

const struct function *gg_expr_function(struct gg_str name);
const char *gg_expr_function_name(const void *ctx, size_t i);

struct build {
	struct gg_arena tree; /* of the tree */
	struct lexer lex;
	const struct gg_expr_names *names;
	struct gg_expr_options options;
	struct gg_error *e;
	bool failed;
	int code; /* negative errno once failed */
	unsigned nodes, depth;
	int64_t for_ns;
	struct gg_expr_ref refs[GG_EXPR_NODES];
	unsigned ref_count;
	unsigned stars;
	unsigned loosened; /* comparisons that hysteresis moved */
	int polarity;      /* +1, -1 below an odd number of nots */
};

/* Notes the first error and returns NULL. */
struct node *gg_expr_fail(struct build *b, unsigned column, const char *format, ...) GG_PRINTF(3, 4);
struct node *gg_expr_no_memory(struct build *b);
struct node *gg_expr_parse(struct build *b);
/* Returns false when it failed. */
bool gg_expr_check_tree(struct build *b, struct node *root);
int gg_expr_emit(struct build *b, const struct node *root, struct gg_arena *arena, struct gg_expr **ret_expr);

enum op {
	OP_NUMBER,
	OP_STRING,
	OP_BOOL,
	OP_SIGNAL,
	OP_LINEAR,
	OP_NEGATE,
	OP_NOT,
	OP_AND,
	OP_OR,
	OP_COMPARE,
	OP_ARITH,
	OP_IN,
	OP_BETWEEN,
	OP_IF,
	OP_MATH1,
	OP_MATH2,
	OP_EXTREME,
	OP_CLAMP,
	OP_CHANGED,
	OP_AGE,
	OP_QUALITY,
	OP_GOOD,
	OP_DELTA,
	OP_KNOWN,
	OP_DEFAULT,
	OP_PASS,
	OP_COUNT
};

enum math1 { M_ABS, M_SQRT, M_LN, M_LOG10, M_EXP, M_FLOOR, M_CEIL, M_ROUND, M_SIN, M_COS, M_TAN };
enum math2 { M_ATAN2, M_POW };

#endif
