/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two books of events side by side: the one that was kept, read back from the journal, and the one the replay
 * would have kept, by the same rule as the gateway's: one open event per kind and key. Compared are the
 * events of rules and of stages; those of devices, disks and uplinks are facts, which rules may listen to.
 */
#include "app/node.h"
#include "app/replay.h"
#include "gateway/events.h"

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

/* The new event, or NULL when there is no room; valid until the next. */
static struct gg_book_event *add(struct gg_book *b, enum gg_side side, struct gg_str by_key,
	const struct gg_event_report *r, int64_t opened_ns)
{
	struct gg_book_side *s = &b->sides[side];
	if (s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct gg_book_event *events =
			cap <= GG_REPLAY_EVENTS * 2 ? realloc(s->events, cap * sizeof *events) : NULL;
		if (!events) {
			b->error = -ENOMEM;
			return NULL;
		}
		s->events = events;
		s->cap = cap;
	}
	struct gg_book_event *e = &s->events[s->count++];
	*e = (struct gg_book_event){.kind = gg_str_dup(gg_str(r->kind)),
		.key = gg_str_dup(r->key),
		.title = gg_str_dup(r->title),
		.severity = r->severity,
		.opened_ns = opened_ns,
		.outside = opened_ns < b->from_ns || opened_ns >= b->to_ns};
	if (!e->kind || !e->key || !e->title || gg_map_put(&s->by_key, by_key, s->count) < 0)
		b->error = -ENOMEM;
	return b->error ? NULL : e;
}

static struct gg_book_event *newest(struct gg_book_side *s, struct gg_str by_key)
{
	uint64_t at = gg_map_get(&s->by_key, by_key, 0);
	return at ? &s->events[at - 1] : NULL;
}

/* ---- what the replay reports: the gateway's own rule (gateway/events.c) ---- */

void gg_book_report(struct gg_book *b, const struct gg_event_report *r, int64_t now_ns)
{
	char text[KEY_MAX];
	struct gg_str key = open_key(text, gg_str(r->kind), r->key);
	struct gg_book_event *e = newest(&b->sides[GG_REPLAYED], key);
	int64_t time_ns = r->time_ns ? r->time_ns : now_ns;
	bool open = e && !e->cleared_ns;
	if (!is_derived(gg_str(r->kind)) || (r->clear && !open) || (!r->clear && open))
		return;
	if (r->clear)
		e->cleared_ns = time_ns;
	else if (e && time_ns - e->cleared_ns < GG_EVENT_CHATTER_NS)
		e->cleared_ns = 0;
	else
		add(b, GG_REPLAYED, key, r, time_ns);
}

/* ---- what was recorded ---- */

static enum gg_severity severity_of(struct gg_str name)
{
	return gg_str_is(name, "critical")  ? GG_CRITICAL
	       : gg_str_is(name, "warning") ? GG_WARNING
					    : GG_INFORMATION;
}

/* What the replay's beginning knew already is in its book, too, as it was then. */
static void note_before(struct gg_book *b, struct gg_str key, const struct gg_event_report *r, uint64_t id,
	int64_t cleared_ns)
{
	struct gg_book_event *e = newest(&b->sides[GG_REPLAYED], key);
	if (!e || e->id != id)
		e = add(b, GG_REPLAYED, key, r, r->time_ns);
	if (!e)
		return;
	e->id = id;
	e->outside = true;
	e->cleared_ns = cleared_ns <= b->warm_ns ? cleared_ns : 0;
}

/* A record may tell the same event again (cleared, acknowledged, back): known by its id. */
static void note_derived(struct gg_book *b, const struct gg_node *n, struct gg_str key,
	const struct gg_event_report *r, int64_t now_ns)
{
	struct gg_book_side *s = &b->sides[GG_HAPPENED];
	struct gg_str id = gg_node_text(n, "id");
	uint64_t at = gg_map_get(&s->by_id, id, 0), number = 0;
	int64_t cleared = gg_node_time(n, "cleared");
	gg_parse_uint(id, &number);
	struct gg_book_event *e = at ? &s->events[at - 1] : add(b, GG_HAPPENED, key, r, r->time_ns);
	if (!e)
		return;
	if (!at && gg_map_put(&s->by_id, id, s->count) < 0)
		b->error = -ENOMEM;
	e->id = number;
	e->cleared_ns = cleared;
	/* told up to a second after it changed */
	e->unsettled = now_ns >= b->to_ns - 2 * GG_NS_PER_S;
	if (r->time_ns <= b->warm_ns && (now_ns == INT64_MIN || !at))
		note_before(b, key, r, number, cleared);
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
	bool was_open = gg_map_get(&b->facts, key, 0) != 0;
	if (cleared)
		return gg_map_remove(&b->facts, key);
	if (!was_open && gg_map_put(&b->facts, key, 1) < 0)
		b->error = -ENOMEM;
	return !was_open;
}

bool gg_book_record(struct gg_book *b, struct gg_str json, int64_t now_ns, struct gg_event_report *ret_report)
{
	static struct gg_arena arena; /* the strings of *ret_report */
	struct gg_node *n = NULL;
	char text[KEY_MAX];
	gg_arena_done(&arena);
	arena = GG_ARENA(RECORD_MEMORY);
	if (gg_node_parse(&arena, json, &n) < 0)
		return false;
	struct gg_str kind = gg_node_text(n, "kind"), key = open_key(text, kind, gg_node_text(n, "key"));
	struct gg_event_report r = {.kind = gg_arena_str(&arena, kind),
		.key = gg_node_text(n, "key"),
		.severity = severity_of(gg_node_text(n, "severity")),
		.clear = gg_node_time(n, "cleared") != 0,
		.title = gg_node_text(n, "title"),
		.device = known_device(gg_node_text(n, "device")),
		.signal = known_signal(gg_node_text(n, "signal")),
		.time_ns = gg_node_time(n, "opened")};
	if (!r.kind)
		return false;
	if (is_derived(kind)) {
		note_derived(b, n, key, &r, now_ns);
		return false;
	}
	/* What an action did then it need not do again. */
	if (!is_news(b, key, r.clear) || now_ns == INT64_MIN || !ret_report ||
		gg_str_is(kind, "action-failed"))
		return false;
	*ret_report = r;
	return true;
}

/* ---- matching ---- */

static struct gg_str stamped(char to[KEY_MAX + 24], const struct gg_book_event *e)
{
	char text[KEY_MAX];
	struct gg_str key = open_key(text, gg_str(e->kind), gg_str(e->key));
	int n = snprintf(to, KEY_MAX + 24, "%lld\x1f%.*s", (long long)e->opened_ns, GG_STR_ARG(key));
	return gg_str_n(to, (size_t)n);
}

/* What comes behind the range has not happened yet. */
static void cut(const struct gg_book *b, struct gg_book_side *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->events[i].cleared_ns >= b->to_ns)
			s->events[i].cleared_ns = 0;
}

void gg_book_match(struct gg_book *b)
{
	struct gg_book_side *was = &b->sides[GG_HAPPENED], *would = &b->sides[GG_REPLAYED];
	struct gg_map by_time = {0};
	char text[KEY_MAX + 24];
	cut(b, was);
	cut(b, would);
	for (size_t i = 0; i < was->count; i++)
		if (!was->events[i].outside &&
			gg_map_put_ptr(&by_time, stamped(text, &was->events[i]), &was->events[i]) < 0)
			b->error = -ENOMEM;
	for (size_t i = 0; i < would->count; i++) {
		struct gg_book_event *e = &would->events[i];
		e->like = e->outside ? NULL : gg_map_get_ptr(&by_time, stamped(text, e));
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
		gg_map_done(&s->by_key);
		gg_map_done(&s->by_id);
	}
	gg_map_done(&b->facts);
	*b = (struct gg_book){0};
}
