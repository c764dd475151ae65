/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree keeps '+' and '#' like any other level name; matching looks up at most three children a level. It
 * walks by recursion, whose depth is bounded by GG_TOPIC_LEVELS. A topic deeper than that matches only what
 * a '#' above covers.
 */
#include "net/mqtt_topic.h"

struct gg_topic_node {
	struct gg_topic_node *parent, *plus, *hash; /* the wildcards' nodes stand outside of children */
	struct gg_map children;                     /* level -> node */
	struct gg_topic_entry *entries;
	size_t child_count;  /* with plus and hash */
	struct gg_str level; /* the parent's key, or a literal */
};

bool gg_mqtt_topic_valid(struct gg_str topic)
{
	if (topic.len == 0 || topic.len > UINT16_MAX)
		return false;
	for (size_t i = 0; i < topic.len; i++)
		if (topic.p[i] == '+' || topic.p[i] == '#' || topic.p[i] == '\0')
			return false;
	return true;
}

static bool levels_valid(struct gg_str filter)
{
	if (filter.len == 0 || memchr(filter.p, 0, filter.len))
		return false;
	for (size_t i = 0; i < filter.len; i++) {
		if (filter.p[i] != '+' && filter.p[i] != '#')
			continue;
		bool starts = i == 0 || filter.p[i - 1] == '/';
		bool last = i + 1 == filter.len;
		if (!starts || (!last && (filter.p[i] == '#' || filter.p[i + 1] != '/')))
			return false;
	}
	return true;
}

bool gg_mqtt_filter_shared(struct gg_str filter, struct gg_str *ret_group, struct gg_str *ret_filter)
{
	if (!gg_str_starts(filter, GG_STR("$share/")))
		return false;
	struct gg_str rest = gg_str_n(filter.p + 7, filter.len - 7);
	*ret_group = gg_str_cut(&rest, '/');
	*ret_filter = rest;
	return true;
}

bool gg_mqtt_filter_valid(struct gg_str filter)
{
	struct gg_str group, rest;
	if (filter.len > UINT16_MAX)
		return false;
	if (!gg_mqtt_filter_shared(filter, &group, &rest))
		return levels_valid(filter);
	return group.len && gg_str_find(group, '+') == group.len && gg_str_find(group, '#') == group.len &&
	       levels_valid(rest);
}

bool gg_mqtt_filter_has_wildcard(struct gg_str filter)
{
	return gg_str_find(filter, '+') < filter.len || gg_str_find(filter, '#') < filter.len;
}

static bool is_wildcard(struct gg_str level)
{
	return level.len == 1 && (level.p[0] == '+' || level.p[0] == '#');
}

/* A level and what is left behind it; left.p is NULL after the last. */
static struct gg_str next_level(struct gg_str *left)
{
	size_t n = gg_str_find(*left, '/');
	struct gg_str level = gg_str_n(left->p, n);
	*left = n == left->len ? gg_str_n(NULL, 0) : gg_str_n(left->p + n + 1, left->len - n - 1);
	return level;
}

bool gg_mqtt_filter_matches(struct gg_str filter, struct gg_str topic)
{
	if (topic.len && topic.p[0] == '$' && filter.len && (filter.p[0] == '+' || filter.p[0] == '#'))
		return false;
	while (filter.p) {
		struct gg_str want = next_level(&filter);
		if (want.len == 1 && want.p[0] == '#')
			return true; /* the parent level too (§4.7.1.2) */
		if (!topic.p)
			return false;
		struct gg_str have = next_level(&topic);
		if (!(want.len == 1 && want.p[0] == '+') && !gg_str_eq(want, have))
			return false;
	}
	return topic.p == NULL;
}

/* ---- nodes ---- */

static struct gg_topic_node *child_of(const struct gg_topic_node *n, struct gg_str level)
{
	if (is_wildcard(level))
		return level.p[0] == '+' ? n->plus : n->hash;
	return n->children.count ? gg_map_get_ptr(&n->children, level) : NULL;
}

static int link_child(struct gg_topic_node *parent, struct gg_str level, struct gg_topic_node *child)
{
	child->parent = parent;
	if (is_wildcard(level)) {
		child->level = level.p[0] == '+' ? GG_STR("+") : GG_STR("#");
		*(level.p[0] == '+' ? &parent->plus : &parent->hash) = child;
	} else {
		int rc = gg_map_put_ptr(&parent->children, level, child);
		if (rc < 0)
			return rc;
		const struct gg_map_entry *e = gg_map_find(&parent->children, level);
		child->level = gg_str_n(e->key, e->len); /* the key's memory does not move */
	}
	parent->child_count++;
	return 0;
}

static int make_child(struct gg_topic_tree *t, struct gg_topic_node *parent, struct gg_str level,
	struct gg_topic_node **ret)
{
	if (t->nodes >= t->max_nodes)
		return -EDQUOT;
	struct gg_topic_node *child = calloc(1, sizeof *child);
	if (!child)
		return -ENOMEM;
	int rc = parent ? link_child(parent, level, child) : 0;
	if (rc < 0) {
		free(child);
		return rc;
	}
	t->nodes++;
	*ret = child;
	return 0;
}

static void free_node(struct gg_topic_tree *t, struct gg_topic_node *n)
{
	gg_map_done(&n->children);
	free(n);
	t->nodes--;
}

/* Takes away a node that holds nothing, and then its parents. */
static void prune(struct gg_topic_tree *t, struct gg_topic_node *n)
{
	while (n && !n->entries && n->child_count == 0) {
		struct gg_topic_node *parent = n->parent;
		if (!parent) {
			t->root = NULL;
		} else {
			parent->child_count--;
			if (parent->plus == n)
				parent->plus = NULL;
			else if (parent->hash == n)
				parent->hash = NULL;
			else
				gg_map_remove(&parent->children, n->level);
		}
		free_node(t, n);
		n = parent;
	}
}

int gg_topic_tree_add(struct gg_topic_tree *t, struct gg_str filter, struct gg_topic_entry *entry)
{
	int rc = 0;
	if (!t->root && (rc = make_child(t, NULL, filter, &t->root)) < 0)
		return rc;
	struct gg_topic_node *n = t->root;
	struct gg_str left = filter;
	for (unsigned depth = 0; left.p && rc == 0; depth++) {
		struct gg_str level = next_level(&left);
		struct gg_topic_node *child = child_of(n, level);
		if (depth >= GG_TOPIC_LEVELS)
			rc = -EINVAL;
		else if (!child)
			rc = make_child(t, n, level, &child);
		if (rc == 0)
			n = child;
	}
	if (rc < 0) {
		prune(t, n);
		return rc;
	}
	*entry = (struct gg_topic_entry){.node = n, .next = n->entries};
	if (n->entries)
		n->entries->previous = entry;
	n->entries = entry;
	return 0;
}

void gg_topic_tree_remove(struct gg_topic_tree *t, struct gg_topic_entry *entry)
{
	struct gg_topic_node *n = entry->node;
	if (!n)
		return;
	if (entry->previous)
		entry->previous->next = entry->next;
	else
		n->entries = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	*entry = (struct gg_topic_entry){0};
	prune(t, n);
}

struct gg_topic_entry *gg_topic_tree_at(const struct gg_topic_tree *t, struct gg_str filter)
{
	const struct gg_topic_node *n = t->root;
	for (struct gg_str left = filter; n && left.p;)
		n = child_of(n, next_level(&left));
	return n ? n->entries : NULL;
}

static void free_all(struct gg_topic_tree *t, struct gg_topic_node *n)
{
	if (!n)
		return;
	free_all(t, n->plus);
	free_all(t, n->hash);
	const struct gg_map_entry *e;
	gg_map_each (e, &n->children)
		free_all(t, (struct gg_topic_node *)(uintptr_t)e->value);
	for (struct gg_topic_entry *x = n->entries; x;) {
		struct gg_topic_entry *next = x->next;
		*x = (struct gg_topic_entry){0};
		x = next;
	}
	free_node(t, n);
}

void gg_topic_tree_done(struct gg_topic_tree *t)
{
	free_all(t, t->root);
	t->root = NULL;
}

/* ---- matching ---- */

struct walk {
	gg_topic_found *found;
	void *arg;
};

static void give(const struct walk *w, const struct gg_topic_node *n)
{
	for (struct gg_topic_entry *e = n->entries; e; e = e->next)
		w->found(w->arg, e);
}

static void match(const struct walk *w, const struct gg_topic_node *n, struct gg_str left, bool wildcards)
{
	if (n->hash && wildcards)
		give(w, n->hash);
	if (!left.p) {
		give(w, n);
		return;
	}
	struct gg_str level = next_level(&left);
	const struct gg_topic_node *child = n->children.count ? gg_map_get_ptr(&n->children, level) : NULL;
	if (child)
		match(w, child, left, true);
	if (n->plus && wildcards)
		match(w, n->plus, left, true);
}

void gg_topic_tree_match(const struct gg_topic_tree *t, struct gg_str topic, gg_topic_found *found, void *arg)
{
	struct walk w = {found, arg};
	if (t->root && topic.len)
		match(&w, t->root, topic, topic.p[0] != '$');
}

static void give_all(const struct walk *w, const struct gg_topic_node *n, bool at_root)
{
	give(w, n);
	const struct gg_map_entry *e;
	gg_map_each (e, &n->children)
		if (!at_root || e->key[0] != '$')
			give_all(w, (const struct gg_topic_node *)(uintptr_t)e->value, false);
}

static void find(const struct walk *w, const struct gg_topic_node *n, struct gg_str left)
{
	if (!left.p) {
		give(w, n);
		return;
	}
	bool at_root = n->parent == NULL;
	struct gg_str level = next_level(&left);
	if (level.len == 1 && level.p[0] == '#') {
		give_all(w, n, at_root);
		return;
	}
	if (!(level.len == 1 && level.p[0] == '+')) {
		const struct gg_topic_node *child =
			n->children.count ? gg_map_get_ptr(&n->children, level) : NULL;
		if (child)
			find(w, child, left);
		return;
	}
	const struct gg_map_entry *e;
	gg_map_each (e, &n->children)
		if (!at_root || e->key[0] != '$')
			find(w, (const struct gg_topic_node *)(uintptr_t)e->value, left);
}

void gg_topic_tree_find(const struct gg_topic_tree *t, struct gg_str filter, gg_topic_found *found, void *arg)
{
	struct walk w = {found, arg};
	if (t->root)
		find(&w, t->root, filter);
}
