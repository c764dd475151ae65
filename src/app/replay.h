/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded history once more, through a configuration that need not be live: what would it have done?
 *
 *   journal ── INPUT, TICK ──▶ shards (recovering, dry) ── derived ──┐
 *      │                              └── events ──┐                 ▼
 *      ├── DERIVED ──────────────────────────────────────────────▶ replay_diff.c: signal by signal
 *      └── EVENT ───────────────────────────────────▶ replay_book.c: event by event
 *
 * The state at the beginning comes from the last checkpoint before it, so with the configuration that was in
 * force nothing differs. Nothing is written, no action runs; it works beside a gateway at work, whose journal
 * it only reads. docs/internals/replay.md tells what can't be compared. Thread: main.
 */
#ifndef GG_APP_REPLAY_H
#define GG_APP_REPLAY_H

#include "app/client.h"
#include "base/map.h"
#include "core/config.h"
#include "ganglion/host.h"

enum { GG_REPLAY_EVENTS = 100000, GG_REPLAY_QUEUE = 8192 };

enum gg_side { GG_HAPPENED, GG_REPLAYED };

/* ---- derived signals (replay_diff.c) ---- */

struct gg_diff_row {
	int64_t time_ns;
	uint64_t bits; /* of the value; of a text its hash */
	double number; /* NaN: none */
	uint16_t aux;
	uint8_t type, quality;
};

struct gg_diff_queue {
	struct gg_diff_row *rows; /* a ring */
	uint32_t first, count, cap;
};

struct gg_diff_signal {
	struct gg_str name; /* of the signal table */
	struct gg_diff_queue queue[2];
	uint64_t total[2], only[2], same, changed;
	bool differs;
	int64_t first_ns;  /* of the first difference */
	double was, would; /* its values; NaN: none */
};

struct gg_diff {
	struct gg_diff_signal *signals; /* by index of the signal table */
	uint32_t count;
	int error;
};

void gg_diff_add(struct gg_diff *d, enum gg_side side, const struct gg_batch *b);
/* What still waits for its like has none. */
void gg_diff_finish(struct gg_diff *d);
void gg_diff_done(struct gg_diff *d);

/* ---- events (replay_book.c) ---- */

struct gg_book_event {
	char *kind, *key, *title;
	uint64_t id; /* of what happened */
	enum gg_severity severity;
	int64_t opened_ns, cleared_ns; /* cleared 0: not, in the range */
	bool outside;                  /* opened before the range or behind it: known, not compared */
	bool unsettled;                /* it changed as the range ended: when it cleared is not compared */
	struct gg_book_event *like;    /* the other side's */
};

struct gg_book_side {
	struct gg_book_event *events; /* in the order opened */
	size_t count, cap;
	struct gg_map by_key; /* "kind\x1fkey" -> index + 1 of the newest */
	struct gg_map by_id;  /* of what happened */
};

struct gg_book {
	struct gg_book_side sides[2];
	struct gg_map facts; /* events of no rule or stage that are open, by key */
	int64_t from_ns, to_ns;
	int64_t warm_ns; /* what was opened until then is in the state the replay began with */
	int error;
};

/* A recorded event's JSON, read when the inputs had come to now_ns; INT64_MIN: before the replay's beginning,
 * when it only says what was. ret_report (may be NULL) is what rules are to be told of an event that no
 * pipeline or rule made; returns true when there is one. Its strings live until the next call. */
bool gg_book_record(
	struct gg_book *b, struct gg_str json, int64_t now_ns, struct gg_event_report *ret_report);
/* What a stage or a rule reports in the replay, at now_ns when it says no time. */
void gg_book_report(struct gg_book *b, const struct gg_event_report *r, int64_t now_ns);
/* Finds each event's like: same kind and key, opened at the same time. */
void gg_book_match(struct gg_book *b);
void gg_book_done(struct gg_book *b);

/* ---- the run (replay.c) ---- */

struct gg_replay {
	const struct gg_args *args;
	struct gg_config *config; /* taken over by the run's shards; freed at the end of the process */
	const uint8_t *root;      /* key of the data folder, or NULL */
	const char *journal_dir;
	int64_t from_ns, to_ns; /* INT64_MIN: as far back as it goes */
	uint64_t inputs, samples, ticks, unread_bytes;
	int64_t seen_ns; /* how far the inputs have come */
	bool cold;       /* no state is known at the beginning: it began as new */
	double seconds;
	struct gg_diff diff;
	struct gg_book book;
};

/* Errors: negative errno, with a text. */
int gg_replay_run(struct gg_replay *r, struct gg_error *e);

#endif
