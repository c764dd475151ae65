/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two books of events side by side: the one that was kept, read back from the journal, and the one the replay
 * would have kept, by the same rule as the gateway's: one open event per kind and key. Compared are the
 * events of rules and of stages; those of devices, disks and uplinks are facts, which rules may listen to.
 */
#include "app/node.h"
#include "app/replay.h"

enum { RECORD_MEMORY = 4 << 20, KEY_MAX = 600 };

static const char *const derived_kinds[] = {"rule", "anomaly", "no-data", "function-failed"};

static bool is_derived(struct gg_str kind)
{
	for (size_t i = 0; i < GG_COUNT(derived_kinds); i++)
		if (gg_str_is(kind, derived_kinds[i]))
			return true;
	return false;
}

static struct gg_str open_key(char to[KEY_MAX], struct gg_str kind, struct gg_str key)
{
	int n = snprintf(to, KEY_MAX, "%.*s\x1f%.*s", GG_STR_ARG(kind), GG_STR_ARG(key));
	return gg_str_n(to, gg_min_size((size_t)n, KEY_MAX - 1));
}

static bool in_range(const struct gg_book *b, int64_t ns)
{
	return ns >= b->from_ns && ns < b->to_ns;
}

/* The place of a new event, or SIZE_MAX when there is no room. */
static size_t add(
	struct gg_book *b, enum gg_side side, struct gg_str kind, struct gg_str key, struct gg_str title)
{
	struct gg_book_side *s = &b->sides[side];
	if (s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct gg_book_event *events =
			cap <= GG_REPLAY_EVENTS * 2 ? realloc(s->events, cap * sizeof *events) : NULL;
		if (!events) {
			b->error = -ENOMEM;
			return SIZE_MAX;
		}
		s->events = events;
		s->cap = cap;
	}
	struct gg_book_event *e = &s->events[s->count];
	*e = (struct gg_book_event){
		.kind = gg_str_dup(kind), .key = gg_str_dup(key), .title = gg_str_dup(title)};
	if (e->kind && e->key && e->title)
		return s->count++;
	free(e->kind);
	free(e->key);
	free(e->title);
	b->error = -ENOMEM;
	return SIZE_MAX;
}

/* ---- what the replay reports ---- */

void gg_book_report(struct gg_book *b, const struct gg_event_report *r, int64_t now_ns)
{
	struct gg_book_side *s = &b->sides[GG_REPLAYED];
	char text[KEY_MAX];
	struct gg_str key = open_key(text, gg_str(r->kind), r->key);
	uint64_t at = gg_map_get(&s->open, key, 0);
	int64_t time_ns = r->time_ns ? r->time_ns : now_ns;
	if (r->clear && at) {
		if (at != UINT64_MAX && in_range(b, time_ns))
			s->events[at - 1].cleared_ns = time_ns;
		gg_map_remove(&s->open, key);
		return;
	}
	if (r->clear || at)
		return; /* nothing to clear, or told once more */
	size_t index = SIZE_MAX;
	if (in_range(b, time_ns) && is_derived(gg_str(r->kind)))
		index = add(b, GG_REPLAYED, gg_str(r->kind), r->key, r->title);
	if (index != SIZE_MAX) {
		s->events[index].opened_ns = time_ns;
		s->events[index].severity = r->severity;
	}
	if (gg_map_put(&s->open, key, index == SIZE_MAX ? UINT64_MAX : index + 1) < 0)
		b->error = -ENOMEM;
}

/* ---- what was recorded ---- */

static enum gg_severity severity_of(struct gg_str name)
{
	return gg_str_is(name, "critical")  ? GG_CRITICAL
	       : gg_str_is(name, "warning") ? GG_WARNING
					    : GG_INFORMATION;
}

/* What is open when the replay begins is open in both books. */
static void note_before(struct gg_book *b, struct gg_str key, bool cleared)
{
	for (int side = 0; side < 2; side++) {
		if (cleared)
			gg_map_remove(&b->sides[side].open, key);
		else if (gg_map_put(&b->sides[side].open, key, UINT64_MAX) < 0)
			b->error = -ENOMEM;
	}
}

/* A record may tell the same event again (acknowledged, commented): known by its id. */
static void note_derived(struct gg_book *b, const struct gg_node *n, struct gg_str id)
{
	struct gg_book_side *s = &b->sides[GG_HAPPENED];
	int64_t opened = gg_node_time(n, "opened"), cleared = gg_node_time(n, "cleared");
	uint64_t at = gg_map_get(&s->ids, id, 0);
	if (!at && in_range(b, opened)) {
		size_t index = add(b, GG_HAPPENED, gg_node_text(n, "kind"), gg_node_text(n, "key"),
			gg_node_text(n, "title"));
		if (index == SIZE_MAX)
			return;
		at = index + 1;
		s->events[index].opened_ns = opened;
		s->events[index].severity = severity_of(gg_node_text(n, "severity"));
		gg_parse_uint(id, &s->events[index].id);
		if (gg_map_put(&s->ids, id, at) < 0)
			b->error = -ENOMEM;
	}
	if (at && cleared && in_range(b, cleared))
		s->events[at - 1].cleared_ns = cleared;
}

static uint32_t known_device(struct gg_str id)
{
	return id.len ? gg_device_find(id) : (uint32_t)GG_NONE;
}

static uint32_t known_signal(struct gg_str name)
{
	return name.len ? gg_signal_find(name) : (uint32_t)GG_NONE;
}

/* Is this the first we hear of it, or of its end? */
static bool is_news(struct gg_book *b, struct gg_str key, bool cleared)
{
	struct gg_map *open = &b->sides[GG_HAPPENED].open;
	bool was_open = gg_map_get(open, key, 0) != 0;
	if (cleared)
		return gg_map_remove(open, key);
	if (!was_open && gg_map_put(open, key, UINT64_MAX) < 0)
		b->error = -ENOMEM;
	return !was_open;
}

bool gg_book_record(struct gg_book *b, struct gg_str json, bool before, struct gg_event_report *ret_report)
{
	static struct gg_arena arena; /* the strings of *ret_report */
	struct gg_node *n = NULL;
	char text[KEY_MAX];
	gg_arena_done(&arena);
	arena = GG_ARENA(RECORD_MEMORY);
	if (gg_node_parse(&arena, json, &n) < 0)
		return false;
	struct gg_str kind = gg_node_text(n, "kind"), key = open_key(text, kind, gg_node_text(n, "key"));
	bool cleared = gg_node_time(n, "cleared") != 0;
	if (before)
		note_before(b, key, cleared);
	else if (is_derived(kind))
		note_derived(b, n, gg_node_text(n, "id"));
	if (before || is_derived(kind) || !is_news(b, key, cleared))
		return false;
	if (!ret_report || gg_str_is(kind, "action-failed"))
		return false; /* what failed then need not fail again */
	*ret_report = (struct gg_event_report){.kind = gg_arena_str(&arena, kind),
		.key = gg_node_text(n, "key"),
		.severity = severity_of(gg_node_text(n, "severity")),
		.clear = cleared,
		.title = gg_node_text(n, "title"),
		.device = known_device(gg_node_text(n, "device")),
		.signal = known_signal(gg_node_text(n, "signal"))};
	return ret_report->kind != NULL;
}

/* ---- matching ---- */

void gg_book_match(struct gg_book *b)
{
	struct gg_book_side *was = &b->sides[GG_HAPPENED], *would = &b->sides[GG_REPLAYED];
	struct gg_map by_time = {0};
	char text[KEY_MAX], stamped[KEY_MAX + 24];
	for (size_t i = 0; i < was->count; i++) {
		struct gg_book_event *e = &was->events[i];
		int n = snprintf(stamped, sizeof stamped, "%lld\x1f%s", (long long)e->opened_ns,
			open_key(text, gg_str(e->kind), gg_str(e->key)).p);
		if (gg_map_put_ptr(&by_time, gg_str_n(stamped, (size_t)n), e) < 0)
			b->error = -ENOMEM;
	}
	for (size_t i = 0; i < would->count; i++) {
		struct gg_book_event *e = &would->events[i];
		int n = snprintf(stamped, sizeof stamped, "%lld\x1f%s", (long long)e->opened_ns,
			open_key(text, gg_str(e->kind), gg_str(e->key)).p);
		e->like = gg_map_get_ptr(&by_time, gg_str_n(stamped, (size_t)n));
		if (e->like)
			e->like->like = e;
	}
	gg_map_done(&by_time);
}

void gg_book_done(struct gg_book *b)
{
	for (int side = 0; side < 2; side++) {
		struct gg_book_side *s = &b->sides[side];
		for (size_t i = 0; i < s->count; i++) {
			free(s->events[i].kind);
			free(s->events[i].key);
			free(s->events[i].title);
		}
		free(s->events);
		gg_map_done(&s->open);
		gg_map_done(&s->ids);
	}
	*b = (struct gg_book){0};
}
