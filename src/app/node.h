/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON answer as a tree, for commands that show it. Texts are unescaped; numbers stay as written. Owner:
 * the arena. Thread: its owner's.
 */
#ifndef GG_APP_NODE_H
#define GG_APP_NODE_H

#include "base/arena.h"
#include "base/json.h"

struct gg_node {
	enum gg_json_token type; /* OBJECT, ARRAY, STRING, NUMBER, TRUE, FALSE, NULL */
	struct gg_str key;       /* of an object's member */
	struct gg_str text;      /* STRING, NUMBER */
	struct gg_node *first, *next;
	size_t count; /* of members */
};

/* Errors: -EINVAL no JSON, -ENOMEM. */
int gg_node_parse(struct gg_arena *arena, struct gg_str json, struct gg_node **ret_root);
/* A member, or NULL; n may be NULL. */
const struct gg_node *gg_node_get(const struct gg_node *n, const char *key);
/* The member's text: of strings and numbers as they are, "true", "false"; else "". */
struct gg_str gg_node_text(const struct gg_node *n, const char *key);
double gg_node_number(const struct gg_node *n, const char *key, double otherwise);
bool gg_node_true(const struct gg_node *n, const char *key);
/* The member as a time, 0 when there is none. */
int64_t gg_node_time(const struct gg_node *n, const char *key);
/* A scalar's text as above. */
struct gg_str gg_node_scalar(const struct gg_node *n);
/* As JSON again, without the node's own key. At most as deep as what was parsed. */
void gg_node_write(const struct gg_node *n, struct gg_json_writer *w);

#endif
