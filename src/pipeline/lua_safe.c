/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a function in the box may call. The instruction budget counts Lua's instructions only, so every C
 * function left here must end soon whatever its arguments:
 *
 *   gone   io os debug package require load dofile loadstring coroutine collectgarbage setmetatable
 *          getmetatable next xpcall print string.dump table.move math.random
 *   bound  patterns (find match gmatch gsub): Lua's matcher goes back and forth in a time that is a power of
 *          the text's length, so length and number of repetitions are limited together; string.rep by memory
 *   even   tostring and string.format give no addresses; pairs goes in sorted order (the table's own order
 *          depends on addresses)
 */
#include "pipeline/lua_internal.h"

enum { MATCH_STEPS = 10000000 };

/* Calls the library's own function, kept as the upvalue, with the arguments as they are; their size counts as
 * instructions. */
static int forward(lua_State *L)
{
	int n = lua_gettop(L);
	uint64_t work = 0;
	for (int i = 1; i <= n; i++)
		if (lua_type(L, i) == LUA_TSTRING)
			work += lua_rawlen(L, i) / 4;
		else if (lua_type(L, i) == LUA_TTABLE)
			work += lua_rawlen(L, i) * 4;
	gg_lua_charge(gg_lua_of(L), work);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, LUA_MULTRET);
	return lua_gettop(L);
}

/* How many ways a pattern can divide a text: its repetitions, and where it begins. */
static unsigned choices(const char *pattern, size_t len)
{
	unsigned n = len && pattern[0] == '^' ? 0 : 1;
	for (size_t i = 0; i < len; i++) {
		if (pattern[i] == '%' && i + 1 < len)
			n += pattern[++i] == 'b';
		else
			n += strchr("*+-?", pattern[i]) != NULL;
	}
	return n;
}

static int bounded_match(lua_State *L)
{
	size_t text = 0, len = 0;
	luaL_checklstring(L, 1, &text);
	const char *pattern = luaL_checklstring(L, 2, &len);
	double steps = (double)len + 1;
	for (unsigned n = choices(pattern, len); n && steps <= MATCH_STEPS; n--)
		steps *= (double)text + 1;
	if (steps > MATCH_STEPS)
		return luaL_error(L, "the pattern '%s' could take too long on %d bytes", pattern, (int)text);
	return forward(L);
}

static int bounded_rep(lua_State *L)
{
	size_t len = 0, between = 0;
	luaL_checklstring(L, 1, &len);
	lua_Integer n = luaL_checkinteger(L, 2);
	luaL_optlstring(L, 3, "", &between);
	if (n > 0 && (double)n * (double)(len + between + 1) > (double)gg_lua_of(L)->limits.memory)
		return luaL_error(L, "string.rep would be too long");
	return forward(L);
}

static void even_text(lua_State *L, int index)
{
	switch (lua_type(L, index)) {
	case LUA_TNIL:
	case LUA_TBOOLEAN:
	case LUA_TNUMBER:
	case LUA_TSTRING:
		luaL_tolstring(L, index, NULL);
		break;
	default:
		lua_pushstring(L, luaL_typename(L, index));
	}
}

static int even_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	even_text(L, 1);
	return 1;
}

static int even_format(lua_State *L)
{
	const char *format = luaL_checkstring(L, 1);
	for (const char *p = strchr(format, '%'); p; p = strchr(p, '%')) {
		p++;
		p += strspn(p, "-+ #0123456789.");
		if (*p == 'p')
			return luaL_error(L, "string.format: %%p is not to be had here");
		if (*p)
			p++;
	}
	for (int i = 2; i <= lua_gettop(L); i++) {
		if (lua_type(L, i) <= LUA_TSTRING && lua_type(L, i) != LUA_TLIGHTUSERDATA)
			continue;
		even_text(L, i);
		lua_replace(L, i);
	}
	return forward(L);
}

static int box_now(lua_State *L)
{
	lua_pushnumber(L, (double)gg_lua_of(L)->now_ns / 1e9);
	return 1;
}

static int box_log(lua_State *L)
{
	struct gg_lua *l = gg_lua_of(L);
	even_text(L, 1);
	size_t len = 0;
	const char *text = lua_tolstring(L, -1, &len);
	if (l->log)
		l->log(l->log_arg, gg_str_n(text, len));
	return 0;
}

static void take_out(lua_State *L, const char *library, const char *const *names)
{
	if (library)
		lua_getglobal(L, library);
	else
		lua_pushglobaltable(L);
	for (; *names; names++) {
		lua_pushnil(L);
		lua_setfield(L, -2, *names);
	}
	lua_pop(L, 1);
}

/* Puts fn in place of library.name, which it gets as its upvalue. */
static void wrap(lua_State *L, const char *library, const char *name, lua_CFunction fn)
{
	lua_getglobal(L, library);
	lua_getfield(L, -1, name);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

/* Makes each function of a library go through forward(). */
static void charge_all(lua_State *L, const char *library)
{
	lua_getglobal(L, library);
	for (lua_pushnil(L); lua_next(L, -2);) {
		if (!lua_isfunction(L, -1)) {
			lua_pop(L, 1);
			continue;
		}
		lua_pushcclosure(L, forward, 1);
		lua_pushvalue(L, -2);
		lua_insert(L, -2); /* table, key, key, closure: assigning to a key that is there is allowed */
		lua_rawset(L, -4);
	}
	lua_pop(L, 1);
}

/* pairs() over a sorted copy of the keys: numbers first, then texts, then true and false. */
static const char sorted_pairs[] = "local next, type, sort = ...\n"
				   "local rank = { number = 1, string = 2, boolean = 3 }\n"
				   "local function less(a, b)\n"
				   "  local x, y = rank[type(a)] or 4, rank[type(b)] or 4\n"
				   "  if x ~= y then return x < y end\n"
				   "  if x == 3 then return b and not a end\n"
				   "  return x < 3 and a < b\n"
				   "end\n"
				   "return function(t)\n"
				   "  local keys, n, i = {}, 0, 0\n"
				   "  for k in next, t do n = n + 1 keys[n] = k end\n"
				   "  sort(keys, less)\n"
				   "  return function()\n"
				   "    while i < n do\n"
				   "      i = i + 1\n"
				   "      local v = t[keys[i]]\n"
				   "      if v ~= nil then return keys[i], v end\n"
				   "    end\n"
				   "  end, t, nil\n"
				   "end\n";

static void set_pairs(lua_State *L)
{
	if (luaL_loadbufferx(L, sorted_pairs, sizeof sorted_pairs - 1, "=pairs", "t") != LUA_OK)
		lua_error(L);
	lua_getglobal(L, "next");
	lua_getglobal(L, "type");
	lua_getglobal(L, "table");
	lua_getfield(L, -1, "sort");
	lua_remove(L, -2);
	lua_call(L, 3, 1);
	lua_setglobal(L, "pairs");
}

/* So that ("x"):rep() finds the functions put in place here, and nothing else can be reached. */
static void set_string_index(lua_State *L)
{
	lua_pushliteral(L, "");
	if (!lua_getmetatable(L, -1))
		lua_newtable(L);
	lua_getglobal(L, "string");
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

int gg_lua_open_safe(lua_State *L)
{
	static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base}, {LUA_TABLIBNAME, luaopen_table},
		{LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
		{LUA_UTF8LIBNAME, luaopen_utf8}};
	static const char *const base[] = {"dofile", "loadfile", "load", "loadstring", "collectgarbage",
		"setmetatable", "getmetatable", "xpcall", "print", "warn", "require", NULL};
	static const char *const string[] = {"dump", NULL}, *const table[] = {"move", NULL},
				 *const math[] = {"random", "randomseed", NULL},
				 *const after[] = {"next", NULL};
	for (size_t i = 0; i < GG_COUNT(libraries); i++) {
		luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
		lua_pop(L, 1);
	}
	take_out(L, NULL, base);
	take_out(L, "string", string);
	take_out(L, "table", table);
	take_out(L, "math", math);
	set_pairs(L);
	take_out(L, NULL, after);
	charge_all(L, "string");
	charge_all(L, "table");
	charge_all(L, "utf8");
	wrap(L, "string", "find", bounded_match);
	wrap(L, "string", "match", bounded_match);
	wrap(L, "string", "gmatch", bounded_match);
	wrap(L, "string", "gsub", bounded_match);
	wrap(L, "string", "rep", bounded_rep);
	wrap(L, "string", "format", even_format);
	set_string_index(L);
	lua_register(L, "tostring", even_tostring);
	lua_register(L, "now", box_now);
	lua_register(L, "log", box_log);
	lua_newtable(L);
	lua_setglobal(L, "state");
	return 0;
}
