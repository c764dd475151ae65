/* SPDX-License-Identifier: Apache-2.0 */
/* Builds a tree of values from a parser's events, within the limits of value.h. Private to value_*.c. */
#ifndef GG_CORE_VALUE_TREE_H
#define GG_CORE_VALUE_TREE_H

#include "base/map.h"
#include "core/value.h"

struct gg_tree_level {
	enum gg_value_kind kind;
	size_t first; /* in pending */
	unsigned line, column;
	struct gg_value *key; /* a map's, that waits for its value */
	size_t anchor;        /* index + 1 in anchors, 0 = none */
	unsigned height;      /* levels below this one so far */
};

/* What an alias needs to know: a name may be given anew, so the last one counts. */
struct gg_tree_anchor {
	struct gg_value *value; /* NULL while it is open */
	size_t nodes;
	unsigned height; /* levels it adds where it is repeated */
};

struct gg_tree {
	struct gg_arena *arena;
	struct gg_problems *problems;
	const struct gg_environment *env;
	const char *file;
	struct gg_tree_level levels[GG_VALUE_DEPTH + 1];
	unsigned depth;
	struct gg_value **pending; /* key, value, key, value ... of open maps, values of open lists */
	size_t count, cap, nodes;
	struct gg_map anchor_names;
	struct gg_tree_anchor *anchors;
	size_t anchor_count, anchor_cap;
	struct gg_value *root;
	int error;
};

struct gg_tree_node {
	unsigned line, column;
	struct gg_str anchor; /* empty = none */
};

struct gg_tree_scalar {
	struct gg_tree_node at;
	struct gg_str text;
	bool quoted;
	bool null;
};

void gg_tree_done(struct gg_tree *t);
/* All below return 0 or t->error, which stays; a problem has been added then. */
int gg_tree_open(struct gg_tree *t, enum gg_value_kind kind, const struct gg_tree_node *at);
int gg_tree_close(struct gg_tree *t);
int gg_tree_put(struct gg_tree *t, const struct gg_tree_scalar *s);
int gg_tree_alias(struct gg_tree *t, const struct gg_tree_node *at, struct gg_str name);
int gg_tree_fail(struct gg_tree *t, int code, unsigned line, unsigned column, const char *format, ...)
	GG_PRINTF(5, 6);
/* Is a key to come next? */
bool gg_tree_wants_key(const struct gg_tree *t);

/* value_substitute.c: replaces ${...} in v->text; sets raw and secret. Adds problems; errors: -ENOMEM only.
 */
int gg_value_substitute(struct gg_arena *arena, struct gg_value *v, const struct gg_environment *env,
	struct gg_problems *problems);
/* value_json.c. Errors: -EINVAL when text is no JSON (nothing has been added), else t->error. */
int gg_value_read_json(struct gg_tree *t, struct gg_str text);
/* value_yaml.c */
int gg_value_read_yaml(struct gg_tree *t, struct gg_str text);

#endif
