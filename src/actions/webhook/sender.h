/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread that sends the requests of all webhooks, by libcurl's multi interface.
 *
 *   run() on a shard ─▶ queue (mutex) ─▶ thread: waiting for their time ─▶ under way ─▶ done or again later
 *
 * Its own thread because libcurl resolves names and waits in ways no loop should. It starts with the first
 * user and ends with the last.
 */
#ifndef GG_ACTIONS_SENDER_H
#define GG_ACTIONS_SENDER_H

#include "base/buf.h"
#include "net/curl.h"

/* One request. Owner: the sender from sender_send_take() on; done() is the last thing it does with it. */
struct sender_job {
	const void *owner; /* to cancel by */
	char *url;
	const char *method; /* constant */
	struct gg_buf body;
	struct curl_slist *headers;
	char *ca; /* PEM file or NULL */
	bool verify;
	int64_t timeout_ms, pause_ms; /* pause: before the next try; doubles up to a minute */
	unsigned tries_left;
	/* Thread: the sender's. reason is never NULL. Frees nothing. */
	void (*done)(struct sender_job *job, int status, const char *reason);
	void *arg;

	/* the sender's own */
	struct sender_job *next;
	CURL *easy;
	int64_t due_ns; /* monotonic */
	char error[CURL_ERROR_SIZE];
	size_t received;
};

/* Errors: -ENOMEM, -errno of pthread_create. Counted: each needs its sender_stop(). */
int sender_start(struct gg_error *e);
void sender_stop(void);
/* Errors: -ESHUTDOWN. */
int sender_send_take(struct sender_job *job);
/* Ends all jobs of an owner: their done() has been called when this returns. */
void sender_cancel(const void *owner);
void sender_job_free(struct sender_job *job);

#endif
