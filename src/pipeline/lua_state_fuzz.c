/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the saved `state` of a box; and any text as its code, which may do nothing but compute within
 * its instructions and memory. What a box saves must load again. The first byte says which.
 */
#include "pipeline/lua_box.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gg_lua_limits limits = {2000, 1 << 20};

static struct gg_lua *make(struct gg_str code)
{
	struct gg_lua *l = NULL;
	struct gg_error e = {0};
	if (gg_lua_new("fuzz", code, &limits, &l, &e) < 0 && !e.text[0])
		abort();
	return l;
}

static void save_and_load(struct gg_lua *l)
{
	struct gg_buf saved = GG_BUF(2 << 20);
	if (gg_lua_save(l, &saved) == 0) {
		struct gg_lua *second = make(GG_STR(""));
		struct gg_reader r = gg_reader(saved.p, saved.len);
		if (second && gg_lua_load(second, &r) < 0 && saved.len < 10000)
			abort();
		gg_lua_free(second);
	}
	gg_buf_done(&saved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_error e;
	if (size < 1)
		return 0;
	bool as_code = data[0] & 1;
	struct gg_lua *l =
		make(as_code ? gg_str_n(data + 1, size - 1)
			     : GG_STR("function f() state.n = (state.n or 0) + 1 return state end"));
	if (!l)
		return 0;
	struct gg_reader r = gg_reader(data + 1, as_code ? 0 : size - 1);
	if (!as_code)
		(void)gg_lua_load(l, &r);
	if (gg_lua_has(l, "f"))
		(void)gg_lua_call(l, "f", NULL, NULL, NULL, &e);
	if (gg_lua_memory(l) > limits.memory + 4096)
		abort();
	save_and_load(l);
	gg_lua_free(l);
	return 0;
}
