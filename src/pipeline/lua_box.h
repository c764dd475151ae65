/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A box for functions in Lua 5.4: what runs in it sees values and gives values, and nothing else.
 *
 *   - No files, processes, clocks, modules, byte code, coroutines, metatables or randomness; time is what the
 *     caller sets. pairs() goes in sorted order, so the same input gives the same output on every machine.
 *   - A call may take so many instructions and the whole box so many bytes; past either the call is stopped
 *     with an error, and the box goes on with the next call.
 *   - What must last goes into the table `state` (numbers, texts, true and false, tables of them): it is what
 *     a checkpoint holds. Other globals can't be set after loading.
 *
 * Errors name the chunk and the line. Thread: one at a time, its owner's.
 */
#ifndef GG_LUA_BOX_H
#define GG_LUA_BOX_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"

enum { GG_LUA_CODE = 256 << 10 };

struct lua_State;
struct gg_lua;

struct gg_lua_limits {
	uint64_t instructions; /* of a call; 0 = 100,000 */
	size_t memory;         /* of the box; 0 = 4 MiB */
};

/* Loads and runs the chunk once. name: in messages. Errors: -EINVAL with text; -ENOMEM. */
int gg_lua_new(const char *name, struct gg_str code, const struct gg_lua_limits *limits,
	struct gg_lua **ret_lua, struct gg_error *e);
/* Accepts NULL; returns NULL. */
struct gg_lua *gg_lua_free(struct gg_lua *l);
/* Is there a function of that name? */
bool gg_lua_has(struct gg_lua *l, const char *function);
/* What now() gives. */
void gg_lua_set_now(struct gg_lua *l, int64_t utc_ns);

/*
 * Calls a function with one argument that push() leaves on the stack (exactly one value), and hands up to one
 * result to take() (top of the stack; nil when there is none). Either may be NULL. Both run protected: they
 * may raise errors. Errors: -EINVAL the function failed, -ETIME over its instructions, -ENOMEM over the
 * memory, -ENOENT no such function; with text.
 */
int gg_lua_call(struct gg_lua *l, const char *function, void (*push)(struct lua_State *L, void *arg),
	void (*take)(struct lua_State *L, void *arg), void *arg, struct gg_error *e);

/* What log("...") in the box does; NULL: nothing. */
void gg_lua_set_log(struct gg_lua *l, void (*log)(void *arg, struct gg_str text), void *arg);

/* The table `state`. Errors: -E2BIG, -EINVAL (a value that can't be saved, bytes that are none of ours). */
int gg_lua_save(struct gg_lua *l, struct gg_buf *to);
int gg_lua_load(struct gg_lua *l, struct gg_reader *from);
size_t gg_lua_memory(const struct gg_lua *l);

#endif
