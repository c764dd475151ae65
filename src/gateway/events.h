/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book of events. Anybody reports (gg_event()); the control thread keeps the book: one open event per
 * kind and key, its state (open, acknowledged, cleared), its trace; each change goes to the catalog, into the
 * journal (so that uplinks tell it), to rules that listen to events, and to whoever watches live. Bounded:
 * GG_EVENTS_MOST in memory, of which open ones are never the first to go; the catalog holds the others.
 * Thread: control, unless said.
 */
#ifndef GG_GATEWAY_EVENTS_H
#define GG_GATEWAY_EVENTS_H

#include "base/json.h"
#include "ganglion/host.h"
#include "store/catalog.h"

enum { GG_EVENTS_MOST = 20000, GG_EVENT_TRACE_MAX = 64 << 10 };

/* An event that is reported again so soon after its end is the same one, chattering. */
#define GG_EVENT_CHATTER_NS (10 * GG_NS_PER_S)

struct gg_event_entry {
	uint64_t id; /* microseconds since 1970 when it was reported, made unique: grows, and fits a double */
	char *kind, *key, *title, *message, *device,
		*signal; /* "" when there is none; device, signal: names */
	enum gg_severity severity;
	enum gg_event_state state;
	int64_t opened_ns, acknowledged_ns, cleared_ns; /* 0: not */
	char *acknowledged_by, *comment;                /* NULL: none */
	uint64_t repeats;                               /* reported again while open, or soon after its end */
	struct gg_buf trace;                            /* steps: JSON objects with commas between */
	uint64_t alias;                                 /* the id of its latest report */
	int64_t told_ns;                                /* monotonic: stored and told last */
	const char *untold;                             /* the latest change that was not; NULL = none */
	struct gg_event_entry *next_untold, *previous_untold;
	struct gg_event_entry *cleared_before, *cleared_after; /* of those that are cleared */
	struct gg_event_entry *older, *newer;
};

struct gg_site;

typedef void gg_event_watcher(void *arg, const struct gg_event_entry *e, const char *change);

int gg_events_start(void);
void gg_events_stop(void);
/* Told of each change: "opened", "acknowledged", "cleared", "traced", "commented". At most 8. */
int gg_events_watch(gg_event_watcher *fn, void *arg);
/* The newest; walk with ->older. */
const struct gg_event_entry *gg_events_newest(void);
const struct gg_event_entry *gg_events_find(uint64_t id);
/* All events with a higher id are in memory; others may be in the catalog only. */
uint64_t gg_events_whole_above(void);
/* Forgets those that were cleared before then, and the first cleared while there are more than most. */
void gg_events_forget(int64_t before_ns, uint64_t most);
/* The one of that kind and key that is not cleared; 0: none. */
uint64_t gg_events_open_id(const char *kind, struct gg_str key);
/* Clears the events of rules, and of their actions, that are no more. */
void gg_events_clear_gone_rules(const struct gg_site *site);
size_t gg_events_open_count(enum gg_severity at_least);
/* Errors: -ENOENT, -EALREADY it is acknowledged or cleared. */
int gg_events_acknowledge(uint64_t id, struct gg_str by);
int gg_events_comment(uint64_t id, struct gg_str by, struct gg_str text);
const char *gg_event_state_name(enum gg_event_state s);
const char *gg_severity_name(enum gg_severity s);
/* Its members without the trace, into an object that is open. */
void gg_event_json_brief(const struct gg_event_entry *e, struct gg_json_writer *w);
/* The whole event as an object. */
void gg_event_json(const struct gg_event_entry *e, struct gg_json_writer *w);

/* ---- those of the catalog (events_store.c). Thread: any ---- */

struct gg_event_list {
	struct gg_event_entry **items;
	size_t count, cap;
	bool failed;
};

/* Newest first. *ret_list is for gg_event_list_done(). */
int gg_events_stored(const struct gg_event_filter *f, struct gg_event_list *ret_list);
void gg_event_list_done(struct gg_event_list *l);
/* -ENOENT; *ret_entry is for gg_event_entry_free(). */
int gg_events_stored_one(uint64_t id, struct gg_event_entry **ret_entry);
void gg_event_entry_free(struct gg_event_entry *e);

/* ---- what is old (events_old.c). Thread: control ---- */

/* Forgets in the background what the configuration says is old, now and then. */
void gg_events_old_start(void);
void gg_events_old_stop(void);

/* ---- devices' health (health.c). Thread: any ---- */

struct gg_health {
	bool known, healthy;
	int64_t since_ns; /* UTC */
	char reason[160];
};

/* True when it changed from what was known; a first "healthy" is no change. */
bool gg_health_set(uint32_t device, bool healthy, const char *reason);
struct gg_health gg_health_get(uint32_t device);

/* What a device says of itself (gg_host_device_property()). Thread: any. */
struct gg_property {
	char name[32], value[256];
};
/* The i-th of a device; false: there are fewer. */
bool gg_property_get(uint32_t device, uint32_t i, struct gg_property *ret_property);

#endif
