/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/held_events.h"
#include "base/map.h"
#include "gateway/events.h"

enum { MOST = 20000 };

struct held {
	struct gg_event_report r; /* its strings lie behind */
	uint64_t order;
	char bytes[];
};

static struct {
	bool on;
	struct gg_map by_key; /* "kind\x1fkey" -> struct held * */
	uint64_t orders;
} now;

static struct gg_str put(char **at, struct gg_str s)
{
	struct gg_str copy = gg_str_n(*at, s.len);
	gg_str_copy(*at, s.len + 1, s);
	*at += s.len + 1;
	return copy;
}

static struct held *copy_of(const struct gg_event_report *r)
{
	struct gg_str kind = gg_str(r->kind);
	struct held *h = malloc(
		sizeof *h + kind.len + r->key.len + r->title.len + r->message.len + r->trace_json.len + 5);
	if (!h)
		return NULL;
	char *at = h->bytes;
	h->r = *r;
	h->order = now.orders++;
	h->r.kind = put(&at, kind).p;
	h->r.key = put(&at, r->key);
	h->r.title = put(&at, r->title);
	h->r.message = put(&at, r->message);
	h->r.trace_json = put(&at, r->trace_json);
	return h;
}

void gg_held_begin(void)
{
	now.on = true;
}

bool gg_held_event(const struct gg_event_report *r)
{
	char text[600];
	if (!now.on)
		return false;
	int n = snprintf(text, sizeof text, "%s\x1f%.*s", r->kind, GG_STR_ARG(r->key));
	struct gg_str key = gg_str_n(text, gg_min_size((size_t)n, sizeof text - 1));
	struct held *before = gg_map_get_ptr(&now.by_key, key);
	struct held *h = before || now.by_key.count < MOST ? copy_of(r) : NULL;
	if (!h || gg_map_put_ptr(&now.by_key, key, h) < 0) {
		free(h);
		return true; /* the book stays as it was */
	}
	free(before);
	return true;
}

static int by_order(const void *a, const void *b)
{
	uint64_t x = (*(struct held *const *)a)->order, y = (*(struct held *const *)b)->order;
	return (x > y) - (x < y);
}

void gg_held_end(void)
{
	struct gg_map_entry *e;
	size_t count = 0;
	struct held **all = calloc(now.by_key.count + 1, sizeof(struct held *));
	now.on = false;
	gg_map_each (e, &now.by_key) {
		struct held *h = (struct held *)(uintptr_t)e->value;
		if (all)
			all[count++] = h;
		else
			free(h);
	}
	if (count)
		qsort(all, count, sizeof(struct held *), by_order);
	for (size_t i = 0; i < count; i++) {
		bool open = gg_events_open_id(all[i]->r.kind, all[i]->r.key) != 0;
		if (open == all[i]->r.clear)
			gg_event(&all[i]->r);
		free(all[i]);
	}
	free(all);
	gg_map_done(&now.by_key);
}
