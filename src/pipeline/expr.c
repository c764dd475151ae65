/* SPDX-License-Identifier: Apache-2.0 */
/* The front door of the compiler, and wildcards. */
#include "pipeline/expr_internal.h"

int gg_expr_compile(struct gg_str text, const struct gg_expr_names *names,
	const struct gg_expr_options *options, struct gg_arena *arena, struct gg_expr **ret_expr,
	struct gg_error *e)
{
	static const struct gg_expr_names none = {0};
	if (text.len > GG_EXPR_TEXT)
		return gg_error_set(e, -EINVAL, "the expression is longer than %d bytes", GG_EXPR_TEXT);
	if (!gg_utf8_valid(text) || memchr(text.p ? text.p : "", '\0', text.len))
		return gg_error_set(e, -EINVAL, "the expression is not valid UTF-8 text");
	struct build *b GG_CLEANUP(gg_free_p) = calloc(1, sizeof *b);
	if (!b)
		return gg_error_set(e, -ENOMEM, "out of memory");
	b->tree = GG_ARENA(256 << 10);
	b->names = names ? names : &none;
	b->e = e;
	if (options)
		b->options = *options;
	gg_expr_lex_start(&b->lex, text);
	int rc = 0;
	struct node *root = gg_expr_parse(b);
	if (root && gg_expr_check_tree(b, root))
		rc = gg_expr_emit(b, root, arena, ret_expr);
	else
		rc = b->failed ? b->code : -ENOMEM;
	gg_arena_done(&b->tree);
	return rc;
}

int gg_expr_check(struct gg_str text, const struct gg_expr_names *names, unsigned flags, struct gg_error *e)
{
	struct gg_arena arena = GG_ARENA(256 << 10);
	struct gg_expr_options options = {.flags = flags};
	struct gg_expr *x = NULL;
	int rc = gg_expr_compile(text, names, &options, &arena, &x, e);
	gg_arena_done(&arena);
	return rc;
}

void gg_expr_error_at(struct gg_error *e, const struct gg_value *value)
{
	if (e && value)
		gg_error_at(e, value->file, value->line,
			value->column + (value->quoted ? 1U : 0U) + (e->column ? e->column - 1 : 0));
}

/* Each star takes as little as it can; bounded by GG_EXPR_STARS levels of going back. */
static bool match(
	struct gg_str pattern, struct gg_str name, struct gg_str *parts, unsigned star, unsigned most)
{
	size_t plain = gg_str_find(pattern, '*');
	if (!gg_str_starts(name, gg_str_n(pattern.p, plain)))
		return false;
	name = gg_str_n(name.p + plain, name.len - plain);
	if (plain == pattern.len)
		return name.len == 0;
	if (star == most)
		return false;
	pattern = gg_str_n(pattern.p + plain + 1, pattern.len - plain - 1);
	for (size_t n = 1; n <= name.len; n++) {
		parts[star] = gg_str_n(name.p, n);
		if (match(pattern, gg_str_n(name.p + n, name.len - n), parts, star + 1, most))
			return true;
	}
	return false;
}

int gg_expr_bind(struct gg_str pattern, struct gg_str name, char *to, size_t size)
{
	struct gg_str parts[GG_EXPR_STARS] = {0};
	size_t used = 0;
	if (!match(pattern, name, parts, 0, GG_EXPR_STARS))
		return -ENOENT;
	for (unsigned i = 0; i < GG_EXPR_STARS && parts[i].p; i++) {
		if (used + parts[i].len + 2 > size)
			return -ENOENT;
		if (i)
			to[used++] = GG_BINDING_SEPARATOR;
		memcpy(to + used, parts[i].p, parts[i].len);
		used += parts[i].len;
	}
	to[used] = '\0';
	return (int)used;
}

struct gg_str gg_binding_part(struct gg_str binding, unsigned i)
{
	struct gg_str part = gg_str_cut(&binding, GG_BINDING_SEPARATOR);
	while (i--)
		part = gg_str_cut(&binding, GG_BINDING_SEPARATOR);
	return part;
}
