/* SPDX-License-Identifier: Apache-2.0 */
/* For lua_*.c only. */
#ifndef GG_LUA_INTERNAL_H
#define GG_LUA_INTERNAL_H

#include "pipeline/lua_box.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

struct gg_lua {
	lua_State *L;
	char *name;
	struct gg_lua_limits limits;
	size_t memory;
	uint64_t left; /* instructions of this call */
	bool exhausted, loaded;
	int64_t now_ns;
	void (*log)(void *arg, struct gg_str text);
	void *log_arg;
};

/* The box a state belongs to. */
struct gg_lua *gg_lua_of(lua_State *L);
/* Counts work as so many instructions. */
void gg_lua_charge(struct gg_lua *l, uint64_t instructions);
/* Opens what is harmless of the standard library, and our own. Runs protected. */
int gg_lua_open_safe(lua_State *L);

#endif
