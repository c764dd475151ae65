/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports of events on their way to the book, from any thread to the control thread. A flood is folded here,
 * before it can fill a mailbox: of a kind and key at most two reports wait, of which the last says how things
 * stand; what was folded into them is a count. So the waiting is bounded by the number of kinds and keys, and
 * that number has a maximum too: what opens beyond it is refused and counted by cause. What clears is only
 * refused when nothing of its kind and key is open, so no event stays open because of a flood.
 */
#ifndef GG_GATEWAY_REPORTS_H
#define GG_GATEWAY_REPORTS_H

#include "ganglion/host.h"

enum {
	GG_REPORT_KEYS = 16384,     /* kinds and keys that may wait */
	GG_REPORT_BYTES = 16 << 20, /* their memory */
	GG_REPORT_STEPS = 8192,     /* steps of traces that may wait */
	GG_REPORT_STEP_BYTES = 8 << 20,
	GG_REPORT_KEY = 600, /* room for the text of a kind and key */
};

struct gg_report {
	struct gg_report *next;
	uint64_t id;
	uint64_t more;            /* reports that were folded into it */
	struct gg_event_report r; /* its strings lie behind */
	size_t title_room, message_room, bytes;
	char text[];
};

/* Kind and key as one text. */
struct gg_str gg_report_key(char *to, size_t size, const char *kind, struct gg_str key);

/* ---- the book's side. Thread: control ---- */

/* From here on reports are handed to gg_book_take() and gg_book_step(), a few milliseconds of work a turn,
 * between gg_book_turn(true) and gg_book_turn(false). */
void gg_reports_start(void);
/* Hands over what still waits. */
void gg_reports_stop(void);
/* Ids that come are higher. */
void gg_reports_after(uint64_t id);
/* What is open in the book: reports that clear it are never refused. */
void gg_reports_opened(struct gg_str key);
void gg_reports_cleared(struct gg_str key);

/* Is anything on its way? */
bool gg_reports_waiting(void);

void gg_book_turn(bool begins);
void gg_book_take(const struct gg_report *r);
void gg_book_step(uint64_t event, struct gg_str json);

/* Counts what is lost and says so once in a while. Causes: "flood", "memory", "book". Thread: any. */
void gg_reports_lost(const char *cause, const struct gg_event_report *r);

#endif
