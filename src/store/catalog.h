/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog: what the gateway has to remember beside samples, in one SQLite file: devices and their
 * credentials, events, cursors, tokens, revisions of the configuration. Each change is a transaction, synced
 * when the call returns.
 *
 * Thread: any, one at a time inside (a mutex); calls wait for the disk, so loops that must not block post
 * them to the control thread or to a worker. Views passed to each() are valid during the call only; each()
 * must not call the catalog. Errors, for all: -EIO, -ENOSPC, -ENOMEM, and what is said.
 */
#ifndef GG_CATALOG_H
#define GG_CATALOG_H

#include "base/error.h"
#include "ganglion/host.h"

struct gg_catalog;

int gg_catalog_open(const char *path, struct gg_catalog **ret_catalog, struct gg_error *e);
void gg_catalog_close(struct gg_catalog *c); /* accepts NULL */
const char *gg_catalog_path(const struct gg_catalog *c);

/* What this thread changes from here to the end is one transaction, synced once; others wait. Errors of the
 * end: nothing of it was kept. */
void gg_catalog_together(struct gg_catalog *c);
int gg_catalog_together_end(struct gg_catalog *c);

/* ---- devices ---- */

struct gg_device_row {
	struct gg_str id, title, labels_json;
	struct gg_str credential_kind; /* "none", "password", "token", "certificate"; the owner's words */
	struct gg_str credential;      /* a hash or a fingerprint, never the secret itself */
	int64_t created_ns, last_seen_ns;
	bool enabled;
};

/* Inserts or replaces all but created_ns, which stays what it was. */
int gg_catalog_put_device(struct gg_catalog *c, const struct gg_device_row *d);
/* -ENOENT */
int gg_catalog_get_device(struct gg_catalog *c, struct gg_str id,
	void (*each)(void *arg, const struct gg_device_row *d), void *arg);
/* By id, those behind `after` (empty = from the first), at most limit. */
int gg_catalog_devices(struct gg_catalog *c, struct gg_str after, size_t limit,
	void (*each)(void *arg, const struct gg_device_row *d), void *arg);
int gg_catalog_remove_device(struct gg_catalog *c, struct gg_str id);                /* -ENOENT */
int gg_catalog_seen_device(struct gg_catalog *c, struct gg_str id, int64_t time_ns); /* -ENOENT */

/* ---- events ---- */

enum gg_event_state { GG_EVENT_OPEN, GG_EVENT_ACKNOWLEDGED, GG_EVENT_CLEARED };

struct gg_event_row {
	uint64_t id;
	struct gg_str kind, key, title, message, device, signal, trace_json, acknowledged_by;
	enum gg_severity severity;
	enum gg_event_state state;
	uint64_t count;                                             /* how often it was reported while open */
	int64_t opened_ns, updated_ns, acknowledged_ns, cleared_ns; /* 0 = not */
};

/*
 * Reports: opens an event, or counts one more on that of the same kind and key which is not cleared (with the
 * higher severity of both, and the newer title and trace). clear: clears it. id 0 in e = given by the
 * catalog; an id that is given must be new. *ret_opened: a new one was made. -ENOENT nothing to clear.
 */
int gg_catalog_report(
	struct gg_catalog *c, const struct gg_event_row *e, bool clear, uint64_t *ret_id, bool *ret_opened);
/* Writes an event as it stands, by its id: for who keeps the book of events itself. -EEXIST another event of
 * that kind and key is not cleared. */
int gg_catalog_put_event(struct gg_catalog *c, const struct gg_event_row *e);
/* -ENOENT no such event, -ESTALE it is cleared. */
int gg_catalog_acknowledge(struct gg_catalog *c, uint64_t id, struct gg_str by, int64_t time_ns);
int gg_catalog_comment(
	struct gg_catalog *c, uint64_t id, struct gg_str by, struct gg_str text, int64_t time_ns);
/* Puts the trace in place of what it was. -ENOENT */
int gg_catalog_set_trace(struct gg_catalog *c, uint64_t id, struct gg_str trace_json);

struct gg_event_filter {
	uint64_t before_id;                 /* only ids below; 0 = all */
	int state;                          /* enum gg_event_state, -1 = any, -2 = not cleared */
	int least_severity;                 /* enum gg_severity */
	struct gg_str kind, device, signal; /* empty = any */
	int64_t from_ns, to_ns;             /* opened in [from, to); 0 = open end */
	size_t limit;                       /* 0 = 100 */
	bool brief;                         /* without traces: trace_json is "" */
};

/* Newest first. */
int gg_catalog_events(struct gg_catalog *c, const struct gg_event_filter *f,
	void (*each)(void *arg, const struct gg_event_row *e), void *arg);
/* -ENOENT */
int gg_catalog_event(
	struct gg_catalog *c, uint64_t id, void (*each)(void *arg, const struct gg_event_row *e), void *arg);
int gg_catalog_comments(struct gg_catalog *c, uint64_t id,
	void (*each)(void *arg, int64_t time_ns, struct gg_str by, struct gg_str text), void *arg);
/* Removes at most at_once cleared events: those that were over before, and the oldest when there are more
 * than most. What is not cleared stays, and counts. Adds their number to *ret_count, which may be NULL: as
 * long as it grows, there may be more to remove. */
int gg_catalog_forget_events(
	struct gg_catalog *c, int64_t before_ns, uint64_t most, size_t at_once, uint64_t *ret_count);
/* How many there are. */
int gg_catalog_count_events(struct gg_catalog *c, uint64_t *ret_count);
/* The highest id ever given. */
uint64_t gg_catalog_last_event(struct gg_catalog *c);

/* ---- cursors ---- */

/* -ENOENT */
int gg_catalog_get_cursor(struct gg_catalog *c, struct gg_str name, uint64_t *ret_position);
int gg_catalog_put_cursor(struct gg_catalog *c, struct gg_str name, uint64_t position);
int gg_catalog_remove_cursor(struct gg_catalog *c, struct gg_str name);
/* The highest of all: for gg_journal_options.min_position. 0 when there is none. */
uint64_t gg_catalog_highest_cursor(struct gg_catalog *c);

/* ---- tokens (API keys) ---- */

struct gg_token_row {
	struct gg_str id, title, hash, role;
	int64_t created_ns, expires_ns, last_used_ns; /* 0 = never */
};

int gg_catalog_put_token(struct gg_catalog *c, const struct gg_token_row *t); /* -EEXIST */
int gg_catalog_get_token(struct gg_catalog *c, struct gg_str id,
	void (*each)(void *arg, const struct gg_token_row *t), void *arg); /* -ENOENT */
int gg_catalog_tokens(struct gg_catalog *c, void (*each)(void *arg, const struct gg_token_row *t), void *arg);
int gg_catalog_remove_token(struct gg_catalog *c, struct gg_str id);                /* -ENOENT */
int gg_catalog_used_token(struct gg_catalog *c, struct gg_str id, int64_t time_ns); /* -ENOENT */

/* ---- revisions of the configuration ---- */

struct gg_revision_row {
	uint64_t number;
	int64_t created_ns;
	struct gg_str author, comment, text;
};

int gg_catalog_add_revision(struct gg_catalog *c, const struct gg_revision_row *r, uint64_t *ret_number);
/* Newest first, at most limit; number 0 = all, else that one alone. */
int gg_catalog_revisions(struct gg_catalog *c, uint64_t number, size_t limit,
	void (*each)(void *arg, const struct gg_revision_row *r), void *arg);

/* ---- anything else: a key and a value ---- */

/* Copies into to (ended by NUL). Errors: -ENOENT, -E2BIG. */
int gg_catalog_get_meta(struct gg_catalog *c, const char *key, char *to, size_t size);
int gg_catalog_put_meta(struct gg_catalog *c, const char *key, struct gg_str value);

#endif
