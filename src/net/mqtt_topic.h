/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT topic names and filters (§4.7), and a tree of them that finds matches both ways:
 *
 *   gg_topic_tree_match(tree, "a/b")    which filters kept here match that topic    (subscriptions)
 *   gg_topic_tree_find(tree, "a/+")     which topics kept here match that filter    (retained messages)
 *
 *   root ─ "a" ─┬─ "b"      entries of a/b
 *               ├─ "+"      entries of a/+
 *               └─ "#"      entries of a/#
 *
 * A topic that begins with '$' is matched by no filter that begins with a wildcard ([MQTT-4.7.2-1]). Entries
 * are embedded in what they stand for; the tree owns its nodes only. Bounded: levels, nodes.
 * Thread: its owner's.
 */
#ifndef GG_NET_MQTT_TOPIC_H
#define GG_NET_MQTT_TOPIC_H

#include "base/map.h"

enum { GG_TOPIC_LEVELS = 64 };

/* Not empty, no wildcard, no U+0000, at most 65535 bytes (§4.7.1, §4.7.3). */
bool gg_mqtt_topic_valid(struct gg_str topic);
/* Wildcards only as whole levels, '#' only as the last. "$share/name/filter" too (§4.8.2). */
bool gg_mqtt_filter_valid(struct gg_str filter);
/* Both must be valid; not for "$share/". */
bool gg_mqtt_filter_matches(struct gg_str filter, struct gg_str topic);
bool gg_mqtt_filter_has_wildcard(struct gg_str filter);
/* Takes "$share/name/filter" apart; false when it is an ordinary filter. */
bool gg_mqtt_filter_shared(struct gg_str filter, struct gg_str *ret_group, struct gg_str *ret_filter);

struct gg_topic_node;

struct gg_topic_entry {
	struct gg_topic_node *node; /* NULL: in no tree */
	struct gg_topic_entry *next, *previous;
};

struct gg_topic_tree {
	struct gg_topic_node *root;
	size_t nodes, max_nodes;
};

#define GG_TOPIC_TREE(most_nodes) ((struct gg_topic_tree){.max_nodes = (most_nodes)})

/* Frees the nodes; entries are merely forgotten. */
void gg_topic_tree_done(struct gg_topic_tree *t);
/* Errors: -EINVAL more than GG_TOPIC_LEVELS, -EDQUOT too many nodes, -ENOMEM. */
int gg_topic_tree_add(struct gg_topic_tree *t, struct gg_str filter, struct gg_topic_entry *entry);
/* Accepts one that is in no tree. */
void gg_topic_tree_remove(struct gg_topic_tree *t, struct gg_topic_entry *entry);
/* The entries at exactly this filter or topic: the first, or NULL; go on with next. */
struct gg_topic_entry *gg_topic_tree_at(const struct gg_topic_tree *t, struct gg_str filter);

/* found() must not change the tree. */
typedef void gg_topic_found(void *arg, struct gg_topic_entry *entry);
void gg_topic_tree_match(
	const struct gg_topic_tree *t, struct gg_str topic, gg_topic_found *found, void *arg);
void gg_topic_tree_find(
	const struct gg_topic_tree *t, struct gg_str filter, gg_topic_found *found, void *arg);

#endif
