/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long answers that are made while they are sent: exports, backups, queries without end.
 *
 *   thread of its own: work() ── sink ──▶ at most 1 MiB waits ── control loop ──▶ client
 *
 * The thread waits when the client does not keep up; when the client has gone, is too slow (answer_rate of
 * net/http_server.h), or the API ends, its next write fails with -ECANCELED. Four at once, of which one
 * caller may have two, and one is kept for administrators; more hear that it is busy.
 */
#ifndef GG_API_POUR_H
#define GG_API_POUR_H

#include "api/call.h"
#include "base/sink.h"

struct gg_pour_work {
	const char *media, *file; /* file: the name a browser saves it under; NULL = none; both copied */
	void *arg;
	/* Thread: its own. Errors, with a text: before the first byte they are the answer, later they break
	 * it off. */
	int (*run)(void *arg, const struct gg_sink *sink, const _Atomic bool *cancelled, struct gg_error *e);
	void (*free)(void *arg); /* on the control loop, always */
};

/* Answers the call, now or later. */
void gg_api_pour(struct gg_api_call *c, const struct gg_pour_work *work);
/* Ends those under way. */
void gg_api_pour_stop(void);

#endif
