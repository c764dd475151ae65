/* SPDX-License-Identifier: Apache-2.0 */
/* Any text must be refused with a place inside it, or be compiled and evaluate within its stack. */
#include "pipeline/expr.h"

static int find(const void *ctx, struct gg_str name, struct gg_expr_signal *ret_signal)
{
	(void)ctx;
	if (name.len == 0 || name.p[0] == '!')
		return -ENOENT;
	static const char *const units[] = {
		"", "degC", "K", "m", "bar", "s", "nonsense"}; /* by the first letter */
	*ret_signal = (struct gg_expr_signal){(uint8_t)(name.len % 8), units[(unsigned char)name.p[0] % 7]};
	return 0;
}

static const char *name(const void *ctx, size_t i)
{
	static const char *const names[] = {"boiler/temperature", "press-1/speed", "a/b"};
	(void)ctx;
	return i < GG_COUNT(names) ? names[i] : NULL;
}

/* UDUNITS' own parser loses a few bytes with each word that is no unit; nothing of ours to mend. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libudunits2\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct gg_expr_names names = {.find = find, .name = name};
	struct gg_arena arena = GG_ARENA(1 << 20);
	struct gg_expr *x = NULL;
	struct gg_error e = {0};
	struct gg_expr_options o = {.flags = size & 1 ? GG_EXPR_CONDITION : 0, .loosen = size & 2 ? 1.5 : 0};
	int rc = gg_expr_compile(gg_str_n(data, size), &names, &o, &arena, &x, &e);
	if (rc < 0 && (!e.text[0] || e.column > size + 1))
		abort();
	if (rc == 0) {
		struct gg_expr_last lasts[2] = {
			{.number = 3, .before = 1, .type = GG_TYPE_FLOAT, .flags = 7}, {0}};
		uint32_t slots[GG_EXPR_NODES];
		for (unsigned i = 0; i < x->ref_count; i++)
			slots[i] = i % 3 == 2 ? UINT32_MAX : i % 3;
		struct gg_expr_env env = {.lasts = lasts, .slots = slots, .now_ns = 5, .due_ns = INT64_MAX};
		struct gg_expr_value v = gg_expr_eval(x, &env);
		struct gg_expr_linear convert[GG_EXPR_NODES];
		for (unsigned i = 0; i < x->ref_count; i++)
			convert[i] = (struct gg_expr_linear){2, 1};
		env.convert = convert;
		(void)gg_expr_truth(x, &env);
		if (v.known && v.type != GG_EXPR_STRING && v.type != GG_EXPR_BOOL && !(v.v.f - v.v.f == 0))
			abort();
	}
	gg_arena_done(&arena);
	return 0;
}
