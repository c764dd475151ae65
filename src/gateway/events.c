/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/events.h"
#include "base/log.h"
#include "base/map.h"
#include "core/loop.h"
#include "core/site.h"
#include "gateway/events_store.h"
#include "gateway/gateway.h"
#include "pipeline/rule_call.h"

enum { WATCHERS = 8, TITLE_MAX = 1024, MESSAGE_MAX = 4096 };

static struct {
	struct gg_map by_key; /* "kind\x1fkey" -> its latest entry, open or not */
	struct gg_map by_id;  /* 8 bytes: id, and the latest alias */
	struct gg_event_entry *untold;
	struct gg_timer teller;
	struct gg_event_entry *newest, *oldest;
	size_t count, open_by_severity[3];
	struct {
		gg_event_watcher *fn;
		void *arg;
	} watchers[WATCHERS];
	size_t watcher_count;
	struct gg_counter *opened[3], *lost;
	_Atomic uint64_t last_id; /* any thread */
} book;

static const int64_t tell_every_ns = GG_NS_PER_S;

static const char *const severities[] = {"info", "warning", "critical"};
static const char *const states[] = {"open", "acknowledged", "cleared"};

const char *gg_severity_name(enum gg_severity s)
{
	return (size_t)s < GG_COUNT(severities) ? severities[s] : severities[0];
}

const char *gg_event_state_name(enum gg_event_state s)
{
	return (size_t)s < GG_COUNT(states) ? states[s] : states[0];
}

/* ---- reports: from any thread to the control thread ---- */

struct report {
	uint64_t id;
	struct gg_event_report r; /* its strings lie behind */
	char bytes[];
};

static uint64_t next_id(void)
{
	uint64_t now = (uint64_t)(gg_clock_utc(&gg_clock_system) / GG_NS_PER_US);
	uint64_t last = atomic_load(&book.last_id), id;
	do {
		id = now > last ? now : last + 1;
	} while (!atomic_compare_exchange_weak(&book.last_id, &last, id));
	return id;
}

static struct gg_str put(char **at, struct gg_str s)
{
	struct gg_str copy = gg_str_n(*at, s.len);
	gg_str_copy(*at, s.len + 1, s);
	*at += s.len + 1;
	return copy;
}

static void take_report(void *arg, int64_t number);

uint64_t gg_event(const struct gg_event_report *r)
{
	struct gg_str kind = gg_str(r->kind), title = r->title, message = r->message, trace = r->trace_json;
	title.len = gg_min_size(title.len, TITLE_MAX);
	message.len = gg_min_size(message.len, MESSAGE_MAX);
	if (trace.len > GG_EVENT_TRACE_MAX)
		trace.len = 0;
	struct report *copy =
		malloc(sizeof *copy + kind.len + r->key.len + title.len + message.len + trace.len + 5);
	uint64_t id = next_id();
	if (copy) {
		char *at = copy->bytes;
		*copy = (struct report){id, *r};
		copy->r.kind = put(&at, kind).p;
		copy->r.key = put(&at, r->key);
		copy->r.title = put(&at, title);
		copy->r.message = put(&at, message);
		copy->r.trace_json = put(&at, trace);
		if (!r->time_ns)
			copy->r.time_ns = gg_clock_utc(&gg_clock_system);
	}
	if (!copy || gg_loop_post_lazy(gg_gateway.control, take_report, copy, 0) < 0) {
		free(copy);
		gg_count(gg_metric_counter("events_lost_total", NULL, "Events that could not be taken"), 1);
		gg_log(GG_ERROR, "events", "an event could not be taken", GG_S("kind", r->kind),
			GG_SV("title", title));
		return 0;
	}
	return id;
}

struct step {
	uint64_t event;
	size_t len;
	char json[];
};

static void take_step(void *arg, int64_t number);

void gg_event_trace(uint64_t event, struct gg_str step_json)
{
	struct step *s = step_json.len <= GG_EVENT_TRACE_MAX ? malloc(sizeof *s + step_json.len + 1) : NULL;
	if (!s)
		return;
	s->event = event;
	s->len = step_json.len;
	gg_str_copy(s->json, step_json.len + 1, step_json);
	if (gg_loop_post_lazy(gg_gateway.control, take_step, s, 0) < 0)
		free(s);
}

/* ---- the book ---- */

static struct gg_str open_key(char *to, size_t size, const char *kind, struct gg_str key)
{
	int n = snprintf(to, size, "%s\x1f%.*s", kind, GG_STR_ARG(key));
	return gg_str_n(to, gg_min_size((size_t)n, size - 1));
}

static void entry_free(struct gg_event_entry *e)
{
	free(e->kind);
	free(e->key);
	free(e->title);
	free(e->message);
	free(e->device);
	free(e->signal);
	free(e->acknowledged_by);
	free(e->comment);
	gg_buf_done(&e->trace);
	free(e);
}

static void link_newest(struct gg_event_entry *e)
{
	e->older = book.newest;
	if (book.newest)
		book.newest->newer = e;
	else
		book.oldest = e;
	book.newest = e;
	book.count++;
}

static struct gg_str id_key(const uint64_t *id)
{
	return gg_str_n(id, sizeof *id);
}

static void forget_untold(struct gg_event_entry *e)
{
	struct gg_event_entry **at = &book.untold;
	while (*at && *at != e)
		at = &(*at)->next_untold;
	if (*at)
		*at = e->next_untold;
}

static void unlink_entry(struct gg_event_entry *e)
{
	char text[600];
	struct gg_str key = open_key(text, sizeof text, e->kind, gg_str(e->key));
	if (gg_map_get_ptr(&book.by_key, key) == e)
		gg_map_remove(&book.by_key, key);
	gg_map_remove(&book.by_id, id_key(&e->id));
	gg_map_remove(&book.by_id, id_key(&e->alias));
	forget_untold(e);
	*(e->newer ? &e->newer->older : &book.newest) = e->older;
	*(e->older ? &e->older->newer : &book.oldest) = e->newer;
	book.count--;
}

/* Makes room by forgetting the oldest that is cleared; the catalog still has it. */
static void make_room(void)
{
	for (struct gg_event_entry *e = book.oldest; e && book.count >= GG_EVENTS_MOST; e = e->newer) {
		if (e->state != GG_EVENT_CLEARED)
			continue;
		unlink_entry(e);
		entry_free(e);
		return;
	}
}

static struct gg_event_entry *entry_new(const struct report *rep)
{
	const struct gg_event_report *r = &rep->r;
	const struct gg_signal_info *signal = gg_signal(r->signal);
	struct gg_event_entry *e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	e->id = rep->id;
	e->severity = r->severity;
	e->opened_ns = r->time_ns;
	e->kind = gg_str_dup(gg_str(r->kind));
	e->key = gg_str_dup(r->key);
	e->title = gg_str_dup(r->title);
	e->message = gg_str_dup(r->message);
	e->signal = gg_str_dup(signal ? signal->name : GG_STR(""));
	e->device = gg_str_dup(gg_device_id(signal && r->device == GG_NONE ? signal->device : r->device));
	e->trace = GG_BUF(GG_EVENT_TRACE_MAX);
	if (!e->kind || !e->key || !e->title || !e->message || !e->signal || !e->device) {
		entry_free(e);
		return NULL;
	}
	return e;
}

static void add_step(struct gg_event_entry *e, struct gg_str json)
{
	if (json.len == 0 || e->trace.len + json.len + 1 > e->trace.max)
		return;
	if (e->trace.len)
		gg_buf_char(&e->trace, ',');
	gg_buf_str(&e->trace, json);
}

static void tell(struct gg_event_entry *e, const char *change)
{
	e->told_ns = gg_clock_monotonic(&gg_clock_system);
	e->untold = NULL;
	gg_events_store(e, change);
	for (size_t i = 0; i < book.watcher_count; i++)
		book.watchers[i].fn(book.watchers[i].arg, e, change);
}

static void tell_untold(struct gg_timer *t)
{
	struct gg_event_entry *list = GG_TAKE(book.untold);
	(void)t;
	while (list) {
		struct gg_event_entry *e = list;
		list = e->next_untold;
		tell(e, e->untold);
	}
}

static void changed(struct gg_event_entry *e, const char *change)
{
	if (!e->untold && gg_clock_monotonic(&gg_clock_system) - e->told_ns >= tell_every_ns) {
		tell(e, change);
		return;
	}
	if (!e->untold) {
		e->next_untold = book.untold;
		book.untold = e;
	}
	if (!e->untold || strcmp(change, "traced") != 0)
		e->untold = change;
	if (!book.teller.place)
		gg_timer_start(gg_gateway.control, &book.teller, tell_every_ns, tell_untold);
}

static void rename_alias(struct gg_event_entry *e, uint64_t id)
{
	if (e->alias != e->id)
		gg_map_remove(&book.by_id, id_key(&e->alias));
	e->alias = id;
	gg_map_put_ptr(&book.by_id, id_key(&e->alias), e);
}

/* The catalog knows one open event of a kind and key: the one before has to be told that it is over. */
static void tell_end_of_last(struct gg_str key)
{
	struct gg_event_entry *last = gg_map_get_ptr(&book.by_key, key);
	if (!last || !last->untold)
		return;
	forget_untold(last);
	tell(last, last->untold);
}

static void open_event(const struct report *rep, struct gg_str key)
{
	tell_end_of_last(key);
	make_room();
	struct gg_event_entry *e = book.count < GG_EVENTS_MOST ? entry_new(rep) : NULL;
	if (!e || gg_map_put_ptr(&book.by_key, key, e) < 0) {
		if (e)
			entry_free(e);
		gg_count(book.lost, 1);
		return;
	}
	e->alias = e->id;
	gg_map_put_ptr(&book.by_id, id_key(&e->id), e);
	add_step(e, rep->r.trace_json);
	link_newest(e);
	book.open_by_severity[e->severity]++;
	gg_count(book.opened[e->severity], 1);
	changed(e, "opened");
}

/* What it says now is what people should read. */
static void renew_text(char **text, struct gg_str fresh)
{
	char *copy = fresh.len ? gg_str_dup(fresh) : NULL;
	if (!copy)
		return;
	free(*text);
	*text = copy;
}

static void renew_texts(struct gg_event_entry *e, const struct gg_event_report *r)
{
	renew_text(&e->title, r->title);
	renew_text(&e->message, r->message);
}

static void reopen_event(struct gg_event_entry *e, const struct report *rep)
{
	rename_alias(e, rep->id);
	renew_texts(e, &rep->r);
	e->state = GG_EVENT_OPEN;
	e->cleared_ns = 0;
	e->repeats++;
	book.open_by_severity[e->severity]++;
	add_step(e, rep->r.trace_json);
	changed(e, "opened");
}

static void clear_event(struct gg_event_entry *e, const struct gg_event_report *r)
{
	book.open_by_severity[e->severity]--;
	e->state = GG_EVENT_CLEARED;
	e->cleared_ns = r->time_ns;
	add_step(e, r->trace_json);
	changed(e, "cleared");
}

static void repeat_event(struct gg_event_entry *e, const struct report *rep)
{
	e->repeats++;
	rename_alias(e, rep->id);
	renew_texts(e, &rep->r);
}

static void take_report(void *arg, int64_t number)
{
	struct report *rep = arg;
	char text[600];
	struct gg_str key = open_key(text, sizeof text, rep->r.kind, rep->r.key);
	struct gg_event_entry *e = gg_map_get_ptr(&book.by_key, key);
	bool open = e && e->state != GG_EVENT_CLEARED;
	(void)number;
	if (rep->r.clear && open)
		clear_event(e, &rep->r);
	else if (!rep->r.clear && open)
		repeat_event(e, rep);
	else if (!rep->r.clear && e && rep->r.time_ns - e->cleared_ns < GG_EVENT_CHATTER_NS)
		reopen_event(e, rep);
	else if (!rep->r.clear)
		open_event(rep, key);
	if (rep->r.clear == open) /* a repetition is none to act upon */
		gg_events_tell_rules(&rep->r);
	free(rep);
}

static struct gg_event_entry *find(uint64_t id)
{
	return gg_map_get_ptr(&book.by_id, id_key(&id));
}

static void take_step(void *arg, int64_t number)
{
	struct step *s = arg;
	struct gg_event_entry *e = find(s->event);
	(void)number;
	if (e) {
		add_step(e, gg_str_n(s->json, s->len));
		changed(e, "traced");
	}
	free(s);
}

/* ---- what people do ---- */

int gg_events_acknowledge(uint64_t id, struct gg_str by)
{
	struct gg_event_entry *e = find(id);
	if (!e)
		return -ENOENT;
	if (e->state != GG_EVENT_OPEN)
		return -EALREADY;
	e->state = GG_EVENT_ACKNOWLEDGED;
	e->acknowledged_ns = gg_clock_utc(&gg_clock_system);
	e->acknowledged_by = gg_str_dup(by);
	changed(e, "acknowledged");
	return 0;
}

int gg_events_comment(uint64_t id, struct gg_str by, struct gg_str text)
{
	struct gg_buf step GG_CLEANUP(gg_buf_done) = GG_BUF(8192);
	struct gg_json_writer w = gg_json_writer(&step);
	struct gg_event_entry *e = find(id);
	if (!e)
		return -ENOENT;
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "step", GG_STR("comment"));
	gg_json_put_str(&w, "by", by);
	gg_json_put_str(&w, "text", text);
	gg_json_put_time(&w, "time", gg_clock_utc(&gg_clock_system));
	gg_json_end_object(&w);
	if (step.error)
		return step.error;
	add_step(e, gg_buf_view(&step));
	changed(e, "commented");
	return 0;
}

/* ---- looking ---- */

const struct gg_event_entry *gg_events_newest(void)
{
	return book.newest;
}

const struct gg_event_entry *gg_events_find(uint64_t id)
{
	return find(id);
}

uint64_t gg_events_open_id(const char *kind, struct gg_str key)
{
	char text[600];
	const struct gg_event_entry *e = gg_map_get_ptr(&book.by_key, open_key(text, sizeof text, kind, key));
	return e && e->state != GG_EVENT_CLEARED ? e->id : 0;
}

static const struct gg_site_rule *rule_of(const struct gg_site *site, struct gg_str key)
{
	const struct gg_site_rule *rules = site->rules.items;
	struct gg_str name = gg_str_cut(&key, '/');
	for (size_t i = 0; i < site->rules.count; i++)
		if (rules[i].enabled && gg_str_is(name, rules[i].name))
			return &rules[i];
	return NULL;
}

static bool has_action(const struct gg_site_rule *r, bool clearing, struct gg_str key)
{
	const struct gg_instances *steps = clearing ? &r->clear_actions : &r->actions;
	char text[200];
	for (size_t i = 0; i < steps->count; i++)
		if (gg_str_eq(key, gg_rule_call_key(text, sizeof text, gg_str(r->name), clearing, (unsigned)i,
					   steps->items[i].component->name)))
			return true;
	return false;
}

/* An event of a rule, or of one of its actions, that nobody is left to clear. */
static bool is_orphan(const struct gg_site *site, const struct gg_event_entry *e)
{
	const struct gg_site_rule *r = rule_of(site, gg_str(e->key));
	if (e->state == GG_EVENT_CLEARED)
		return false;
	if (strcmp(e->kind, "rule") == 0)
		return !r;
	return strcmp(e->kind, "action-failed") == 0 &&
	       (!r || (!has_action(r, false, gg_str(e->key)) && !has_action(r, true, gg_str(e->key))));
}

void gg_events_clear_gone_rules(const struct gg_site *site)
{
	for (const struct gg_event_entry *e = book.newest; e; e = e->older)
		if (is_orphan(site, e))
			gg_event(&(struct gg_event_report){.kind = e->kind,
				.key = gg_str(e->key),
				.severity = e->severity,
				.clear = true,
				.title = gg_str(e->title),
				.device = GG_NONE,
				.signal = GG_NONE,
				.trace_json = GG_STR("{\"cleared\":true,\"reason\":\"the rule, or its "
						     "action, is no more\"}")});
}

size_t gg_events_open_count(enum gg_severity at_least)
{
	size_t n = 0;
	for (size_t i = at_least; i < GG_COUNT(book.open_by_severity); i++)
		n += book.open_by_severity[i];
	return n;
}

int gg_events_watch(gg_event_watcher *fn, void *arg)
{
	if (book.watcher_count == WATCHERS)
		return -EDQUOT;
	book.watchers[book.watcher_count].fn = fn;
	book.watchers[book.watcher_count++].arg = arg;
	return 0;
}

static void put_time(struct gg_json_writer *w, const char *key, int64_t ns)
{
	if (ns)
		gg_json_put_time(w, key, ns);
}

void gg_event_json_brief(const struct gg_event_entry *e, struct gg_json_writer *w)
{
	gg_json_put_int(w, "id", (int64_t)e->id);
	gg_json_put_str(w, "kind", gg_str(e->kind));
	gg_json_put_str(w, "key", gg_str(e->key));
	gg_json_put_str(w, "severity", gg_str(gg_severity_name(e->severity)));
	gg_json_put_str(w, "state", gg_str(gg_event_state_name(e->state)));
	gg_json_put_str(w, "title", gg_str(e->title));
	if (e->message[0])
		gg_json_put_str(w, "message", gg_str(e->message));
	if (e->device[0])
		gg_json_put_str(w, "device", gg_str(e->device));
	if (e->signal[0])
		gg_json_put_str(w, "signal", gg_str(e->signal));
	put_time(w, "opened", e->opened_ns);
	put_time(w, "acknowledged", e->acknowledged_ns);
	put_time(w, "cleared", e->cleared_ns);
	if (e->acknowledged_by)
		gg_json_put_str(w, "acknowledged_by", gg_str(e->acknowledged_by));
	if (e->repeats)
		gg_json_put_int(w, "repeats", (int64_t)e->repeats);
}

void gg_event_json(const struct gg_event_entry *e, struct gg_json_writer *w)
{
	gg_json_begin_object(w);
	gg_event_json_brief(e, w);
	gg_json_key(w, GG_STR("trace"));
	gg_json_begin_array(w);
	if (e->trace.len)
		gg_json_raw(w, gg_buf_view(&e->trace));
	gg_json_end_array(w);
	gg_json_end_object(w);
}

/* ---- start and stop ---- */

/* An event of the run before, from the catalog: oldest first. */
static void take_stored(void *arg, struct gg_event_entry *e)
{
	char text[600];
	(void)arg;
	link_newest(e);
	e->alias = e->id;
	gg_map_put_ptr(&book.by_id, id_key(&e->id), e);
	gg_map_put_ptr(&book.by_key, open_key(text, sizeof text, e->kind, gg_str(e->key)), e);
	if (e->id > atomic_load(&book.last_id))
		atomic_store(&book.last_id, e->id);
	if (e->state == GG_EVENT_CLEARED)
		return;
	book.open_by_severity[e->severity]++;
	if (strcmp(e->kind, "action-failed") == 0)
		gg_rule_call_failed_before(gg_str(e->key));
	if (strcmp(e->kind, "signals-limit") == 0)
		gg_gateway_was_limited(gg_str(e->key));
}

int gg_events_start(void)
{
	char label[40];
	for (size_t i = 0; i < GG_COUNT(severities); i++) {
		snprintf(label, sizeof label, "severity=\"%s\"", severities[i]);
		book.opened[i] = gg_metric_counter("events_opened_total", label, "Events opened");
	}
	book.lost = gg_metric_counter("events_lost_total", NULL, "Events that could not be taken");
	return gg_events_load(take_stored, NULL);
}

void gg_events_stop(void)
{
	gg_timer_stop(&book.teller);
	tell_untold(&book.teller);
	while (book.newest) {
		struct gg_event_entry *e = book.newest;
		unlink_entry(e);
		entry_free(e);
	}
	gg_map_done(&book.by_key);
	gg_map_done(&book.by_id);
	book.watcher_count = 0;
	memset(book.open_by_severity, 0, sizeof book.open_by_severity);
}
