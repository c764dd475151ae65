/* SPDX-License-Identifier: Apache-2.0 */
/* What a stage and an action in Lua share: the options that say which code, and its loading. */
#ifndef GG_LUA_FILE_H
#define GG_LUA_FILE_H

#include "ganglion/option.h"
#include "pipeline/lua_box.h"

struct gg_lua_options {
	const char *code, *file, *function;
	uint64_t instructions, memory;
};

/* Rows for an option table of a struct whose first member is struct gg_lua_options. */
#define GG_LUA_OPTIONS(function_name)                                                                        \
	{.name = "code",                                                                                     \
		.type = GG_OPT_STRING,                                                                       \
		.offset = offsetof(struct gg_lua_options, code),                                             \
		.flags = GG_MAIN,                                                                            \
		.help = "The code"},                                                                         \
		{.name = "file",                                                                             \
			.type = GG_OPT_STRING,                                                               \
			.offset = offsetof(struct gg_lua_options, file),                                     \
			.flags = GG_FILE,                                                                    \
			.help = "Or the file with it"},                                                      \
		{.name = "function",                                                                         \
			.type = GG_OPT_STRING,                                                               \
			.offset = offsetof(struct gg_lua_options, function),                                 \
			.def = function_name,                                                                \
			.help = "The function that is called"},                                              \
		{.name = "instructions",                                                                     \
			.type = GG_OPT_UINT,                                                                 \
			.offset = offsetof(struct gg_lua_options, instructions),                             \
			.def = "100000",                                                                     \
			.min = "1000",                                                                       \
			.max = "100000000",                                                                  \
			.help = "What a call may take"},                                                     \
	{                                                                                                    \
		.name = "memory", .type = GG_OPT_SIZE, .offset = offsetof(struct gg_lua_options, memory),    \
		.def = "4MiB", .min = "256KiB", .max = "256MiB", .help = "What its values may take together" \
	}

/* Loads the code and looks for the function. name: in messages. Errors: -EINVAL, -errno of the file. */
int gg_lua_open(
	const struct gg_lua_options *o, const char *name, struct gg_lua **ret_lua, struct gg_error *e);

#endif
