/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table `state` as bytes, for checkpoints: a value is a letter and what follows.
 *
 *   F T            false, true          I n   integer, 8 bytes        D f   double, 8 bytes
 *   S len bytes    text                 { (key value)* }              table
 *
 * Keys go in the order the table gives them; the checkpoint is read, not compared.
 */
#include "pipeline/lua_internal.h"
#include "pipeline/state_io.h"

enum { DEPTH = 16, SAVED = 1 << 20 };

struct io {
	struct gg_buf *to;
	struct gg_reader *from;
};

static void save_value(lua_State *L, struct gg_buf *to, unsigned depth);

static void save_table(lua_State *L, struct gg_buf *to, unsigned depth)
{
	if (depth > DEPTH)
		luaL_error(L, "state: tables deeper than %d", DEPTH);
	luaL_checkstack(L, 4, NULL);
	gg_put_u8(to, '{');
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		save_value(L, to, depth);
		lua_pop(L, 1);
		save_value(L, to, depth);
	}
	gg_put_u8(to, '}');
}

static void save_value(lua_State *L, struct gg_buf *to, unsigned depth)
{
	size_t len = 0;
	const char *text;
	switch (lua_type(L, -1)) {
	case LUA_TBOOLEAN:
		gg_put_u8(to, lua_toboolean(L, -1) ? 'T' : 'F');
		return;
	case LUA_TNUMBER:
		gg_put_u8(to, lua_isinteger(L, -1) ? 'I' : 'D');
		if (lua_isinteger(L, -1))
			gg_put_i64(to, lua_tointeger(L, -1));
		else
			gg_put_double(to, lua_tonumber(L, -1));
		return;
	case LUA_TSTRING:
		text = lua_tolstring(L, -1, &len);
		gg_put_u8(to, 'S');
		gg_put_u32(to, (uint32_t)len);
		gg_buf_add(to, text, len);
		return;
	case LUA_TTABLE:
		save_table(L, to, depth + 1);
		return;
	default:
		luaL_error(L, "state: a %s can't be kept", luaL_typename(L, -1));
	}
}

static int protected_save(lua_State *L)
{
	struct io *io = lua_touserdata(L, 1);
	lua_getglobal(L, "state");
	if (!lua_istable(L, -1))
		return luaL_error(L, "state is no table any more");
	save_value(L, io->to, 0);
	return 0;
}

int gg_lua_save(struct gg_lua *l, struct gg_buf *to)
{
	struct gg_buf own = GG_BUF(SAVED);
	struct io io = {.to = &own};
	lua_pushcfunction(l->L, protected_save);
	lua_pushlightuserdata(l->L, &io);
	lua_sethook(l->L, NULL, 0, 0);
	int status = lua_pcall(l->L, 1, 0, 0);
	lua_settop(l->L, 0);
	int rc = status != LUA_OK ? -EINVAL : own.error ? -E2BIG : 0;
	if (rc == 0)
		gg_buf_add(to, own.p, own.len);
	gg_buf_done(&own);
	return rc ? rc : to->error;
}

static void load_value(lua_State *L, struct gg_reader *from, uint8_t letter, unsigned depth)
{
	luaL_checkstack(L, 4, NULL);
	if (letter == 'T' || letter == 'F') {
		lua_pushboolean(L, letter == 'T');
	} else if (letter == 'I') {
		lua_pushinteger(L, gg_read_i64(from));
	} else if (letter == 'D') {
		lua_pushnumber(L, gg_read_le_double(from));
	} else if (letter == 'S') {
		struct gg_str s = gg_read_str(from, gg_read_le32(from));
		lua_pushlstring(L, s.p, s.len);
	} else if (letter == '{' && depth < DEPTH) {
		lua_newtable(L);
		for (uint8_t k; (k = gg_read_u8(from)) != '}' && gg_reader_ok(from); lua_rawset(L, -3)) {
			load_value(L, from, k, depth + 1);
			if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) != lua_tonumber(L, -1))
				luaL_error(L, "NaN as a key");
			load_value(L, from, gg_read_u8(from), depth + 1);
		}
	} else {
		luaL_error(L, "not a saved state");
	}
	if (!gg_reader_ok(from))
		luaL_error(L, "the saved state is cut off");
}

static int protected_load(lua_State *L)
{
	struct io *io = lua_touserdata(L, 1);
	uint8_t letter = gg_read_u8(io->from);
	if (letter != '{')
		return luaL_error(L, "not a saved state");
	load_value(L, io->from, letter, 0);
	lua_setglobal(L, "state");
	return 0;
}

int gg_lua_load(struct gg_lua *l, struct gg_reader *from)
{
	struct io io = {.from = from};
	lua_pushcfunction(l->L, protected_load);
	lua_pushlightuserdata(l->L, &io);
	lua_sethook(l->L, NULL, 0, 0);
	int status = lua_pcall(l->L, 1, 0, 0);
	lua_settop(l->L, 0);
	return status == LUA_OK ? 0 : -EINVAL;
}
