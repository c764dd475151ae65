/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/events.h"
#include "base/log.h"
#include "base/map.h"
#include "core/loop.h"
#include "core/site.h"
#include "gateway/events_store.h"
#include "gateway/gateway.h"
#include "gateway/reports.h"
#include "pipeline/rule_call.h"

enum { WATCHERS = 8 };

static struct {
	struct gg_map by_key;                        /* "kind\x1fkey" -> its latest entry, open or not */
	struct gg_map by_id;                         /* 8 bytes: id, and the latest alias */
	struct gg_event_entry *untold, *untold_last; /* who has waited longest first */
	struct gg_timer teller;
	struct gg_event_entry *newest, *oldest;
	struct gg_event_entry *cleared, *cleared_last; /* who was cleared first goes first */
	size_t count, open_by_severity[3];
	uint64_t whole_above; /* all events with a higher id are in memory */
	struct {
		gg_event_watcher *fn;
		void *arg;
	} watchers[WATCHERS];
	size_t watcher_count;
	struct gg_counter *opened[3];
} book;

static const int64_t tell_every_ns = GG_NS_PER_S, telling_ns = 5 * GG_NS_PER_MS;

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

/* ---- the book ---- */

void gg_event_entry_free(struct gg_event_entry *e)
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

/* ---- who waits to be told, and who may go: lists through the entries ---- */

static void put_untold(struct gg_event_entry *e)
{
	e->previous_untold = book.untold_last;
	e->next_untold = NULL;
	*(book.untold_last ? &book.untold_last->next_untold : &book.untold) = e;
	book.untold_last = e;
}

static void forget_untold(struct gg_event_entry *e)
{
	if (!e->untold)
		return;
	*(e->previous_untold ? &e->previous_untold->next_untold : &book.untold) = e->next_untold;
	*(e->next_untold ? &e->next_untold->previous_untold : &book.untold_last) = e->previous_untold;
	e->untold = NULL;
}

static void put_cleared(struct gg_event_entry *e)
{
	e->cleared_before = book.cleared_last;
	e->cleared_after = NULL;
	*(book.cleared_last ? &book.cleared_last->cleared_after : &book.cleared) = e;
	book.cleared_last = e;
}

static void take_from_cleared(struct gg_event_entry *e)
{
	*(e->cleared_before ? &e->cleared_before->cleared_after : &book.cleared) = e->cleared_after;
	*(e->cleared_after ? &e->cleared_after->cleared_before : &book.cleared_last) = e->cleared_before;
}

static struct gg_str key_of(const struct gg_event_entry *e, char *to, size_t size)
{
	return gg_report_key(to, size, e->kind, gg_str(e->key));
}

static void is_open_now(struct gg_event_entry *e)
{
	char text[GG_REPORT_KEY];
	book.open_by_severity[e->severity]++;
	gg_reports_opened(key_of(e, text, sizeof text));
}

static void is_cleared_now(struct gg_event_entry *e)
{
	char text[GG_REPORT_KEY];
	book.open_by_severity[e->severity]--;
	put_cleared(e);
	gg_reports_cleared(key_of(e, text, sizeof text));
}

static void unlink_entry(struct gg_event_entry *e)
{
	char text[GG_REPORT_KEY];
	struct gg_str key = key_of(e, text, sizeof text);
	if (gg_map_get_ptr(&book.by_key, key) == e)
		gg_map_remove(&book.by_key, key);
	gg_map_remove(&book.by_id, id_key(&e->id));
	gg_map_remove(&book.by_id, id_key(&e->alias));
	forget_untold(e);
	if (e->state == GG_EVENT_CLEARED)
		take_from_cleared(e);
	*(e->newer ? &e->newer->older : &book.newest) = e->older;
	*(e->older ? &e->older->newer : &book.oldest) = e->newer;
	book.count--;
}

static struct gg_event_entry *entry_new(const struct gg_report *rep)
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
		gg_event_entry_free(e);
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
	forget_untold(e);
	e->told_ns = gg_clock_monotonic(&gg_clock_system);
	gg_events_store(e, change);
	for (size_t i = 0; i < book.watcher_count; i++)
		book.watchers[i].fn(book.watchers[i].arg, e, change);
}

static void tell_at_last(struct gg_event_entry *e)
{
	if (e && e->untold)
		tell(e, e->untold);
}

static void tell_until(int64_t until_ns)
{
	gg_events_store_turn(true);
	while (book.untold && gg_clock_monotonic(&gg_clock_system) < until_ns)
		tell_at_last(book.untold);
	gg_events_store_turn(false);
}

/* A part at a time: others want to be served in between. */
static void tell_untold(struct gg_timer *t)
{
	tell_until(gg_clock_monotonic(&gg_clock_system) + telling_ns);
	if (book.untold)
		gg_timer_start(gg_gateway.control, t, 0, tell_untold);
}

static void changed(struct gg_event_entry *e, const char *change)
{
	if (!e->untold && gg_clock_monotonic(&gg_clock_system) - e->told_ns >= tell_every_ns) {
		tell(e, change);
		return;
	}
	if (!e->untold)
		put_untold(e);
	if (!e->untold || strcmp(change, "traced") != 0)
		e->untold = change;
	if (!book.teller.place)
		gg_timer_start(gg_gateway.control, &book.teller, tell_every_ns, tell_untold);
}

static void forget(struct gg_event_entry *e)
{
	if (e->id > book.whole_above)
		book.whole_above = e->id;
	unlink_entry(e);
	gg_event_entry_free(e);
}

/* Makes room by forgetting who was cleared first; the catalog still has it, as it is now. */
static void make_room(void)
{
	struct gg_event_entry *e = book.cleared;
	if (!e || book.count < GG_EVENTS_MOST)
		return;
	tell_at_last(e);
	forget(e);
}

static void rename_alias(struct gg_event_entry *e, uint64_t id)
{
	if (e->alias != e->id)
		gg_map_remove(&book.by_id, id_key(&e->alias));
	e->alias = id;
	gg_map_put_ptr(&book.by_id, id_key(&e->alias), e);
}

static void open_event(const struct gg_report *rep, struct gg_str key)
{
	/* The catalog knows one open event of a kind and key: that the one before is over has to be told. */
	tell_at_last(gg_map_get_ptr(&book.by_key, key));
	make_room();
	bool room = book.count < GG_EVENTS_MOST;
	struct gg_event_entry *e = room ? entry_new(rep) : NULL;
	if (!e || gg_map_put_ptr(&book.by_key, key, e) < 0) {
		if (e)
			gg_event_entry_free(e);
		gg_reports_lost(room ? "memory" : "book", &rep->r);
		return;
	}
	e->alias = e->id;
	e->repeats = rep->more;
	gg_map_put_ptr(&book.by_id, id_key(&e->id), e);
	add_step(e, rep->r.trace_json);
	link_newest(e);
	is_open_now(e);
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

static void reopen_event(struct gg_event_entry *e, const struct gg_report *rep)
{
	rename_alias(e, rep->id);
	renew_texts(e, &rep->r);
	e->state = GG_EVENT_OPEN;
	e->cleared_ns = 0;
	e->repeats += 1 + rep->more;
	take_from_cleared(e);
	is_open_now(e);
	add_step(e, rep->r.trace_json);
	changed(e, "opened");
}

static void clear_event(struct gg_event_entry *e, const struct gg_event_report *r)
{
	is_cleared_now(e);
	e->state = GG_EVENT_CLEARED;
	e->cleared_ns = r->time_ns;
	add_step(e, r->trace_json);
	changed(e, "cleared");
}

static void repeat_event(struct gg_event_entry *e, const struct gg_report *rep)
{
	e->repeats += 1 + rep->more;
	rename_alias(e, rep->id);
	renew_texts(e, &rep->r);
}

void gg_book_take(const struct gg_report *rep)
{
	char text[GG_REPORT_KEY];
	struct gg_str key = gg_report_key(text, sizeof text, rep->r.kind, rep->r.key);
	struct gg_event_entry *e = gg_map_get_ptr(&book.by_key, key);
	bool open = e && e->state != GG_EVENT_CLEARED;
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
}

static struct gg_event_entry *find(uint64_t id)
{
	return gg_map_get_ptr(&book.by_id, id_key(&id));
}

void gg_book_step(uint64_t event, struct gg_str json)
{
	struct gg_event_entry *e = find(event);
	if (!e)
		return;
	add_step(e, json);
	changed(e, "traced");
}

void gg_book_turn(bool begins)
{
	gg_events_store_turn(begins);
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

static int put_comment(struct gg_buf *to, struct gg_str by, struct gg_str text)
{
	struct gg_json_writer w = gg_json_writer(to);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "step", GG_STR("comment"));
	gg_json_put_str(&w, "by", by);
	gg_json_put_str(&w, "text", text);
	gg_json_put_time(&w, "time", gg_clock_utc(&gg_clock_system));
	gg_json_end_object(&w);
	return to->error;
}

/* Of an event that is no longer in memory. */
static int comment_stored(uint64_t id, struct gg_str step)
{
	struct gg_event_entry *e;
	int rc = gg_events_stored_one(id, &e);
	if (rc < 0)
		return rc;
	add_step(e, step);
	gg_events_store(e, "commented");
	gg_event_entry_free(e);
	return 0;
}

int gg_events_comment(uint64_t id, struct gg_str by, struct gg_str text)
{
	struct gg_buf step GG_CLEANUP(gg_buf_done) = GG_BUF(8192);
	struct gg_event_entry *e = find(id);
	int rc = put_comment(&step, by, text);
	if (rc < 0)
		return rc;
	if (!e)
		return comment_stored(id, gg_buf_view(&step));
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
	char text[GG_REPORT_KEY];
	const struct gg_event_entry *e =
		gg_map_get_ptr(&book.by_key, gg_report_key(text, sizeof text, kind, key));
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

/* ---- start and stop ---- */

/* An event of the run before, from the catalog: oldest first. */
static void take_stored(void *arg, struct gg_event_entry *e)
{
	char text[GG_REPORT_KEY];
	(void)arg;
	link_newest(e);
	e->alias = e->id;
	gg_map_put_ptr(&book.by_id, id_key(&e->id), e);
	gg_map_put_ptr(&book.by_key, key_of(e, text, sizeof text), e);
	gg_reports_after(e->id);
	if (e->state == GG_EVENT_CLEARED)
		put_cleared(e);
	if (e->state == GG_EVENT_CLEARED)
		return;
	is_open_now(e);
	if (strcmp(e->kind, "action-failed") == 0)
		gg_rule_call_failed_before(gg_str(e->key));
	if (strcmp(e->kind, "signals-limit") == 0)
		gg_gateway_was_limited(gg_str(e->key));
}

uint64_t gg_events_whole_above(void)
{
	return book.whole_above;
}

void gg_events_forget(int64_t before_ns, uint64_t before_id, uint64_t most)
{
	for (const struct gg_event_entry *e; (e = book.cleared); forget(book.cleared))
		if (book.count <= most && (e->cleared_ns >= before_ns || e->id >= before_id))
			return;
}

int gg_events_start(void)
{
	char label[40];
	for (size_t i = 0; i < GG_COUNT(severities); i++) {
		snprintf(label, sizeof label, "severity=\"%s\"", severities[i]);
		book.opened[i] = gg_metric_counter("events_opened_total", label, "Events opened");
	}
	int rc = gg_events_load(take_stored, NULL, &book.whole_above);
	if (rc == 0)
		gg_reports_start();
	return rc;
}

void gg_events_stop(void)
{
	gg_reports_stop();
	gg_timer_stop(&book.teller);
	tell_until(INT64_MAX);
	while (book.newest) {
		struct gg_event_entry *e = book.newest;
		unlink_entry(e);
		gg_event_entry_free(e);
	}
	gg_map_done(&book.by_key);
	gg_map_done(&book.by_id);
	book.watcher_count = 0;
	book.whole_above = 0;
	memset(book.open_by_severity, 0, sizeof book.open_by_severity);
}
