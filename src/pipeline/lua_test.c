/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/clock.h"
#include "pipeline/lua_box.h"

#include <lauxlib.h>
#include <lua.h>

static char got[256];

static void push_number(lua_State *L, void *arg)
{
	lua_pushnumber(L, *(double *)arg);
}

static void take_text(lua_State *L, void *arg)
{
	(void)arg;
	size_t len = 0;
	const char *text = luaL_tolstring(L, -1, &len);
	gg_str_copy(got, sizeof got, gg_str_n(text, len));
}

static struct gg_lua *load(const char *code)
{
	struct gg_lua *l = NULL;
	struct gg_error e = {0};
	if (gg_lua_new("test", gg_str(code), NULL, &l, &e) < 0)
		fail_msg("%s", e.text);
	return l;
}

static int call(struct gg_lua *l, double x, struct gg_error *e)
{
	got[0] = '\0';
	return gg_lua_call(l, "f", push_number, take_text, &x, e);
}

/* What f(2) of this body gives. */
static void gives(const char *body, const char *wanted)
{
	char code[1000];
	struct gg_error e = {0};
	snprintf(code, sizeof code, "function f(x) %s end", body);
	struct gg_lua *l = load(code);
	gg_lua_set_now(l, 1500000000);
	if (call(l, 2, &e) < 0)
		fail_msg("%s: %s", body, e.text);
	assert_string_equal(got, wanted);
	gg_lua_free(l);
}

static void stops(const char *body, int code, const char *words)
{
	char text[1000];
	struct gg_error e = {0};
	snprintf(text, sizeof text, "n = 0 function f(x) %s end function g() return 'well' end", body);
	struct gg_lua *l = load(text);
	int64_t start = gg_clock_monotonic(&gg_clock_system);
	int rc = call(l, 2, &e);
	int64_t took = gg_clock_monotonic(&gg_clock_system) - start;
	if (rc != code || !strstr(e.text, words))
		fail_msg("%s: %d %s", body, rc, e.text);
	if (took > 2 * GG_NS_PER_S)
		fail_msg("%s: took %lld ms", body, (long long)(took / GG_NS_PER_MS));
	assert_int_equal(gg_lua_call(l, "g", NULL, take_text, NULL, &e), 0); /* the next call is not harmed */
	assert_string_equal(got, "well");
	gg_lua_free(l);
}

static void functions_compute(void **state)
{
	(void)state;
	gives("return x * 2 + 1", "5.0");
	gives("return ('%.1f %s'):format(x, {})", "2.0 table");
	gives("return now()", "1.5");
	gives("local t = {} for k, v in pairs({c = 3, a = 1, b = 2, 9, 8}) do t[#t + 1] = tostring(k) .. v "
	      "end "
	      "return table.concat(t, ' ')",
		"19 28 a1 b2 c3");
	gives("return ('a=1;b=2'):match('b=(%d+)')", "2");
	gives("local ok, why = pcall(error, 'no') return why", "no");
	gives("return tostring(f)", "function");
	gives("return math.type(3) .. utf8.char(228) .. #table.pack(1, 2)", "integer\xc3\xa4"
									    "2");
}

static void nothing_of_the_world_can_be_reached(void **state)
{
	(void)state;
	static const char *const names[] = {"io", "os", "debug", "package", "require", "load", "loadfile",
		"dofile", "coroutine", "collectgarbage", "setmetatable", "getmetatable", "xpcall", "print",
		"next", "string.dump", "math.random", "table.move", "_G"};
	for (size_t i = 0; i < GG_COUNT(names); i++) {
		char body[100];
		snprintf(body, sizeof body, "return %s", names[i]);
		gives(body, "nil");
	}
	struct gg_lua *l = NULL;
	struct gg_error e = {0};
	assert_int_equal(gg_lua_new("test", GG_STR("\x1bLua"), NULL, &l, &e), -EINVAL);
}

static void a_function_over_its_budget_is_stopped(void **state)
{
	(void)state;
	stops("while true do end", -ETIME, "instructions");
	stops("while true do pcall(function() while true do end end) end", -ETIME, "instructions");
	stops("local function r() return pcall(r) end while true do r() end", -ETIME, "");
	stops("local t = {} for i = 1, 1e9 do t[i] = i end", -ETIME, "instructions");
	stops("local s = 'x' for i = 1, 100 do s = s .. s end", -ENOMEM, "memory");
	stops("return ('x'):rep(1e9)", -EINVAL, "too long");
	stops("return (''):rep(1e18)", -EINVAL, "too long");
	stops("return (('a'):rep(5000)):find('.-.-.-.-b')", -EINVAL, "too long");
	stops("local t = {} for i = 1, 20000 do t[i] = -i end while true do table.sort(t) end", -ETIME,
		"instructions");
	stops("local s = ('x'):rep(60000) local n = 0 while true do n = n + #(s .. n) end", -ETIME,
		"instructions");
	stops("local s = ('x'):rep(60000) while true do s:upper() end", -ETIME, "instructions");
	stops("local a, b = ('x'):rep(60000) .. 'a', ('x'):rep(60000) .. 'b' while a < b do end", -ETIME,
		"instructions");
}

static void memory_is_bounded_whatever_the_instructions(void **state)
{
	(void)state;
	const struct gg_lua_limits limits = {.instructions = 1000000000, .memory = 1 << 20};
	struct gg_lua *l = NULL;
	struct gg_error e = {0};
	assert_int_equal(
		gg_lua_new("big", GG_STR("function f(x) local t = {} for i = 1, 1e9 do t[i] = i end end"),
			&limits, &l, &e),
		0);
	assert_int_equal(call(l, 1, &e), -ENOMEM);
	assert_non_null(strstr(e.text, "1024 KiB"));
	assert_in_range(gg_lua_memory(l), 1, 1 << 20);
	gg_lua_free(l);
}

static void errors_name_chunk_and_line(void **state)
{
	(void)state;
	struct gg_error e = {0};
	struct gg_lua *l = NULL;
	assert_int_equal(gg_lua_new("calc", GG_STR("x = 1\n\nfunction ("), NULL, &l, &e), -EINVAL);
	assert_non_null(strstr(e.text, "calc:3:"));
	l = load("function f(x)\n return x.y.z\nend");
	assert_int_equal(call(l, 1, &e), -EINVAL);
	assert_non_null(strstr(e.text, "test:2:"));
	assert_int_equal(gg_lua_call(l, "nobody", NULL, NULL, NULL, &e), -ENOENT);
	gg_lua_free(l);
}

static void what_lasts_goes_into_state(void **state)
{
	(void)state;
	const char *code =
		"local n = 1 state.list = {1, 2.5, 'x', true, {a = 1}}\n"
		"function f(x) state.sum = (state.sum or 0) + x return state.sum .. #state.list end\n"
		"function g() total = 1 end";
	struct gg_lua *l = load(code);
	struct gg_error e = {0};
	struct gg_buf b = GG_BUF(10000);
	assert_int_equal(call(l, 2, &e), 0);
	assert_int_equal(call(l, 3, &e), 0);
	assert_string_equal(got, "5.05");
	assert_int_equal(gg_lua_call(l, "g", NULL, NULL, NULL, &e), -EINVAL);
	assert_non_null(strstr(e.text, "global 'total'"));
	assert_int_equal(gg_lua_save(l, &b), 0);
	gg_lua_free(l);
	l = load(code);
	struct gg_reader from = gg_reader(b.p, b.len);
	assert_int_equal(gg_lua_load(l, &from), 0);
	assert_int_equal(call(l, 1, &e), 0);
	assert_string_equal(got, "6.05");
	for (size_t cut = 0; cut < b.len; cut++) {
		from = gg_reader(b.p, cut);
		assert_int_equal(gg_lua_load(l, &from), -EINVAL);
	}
	assert_int_equal(call(l, 1, &e), 0);
	assert_string_equal(got, "7.05");
	gg_lua_free(l);
	gg_buf_done(&b);
	l = load("function f(x) state.f = f end");
	assert_int_equal(call(l, 1, &e), 0);
	assert_int_equal(gg_lua_save(l, &b), -EINVAL);
	gg_lua_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(functions_compute),
		TEST(nothing_of_the_world_can_be_reached),
		TEST(a_function_over_its_budget_is_stopped),
		TEST(memory_is_bounded_whatever_the_instructions),
		TEST(errors_name_chunk_and_line),
		TEST(what_lasts_goes_into_state),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
