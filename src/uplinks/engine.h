/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine of all uplinks: everything about sending north that does not depend on the peer's protocol.
 *
 *   journal thread ── gg_uplinks_follow() ──▶ feed: bounded ──▶ north loop
 *                                                                 │ at the head: batches from memory
 *   journal on disk ◀── reader, when behind ──────────────────────┤
 *                                                                 ▼
 *            select ▸ encode into open parcels, one a device ▸ close the round ▸ queue ▸ component.send()
 *                                                                 ▲                          │
 *            cursor: start of the oldest round not yet acknowledged ◀──── gg_uplink_done() ──┘
 *
 * A round is a stretch of the journal whose samples are collected together: it ends when a record was
 * received more than `linger` after its first, when an event comes, or when it holds too many devices; that
 * depends on the journal alone, so after a restart the same rounds are made of it, with the same parcels and
 * ids. The cursor moves from round to round. docs/internals/uplinks.md tells the whole story.
 *
 * Thread: the north loop, unless said.
 */
#ifndef GG_UPLINKS_ENGINE_H
#define GG_UPLINKS_ENGINE_H

#include "core/site.h"
#include "ganglion/uplink.h"
#include "store/journal.h"

struct gg_uplinks;       /* all uplinks and what feeds them */
struct gg_uplink_engine; /* one uplink */

/* Where records come from: the journal, or a test's. reader calls are as those of journal.h. */
struct gg_uplink_source {
	void *arg;
	uint64_t (*begin)(void *arg);
	uint64_t (*end)(void *arg);
	int (*open)(void *arg, uint64_t position, void **ret_reader);
	int (*next)(void *reader, struct gg_record *ret_record);
	uint64_t (*position)(void *reader);
	void (*close)(void *reader);
	/* Nothing at or behind position may be deleted. */
	void (*pin)(void *arg, const char *name, uint64_t position);
};

struct gg_uplink_source gg_uplink_journal(struct gg_journal *j);

/* Where cursors are kept over restarts. save() is called at most once a second per uplink, and at the end. */
struct gg_uplink_memory {
	void *arg;
	/* Errors: -ENOENT there is none. */
	int (*load)(void *arg, const char *uplink, uint64_t *ret_position);
	void (*save)(void *arg, const char *uplink, uint64_t position);
};

/* NULL when out of memory. Before the journal starts, so that no record is missed. */
struct gg_uplinks *gg_uplinks_new(
	struct gg_loop *loop, const struct gg_uplink_source *source, const struct gg_uplink_memory *memory);
/* After its uplinks have been removed and the journal has ended. Accepts NULL. */
void gg_uplinks_free(struct gg_uplinks *all);
/* A gg_journal_follower; arg is the struct gg_uplinks. Thread: the journal's. */
void gg_uplinks_follow(void *arg, const struct gg_record *r);

/* The name under which an uplink's cursor pins the journal. Thread: any. */
void gg_uplink_pin_name(const char *uplink, char *to, size_t size);

struct gg_uplink_setup {
	struct gg_host *host; /* of the instance; its name is the uplink's */
	const struct gg_component *component;
	void *self;                             /* the instance, started */
	const struct gg_uplink_common *common;  /* copied, its strings borrowed until change or remove */
	int64_t backoff_min_ns, backoff_max_ns; /* 0 = 1 s, 1 min */
};

/* Takes the uplink to work, from its kept cursor or else from now on. Errors: -ENOMEM. */
int gg_uplink_add(struct gg_uplinks *all, const struct gg_uplink_setup *setup,
	struct gg_uplink_engine **ret_engine, struct gg_error *e);
/* New options: send, exclude, rate, linger. */
void gg_uplink_change(struct gg_uplink_engine *u, const struct gg_uplink_common *common);
/* Keeps the cursor and frees; before the component's close(). Accepts NULL. */
void gg_uplink_remove(struct gg_uplink_engine *u);

struct gg_uplink_state {
	bool ready;
	char reason[160]; /* why not */
	int64_t since_ns; /* UTC of the last change of ready */
	uint64_t cursor;
	uint64_t backlog_bytes;           /* of the journal */
	int64_t backlog_age_ns;           /* of the oldest that has not been acknowledged */
	uint64_t parcels, samples, bytes; /* acknowledged; bytes as sent */
	uint64_t local_samples;           /* looked at and left here */
	uint64_t retries, dropped, reconnects;
	unsigned under_way;
};

/* Thread: any, while the uplink is there. */
void gg_uplink_get_state(struct gg_uplink_engine *u, struct gg_uplink_state *ret_state);

#endif
