/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees of values beyond what the kit offers: reading them from YAML or JSON, changing them (a changed tree
 * is a new tree that shares what did not change), and writing them back.
 *
 *   YAML ─▶ value_yaml.c ─┐                    ┌─▶ gg_value_to_json()
 *                         ├─▶ struct gg_tree ──┤   (values as JSON types)
 *   JSON ─▶ value_json.c ─┘   (value_tree.c)   └─▶ gg_value_to_yaml()
 *                                                  (text with "${NAME}" where it was written)
 *
 * Everything that comes in is bounded: bytes, depth, nodes after aliases have been followed, length of a key.
 * Owner: the arena. Thread: any, values are immutable.
 */
#ifndef GG_CORE_VALUE_H
#define GG_CORE_VALUE_H

#include "base/arena.h"
#include "base/json.h"
#include "ganglion/option.h"

enum {
	GG_VALUE_DEPTH = 48,
	GG_VALUE_NODES = 1 << 18, /* in one text, aliases followed */
	GG_VALUE_KEY = 256,
	GG_VALUE_TEXT = 4 << 20, /* bytes of one text */
	GG_VALUE_FILE = 64 << 10 /* bytes of a file named by ${file:...} */
};

/* Stands for a secret wherever a configuration is shown; coming back in a change it means "as it was". */
#define GG_SECRET_TEXT "(secret)"

/* Where ${NAME} and ${file:/path} come from. */
struct gg_environment {
	/* The variable's value or NULL. */
	const char *(*get)(const void *arg, const char *name);
	const void *arg;
	bool no_files; /* ${file:...} is a problem */
};

/* The process's own environment, and files. */
extern const struct gg_environment gg_environment_process;

/*
 * Reads one document; name appears in places. Problems are added; NULL env = the process's. Errors: -EINVAL,
 * -E2BIG, -ENOMEM, all with a problem. An empty text is a null.
 */
int gg_value_parse(struct gg_arena *arena, const char *name, struct gg_str text,
	const struct gg_environment *env, struct gg_problems *problems, struct gg_value **ret_value);

/* ---- making: NULL when the arena is full ---- */

struct gg_value *gg_value_scalar(struct gg_arena *arena, struct gg_str text, bool quoted);
struct gg_value *gg_value_map(struct gg_arena *arena, size_t capacity);
/* Room must be there (capacity). */
void gg_value_add(struct gg_value *map, struct gg_value *key, struct gg_value *value);
/* A copy that shares nothing. */
struct gg_value *gg_value_copy(struct gg_arena *arena, const struct gg_value *v);
/* Position of a key in a map, or count. */
size_t gg_value_find(const struct gg_value *map, struct gg_str key);

/* ---- changing: the result shares unchanged parts with its sources; NULL when the arena is full ---- */

/* RFC 7396. A patch value of GG_SECRET_TEXT leaves what was there. */
struct gg_value *gg_value_merge_patch(
	struct gg_arena *arena, const struct gg_value *target, const struct gg_value *patch);
/* Puts value where the keys lead, making maps on the way; value NULL takes the key away. */
struct gg_value *gg_value_set(struct gg_arena *arena, const struct gg_value *root, const struct gg_str *keys,
	size_t count, const struct gg_value *value);
/* Adds what b has to a, map by map. A key that both have is a problem that names both places. */
struct gg_value *gg_value_join(struct gg_arena *arena, const struct gg_value *a, const struct gg_value *b,
	struct gg_problems *problems);

/* ---- writing ---- */

/* Unquoted numbers and true/false become JSON's. Values as they are: mask before showing (config.h). */
void gg_value_to_json(const struct gg_value *v, struct gg_json_writer *w);
/* Reads back as the same tree; what came from the environment is written as it was in the source. */
void gg_value_to_yaml(const struct gg_value *v, struct gg_buf *to);
/* Would a reader that guesses types take this text for a number, a truth value or null? */
bool gg_value_looks_typed(struct gg_str text);
/* "yes", "on", "true" ... Errors: -EINVAL. */
int gg_parse_bool(struct gg_str text, bool *ret_value);

#endif
