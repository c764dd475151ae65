/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The language of conditions and computations: `boiler/temperature > 95 degC and not boiler/door for 10s`.
 * docs/internals/expressions.md has the grammar, the functions and what "unknown" means.
 *
 *   text ─▶ lex ─▶ parse ─▶ tree ─▶ check (names, types, units) ─▶ emit ─▶ code in the caller's arena
 *
 * The tree lives only while compiling; what stays is a row of 4-byte instructions for a small stack machine,
 * the numbers and texts it uses, and the list of signals it names (refs). Evaluation allocates nothing, has
 * no jumps and so takes at most as many steps as there are instructions.
 *
 * Bounded: GG_EXPR_TEXT bytes of text, GG_EXPR_NODES nodes, GG_EXPR_DEPTH levels, GG_EXPR_STACK values.
 * Thread: compiling is reentrant (units behind a lock); a compiled expression is read-only.
 */
#ifndef GG_EXPR_H
#define GG_EXPR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"
#include "ganglion/sample.h"
#include "ganglion/value.h"

enum { GG_EXPR_TEXT = 2048, GG_EXPR_NODES = 256, GG_EXPR_DEPTH = 32, GG_EXPR_STACK = 64, GG_EXPR_STARS = 4 };

enum gg_expr_type { GG_EXPR_ANY, GG_EXPR_BOOL, GG_EXPR_NUMBER, GG_EXPR_STRING };

/* What is known of a signal when an expression is compiled. */
struct gg_expr_signal {
	uint8_t type;     /* enum gg_type; GG_TYPE_NONE = takes what comes */
	const char *unit; /* NULL or "" = none or not known; lives while compiling */
};

/* Who knows the names. A name may hold wildcards: then find() answers for any signal that matches. */
struct gg_expr_names {
	const void *ctx;
	/* Errors: -ENOENT no such signal. NULL: every name is taken, of any type. */
	int (*find)(const void *ctx, struct gg_str name, struct gg_expr_signal *ret_signal);
	/* Known name i, or NULL at the end: for the nearest one in messages. May be NULL. */
	const char *(*name)(const void *ctx, size_t i);
};

struct gg_expr_ref {
	struct gg_str name;
	const char *unit; /* in which the expression takes the value; "" = as it comes */
	uint8_t type;     /* enum gg_expr_type */
	bool wild;
	uint16_t column;
};

struct gg_expr_code {
	uint8_t op, n;
	uint16_t a;
};

struct gg_expr {
	struct gg_expr_code *code;
	double *numbers;
	struct gg_str *strings;
	struct gg_expr_ref *refs;
	uint16_t code_count, number_count, string_count, ref_count;
	uint8_t type;     /* enum gg_expr_type of the result */
	uint8_t stars;    /* wildcards in each wildcarded name, 0 = none */
	uint8_t simple;   /* all it does is to compare refs[0] with numbers[0], by this token; 0 = more */
	bool uses_time;   /* age(): the result changes with time alone */
	bool uses_change; /* changed(): true only in the evaluation its sample brings about */
	const char *unit; /* of the result; "" = none or not known */
	int64_t for_ns;   /* `for 10s`, 0 = at once */
};

enum gg_expr_flag {
	GG_EXPR_CONDITION = 1, /* must be true or false; `for` may follow */
};

struct gg_expr_options {
	unsigned flags;
	double loosen;           /* moves every threshold by so much towards true (hysteresis); 0 = not */
	const char *loosen_unit; /* its unit; NULL = that of what is compared */
};

/*
 * Compiles text. Owner: what comes out lives in arena; text is copied. options may be NULL.
 * Errors: -EINVAL with column (1-based, in text) and words; -ENOMEM.
 */
int gg_expr_compile(struct gg_str text, const struct gg_expr_names *names,
	const struct gg_expr_options *options, struct gg_arena *arena, struct gg_expr **ret_expr,
	struct gg_error *e);
/* The same without keeping anything: for `ganglion check`. */
int gg_expr_check(struct gg_str text, const struct gg_expr_names *names, unsigned flags, struct gg_error *e);
/* Moves an error's column in the text of a configuration value to its place in the file. */
void gg_expr_error_at(struct gg_error *e, const struct gg_value *value);

/* ---- evaluating ---- */

enum { GG_LAST_SEEN = 1, GG_LAST_BEFORE = 2, GG_LAST_CHANGED = 4 };

/* The last sample of a signal, and what the one before it was. Zeroed: none yet. */
struct gg_expr_last {
	int64_t time_ns; /* the sample's own */
	int64_t seen_ns; /* the shard's when it came */
	double number;   /* of the last one that was not bad */
	double before;   /* of the good one before that */
	char *text;      /* string samples; owned, bounded by GG_EXPR_LAST_TEXT */
	uint32_t signal;
	uint16_t text_len, text_cap;
	uint16_t aux;
	uint8_t type, quality; /* of the last sample */
	uint8_t flags;
};

enum { GG_EXPR_LAST_TEXT = 1024 };

/* Takes a sample over. text is the sample's string, if it is one. */
void gg_expr_last_set(struct gg_expr_last *l, const struct gg_sample *s, struct gg_str text, int64_t now_ns);
void gg_expr_last_done(struct gg_expr_last *l);
/* For checkpoints; the signal is the caller's to name. Errors of load: -EINVAL, and l is as before. */
void gg_expr_last_save(const struct gg_expr_last *l, struct gg_buf *to);
int gg_expr_last_load(struct gg_expr_last *l, struct gg_reader *from);

struct gg_expr_linear {
	double scale, offset;
};

struct gg_expr_env {
	const struct gg_expr_last *lasts; /* by slot */
	const uint32_t *slots; /* by ref: place in lasts, GG_NONE (0xffffffff) = no such signal yet */
	const struct gg_expr_linear *convert; /* by ref: into the ref's unit; NULL = none needs it */
	uint32_t cause; /* slot whose sample brought this evaluation about, GG_NONE = time */
	int64_t now_ns;
	int64_t due_ns; /* out: when time alone may change the result, INT64_MAX = never. Set it before */
};

struct gg_expr_value {
	bool known;
	uint8_t type;  /* GG_EXPR_BOOL, _NUMBER, _STRING */
	uint8_t grows; /* private: 1 = grows by one a second, 2 = changes with time in another way */
	union {
		bool b;
		double f;
		struct gg_str s;
	} v;
};

enum gg_truth { GG_FALSE, GG_TRUE, GG_UNKNOWN };

struct gg_expr_value gg_expr_eval(const struct gg_expr *x, struct gg_expr_env *env);
enum gg_truth gg_expr_truth(const struct gg_expr *x, struct gg_expr_env *env);

/* ---- wildcards: one binding is the bytes each `*` stands for, parted by GG_BINDING_SEPARATOR ---- */

enum { GG_BINDING = 256, GG_BINDING_SEPARATOR = 0x1f };

/* Matches name against a pattern of `*`; writes the binding (each `*` takes as little as it can). Returns its
 * length, or -ENOENT. */
int gg_expr_bind(struct gg_str pattern, struct gg_str name, char *to, size_t size);
/* Part number i (0-based) of a binding; empty when there is none. */
struct gg_str gg_binding_part(struct gg_str binding, unsigned i);

/* ---- units, by UDUNITS-2 ---- */

/* How to come from one unit to another. Errors: -EINVAL one is no unit, -ENOTSUP not convertible. */
int gg_unit_linear(const char *from, const char *to, struct gg_expr_linear *ret_linear);
/* Does UDUNITS know it? */
bool gg_unit_known(const char *unit);
/* Unit of a product ('*') or quotient ('/'), as text. Errors: -EINVAL. */
int gg_unit_combine(const char *a, char operation, const char *b, char *to, size_t size);

#endif
