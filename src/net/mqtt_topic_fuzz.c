/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree finds what comparing one by one finds, both ways, and is empty when all is taken out. The input is
 * lines: those with a '!' in front are topics, the others filters.
 */
#include "net/mqtt_topic.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 48, NODES = 200 };

struct item {
	struct gg_topic_entry entry; /* first */
	struct gg_str text, inner;
	unsigned seen;
};

struct all {
	struct item items[MOST];
	size_t count;
	struct gg_topic_tree tree;
};

static void found(void *arg, struct gg_topic_entry *entry)
{
	(void)arg;
	((struct item *)entry)->seen++;
}

static void add(struct all *a, struct gg_str text, bool valid)
{
	struct gg_str group;
	if (!valid || a->count == MOST)
		return;
	struct item *item = &a->items[a->count];
	*item = (struct item){.text = text, .inner = text};
	gg_mqtt_filter_shared(text, &group, &item->inner);
	if (gg_topic_tree_add(&a->tree, item->inner, &item->entry) < 0)
		return;
	a->count++;
	bool there = false;
	for (struct gg_topic_entry *e = gg_topic_tree_at(&a->tree, item->inner); e; e = e->next)
		there |= e == &item->entry;
	assert(there);
}

/* filters_kept: the tree has filters and a topic is asked for; else the other way round. */
static void ask(struct all *a, struct gg_str text, bool filters_kept)
{
	unsigned levels = 1;
	for (size_t i = 0; i < text.len; i++)
		levels += text.p[i] == '/';
	if (levels > GG_TOPIC_LEVELS)
		return;
	(filters_kept ? gg_topic_tree_match : gg_topic_tree_find)(&a->tree, text, found, NULL);
	for (size_t i = 0; i < a->count; i++) {
		struct item *item = &a->items[i];
		bool fits = filters_kept ? gg_mqtt_filter_matches(item->inner, text)
					 : gg_mqtt_filter_matches(text, item->inner);
		assert(item->seen == fits);
		item->seen = 0;
	}
}

static void go_through(struct gg_str left, bool filters_kept)
{
	struct all a = {.tree = GG_TOPIC_TREE(NODES)};
	struct gg_str rest = left, group, inner;
	while (rest.len) {
		struct gg_str line = gg_str_cut(&rest, '\n');
		bool topic = line.len && line.p[0] == '!';
		if (topic && !filters_kept)
			add(&a, gg_str_n(line.p + 1, line.len - 1),
				gg_mqtt_topic_valid(gg_str_n(line.p + 1, line.len - 1)));
		if (!topic && filters_kept)
			add(&a, line, gg_mqtt_filter_valid(line));
	}
	for (rest = left; rest.len;) {
		struct gg_str line = gg_str_cut(&rest, '\n');
		bool topic = line.len && line.p[0] == '!';
		struct gg_str text = topic ? gg_str_n(line.p + 1, line.len - 1) : line;
		if (topic && filters_kept && gg_mqtt_topic_valid(text))
			ask(&a, text, true);
		if (!topic && !filters_kept && gg_mqtt_filter_valid(text) &&
			!gg_mqtt_filter_shared(text, &group, &inner)) {
			(void)gg_mqtt_filter_has_wildcard(text);
			ask(&a, text, false);
		}
	}
	for (size_t i = 0; i < a.count; i++)
		gg_topic_tree_remove(&a.tree, &a.items[i].entry);
	assert(a.tree.nodes <= 1);
	gg_topic_tree_done(&a.tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	go_through(gg_str_n(data, size), true);
	go_through(gg_str_n(data, size), false);
	return 0;
}
