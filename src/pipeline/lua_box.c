/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The box itself: memory by an allocator that counts, instructions by a hook that counts, globals behind a
 * proxy.
 *
 * Work that one instruction can bring about counts too: bytes allocated, and what goes into a function of the
 * library. No text is longer than 64 KiB, so that comparing two takes microseconds.
 *
 * The hook runs every 1000 instructions. When the budget is used up it raises an error, and from then on runs
 * before every instruction and raises again: a pcall() in the function can catch one error, but not go on.
 */
#include "pipeline/lua_internal.h"

#include <ctype.h>

enum { HOOK_EVERY = 1000, STRING_MAX = 64 << 10, FREE_BYTES = 256 };

static void count_hook(lua_State *L, lua_Debug *at);

struct gg_lua *gg_lua_of(lua_State *L)
{
	return *(struct gg_lua **)lua_getextraspace(L);
}

/* May be called at any time, as lua_sethook() may. */
void gg_lua_charge(struct gg_lua *l, uint64_t instructions)
{
	l->left -= l->left < instructions ? l->left : instructions;
	if (!l->left && l->L)
		lua_sethook(l->L, count_hook, LUA_MASKCOUNT, 1);
}

static void *allocate(void *arg, void *p, size_t old, size_t new)
{
	struct gg_lua *l = arg;
	size_t had = p ? old : 0;
	if (new == 0) {
		free(p);
		l->memory -= had;
		return NULL;
	}
	if (new > had &&new - had > l->limits.memory - gg_min_size(l->memory, l->limits.memory))
		return NULL;
	if (!p && old == LUA_TSTRING && new > STRING_MAX)
		return NULL;
	if (new > FREE_BYTES)
		gg_lua_charge(l, new / 8);
	void *moved = realloc(p, new);
	if (moved)
		l->memory = l->memory - had + new;
	return moved;
}

static void count_hook(lua_State *L, lua_Debug *at)
{
	struct gg_lua *l = gg_lua_of(L);
	(void)at;
	if (l->left > HOOK_EVERY) {
		l->left -= HOOK_EVERY;
		return;
	}
	l->left = 0;
	if (!l->exhausted) {
		l->exhausted = true;
		lua_sethook(L, count_hook, LUA_MASKCOUNT, 1);
	}
	luaL_error(L, "took more than %d instructions", (int)gg_min_size(l->limits.instructions, INT32_MAX));
}

static void begin(struct gg_lua *l)
{
	l->left = l->limits.instructions;
	l->exhausted = false;
	lua_sethook(l->L, count_hook, LUA_MASKCOUNT, HOOK_EVERY);
}

/* Takes Lua's message ("chunk:12: text") apart: line and words. */
static int failed(struct gg_lua *l, int status, struct gg_error *e)
{
	size_t len = 0;
	const char *text = lua_type(l->L, -1) == LUA_TSTRING ? lua_tolstring(l->L, -1, &len) : NULL;
	int code = status == LUA_ERRMEM ? -ENOMEM : l->exhausted ? -ETIME : -EINVAL;
	char words[GG_ERROR_TEXT - 16];
	gg_str_copy(words, sizeof words, text ? gg_str_n(text, len) : GG_STR("an error that is no text"));
	if (status == LUA_ERRMEM)
		gg_error_set(e, code, "%s: used more than %zu KiB of memory, or a text of more than 64 KiB",
			l->name, l->limits.memory / 1024);
	else
		gg_error_set(e, code, "%s", words);
	return code;
}

/* t[k] = v on the globals. */
static int set_global(lua_State *L)
{
	struct gg_lua *l = gg_lua_of(L);
	if (l->loaded)
		return luaL_error(L,
			"global '%s' can't be set in a function; what lasts goes into the table state",
			lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?");
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 3);
	lua_rawset(L, lua_upvalueindex(1));
	return 0;
}

/* Globals are read through and written by set_global(): an empty table stands before them. */
static void push_proxy(lua_State *L)
{
	lua_newtable(L);
	lua_newtable(L);
	lua_pushglobaltable(L);
	lua_setfield(L, -2, "__index");
	lua_pushglobaltable(L);
	lua_pushcclosure(L, set_global, 1);
	lua_setfield(L, -2, "__newindex");
	lua_setmetatable(L, -2);
}

static int load_chunk(lua_State *L)
{
	const struct gg_str *code = lua_touserdata(L, 1);
	char name[128];
	snprintf(name, sizeof name, "=%s", gg_lua_of(L)->name);
	gg_lua_open_safe(L);
	if (luaL_loadbufferx(L, code->p, code->len, name, "t") != LUA_OK)
		return lua_error(L);
	/* _G would be a way around the proxy */
	lua_pushnil(L);
	lua_setglobal(L, "_G");
	push_proxy(L);
	if (!lua_setupvalue(L, -2, 1)) /* a chunk's only upvalue: its globals */
		lua_pop(L, 1);
	lua_call(L, 0, 0);
	return 0;
}

int gg_lua_new(const char *name, struct gg_str code, const struct gg_lua_limits *limits,
	struct gg_lua **ret_lua, struct gg_error *e)
{
	if (code.len > GG_LUA_CODE)
		return gg_error_set(
			e, -EINVAL, "%s: the code is longer than %d KiB", name, GG_LUA_CODE >> 10);
	struct gg_lua *l = calloc(1, sizeof *l);
	if (!l)
		return gg_error_set(e, -ENOMEM, "out of memory");
	if (limits)
		l->limits = *limits;
	if (!l->limits.instructions)
		l->limits.instructions = 100000;
	if (!l->limits.memory)
		l->limits.memory = (size_t)4 << 20;
	l->name = gg_str_dup(gg_str(name));
	l->L = l->name ? lua_newstate(allocate, l) : NULL;
	if (!l->L) {
		gg_lua_free(l);
		return gg_error_set(e, -ENOMEM, "%s: used up its memory at once", name);
	}
	*(struct gg_lua **)lua_getextraspace(l->L) = l;
	begin(l);
	lua_pushcfunction(l->L, load_chunk);
	lua_pushlightuserdata(l->L, &code);
	int status = lua_pcall(l->L, 1, 0, 0);
	if (status != LUA_OK) {
		int rc = failed(l, status, e);
		gg_lua_free(l);
		return rc == -ETIME ? -EINVAL : rc;
	}
	l->loaded = true;
	*ret_lua = l;
	return 0;
}

struct gg_lua *gg_lua_free(struct gg_lua *l)
{
	if (l && l->L)
		lua_close(l->L);
	if (l)
		free(l->name);
	free(l);
	return NULL;
}

bool gg_lua_has(struct gg_lua *l, const char *function)
{
	lua_pushglobaltable(l->L);
	lua_pushstring(l->L, function);
	bool found = lua_rawget(l->L, -2) == LUA_TFUNCTION;
	lua_settop(l->L, 0);
	return found;
}

void gg_lua_set_now(struct gg_lua *l, int64_t utc_ns)
{
	l->now_ns = utc_ns;
}

void gg_lua_set_log(struct gg_lua *l, void (*log)(void *arg, struct gg_str text), void *arg)
{
	l->log = log;
	l->log_arg = arg;
}

struct call {
	const char *function;
	void (*push)(lua_State *L, void *arg);
	void (*take)(lua_State *L, void *arg);
	void *arg;
};

static int protected_call(lua_State *L)
{
	const struct call *c = lua_touserdata(L, 1);
	lua_settop(L, 0);
	lua_getglobal(L, c->function);
	if (c->push)
		c->push(L, c->arg);
	lua_call(L, c->push ? 1 : 0, 1);
	if (c->take)
		c->take(L, c->arg);
	return 0;
}

int gg_lua_call(struct gg_lua *l, const char *function, void (*push)(struct lua_State *L, void *arg),
	void (*take)(struct lua_State *L, void *arg), void *arg, struct gg_error *e)
{
	struct call c = {function, push, take, arg};
	if (!gg_lua_has(l, function))
		return gg_error_set(e, -ENOENT, "%s: there is no function %s", l->name, function);
	begin(l);
	lua_pushcfunction(l->L, protected_call);
	lua_pushlightuserdata(l->L, &c);
	int status = lua_pcall(l->L, 1, 0, 0);
	int rc = status == LUA_OK ? 0 : failed(l, status, e);
	lua_settop(l->L, 0);
	if (status == LUA_ERRMEM)
		lua_gc(l->L, LUA_GCCOLLECT, 0);
	return rc;
}

size_t gg_lua_memory(const struct gg_lua *l)
{
	return l->memory;
}
