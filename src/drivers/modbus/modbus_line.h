/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line: one TCP connection or one serial port, behind which one or several units answer. Jobs are queued,
 * put on the wire when it is their turn, matched with their answers, repeated or given up.
 *
 *   submit ─▶ urgent ──┐
 *   submit ─▶ waiting ─┴─▶ flight (1 on RTU, up to the window on TCP) ─▶ job.done()
 *                ▲              │ no answer in time, tries left
 *                └──────────────┘
 *
 * The window is what `in_flight` says, or is found out: it begins with 1 and doubles while answers come fast.
 * A request that stays without an answer among others is repeated alone; when it is answered then, this
 * device wants them one by one, and gets them so from then on.
 *
 * A line that loses its peer connects again at once; only when that fails too it is down, says so, and tries
 * again with growing pauses. Owner: whoever has the struct. Thread: the loop's.
 */
#ifndef GG_MODBUS_LINE_H
#define GG_MODBUS_LINE_H

#include "drivers/modbus/modbus_codec.h"
#include "drivers/modbus/modbus_serial.h"
#include "ganglion/metrics.h"
#include "net/stream.h"

enum { GG_MODBUS_PIPELINE = 16, GG_MODBUS_WAITING = 65536 };

struct gg_modbus_job {
	struct gg_modbus_request request; /* data stays valid until done() */
	/* status: 0 there is an answer, perhaps an exception; -ETIMEDOUT none; -EBADMSG not to be understood;
	 * -ENOTCONN the line is down; -ECANCELED. The job is the caller's again. */
	void (*done)(struct gg_modbus_job *job, int status, const struct gg_modbus_answer *a);
	const void *owner; /* for gg_modbus_line_forget() */
	unsigned tries;    /* how often it may be repeated; a write that was sent never is */
	bool urgent;
	bool broadcast;             /* nobody answers: it is done when it is sent */
	struct gg_modbus_job *next; /* private, as all below */
	uint16_t transaction;
	bool alone; /* it had no answer among others */
	int64_t deadline_ns, sent_ns;
};

struct gg_modbus_stats {
	struct gg_counter *requests, *answers, *exceptions, *timeouts, *garbled, *reconnects, *missed,
		*skipped, *polls;
	struct gg_histogram *answer_time, *jitter;
};

struct gg_modbus_line_options {
	const char *who; /* the instance, for the log */
	enum gg_modbus_framing framing;
	struct gg_address address; /* a serial port's path is in host */
	bool is_serial;
	struct gg_modbus_serial serial;
	struct gg_tls *tls; /* NULL = plain */
	unsigned in_flight; /* 0: find out */
	unsigned units;
	int64_t timeout_ns, connect_timeout_ns, pause_ns, turnaround_ns, backoff_min_ns, backoff_max_ns;
};

/* Stands in the flight for a job whose owner is gone. */
struct gg_modbus_orphan {
	struct gg_modbus_job job;
	uint8_t data[GG_MODBUS_PDU];
	bool busy;
};

struct gg_modbus_queue {
	struct gg_modbus_job *head, **tail;
};

struct gg_modbus_line {
	struct gg_modbus_line_options o;
	struct gg_modbus_stats stats;
	struct gg_loop *loop;
	/* It is up, or down for a reason in words. Called on every change. */
	void (*changed)(void *arg, bool up, const char *reason);
	void *arg;

	struct gg_stream *stream;
	bool open;     /* the stream is */
	bool up;       /* or hoped to be open again at once */
	bool answered; /* anything, since it was opened */
	bool busy;     /* inside a callback: pump later */
	bool closed;   /* for good */
	struct gg_modbus_queue urgent, waiting;
	struct gg_modbus_job *flight[GG_MODBUS_PIPELINE];
	unsigned in_flight;
	unsigned filled;              /* in flight when the queue was last pumped */
	unsigned window, window_most; /* found out: requests at once */
	unsigned prompt;              /* answers that came fast, since the window changed */
	struct gg_modbus_orphan orphans[GG_MODBUS_PIPELINE];
	unsigned silent;   /* timeouts since the last answer */
	unsigned attempts; /* to connect, since the last answer */
	size_t partial;    /* TCP: bytes of an answer that is not whole yet */
	size_t expected;   /* as the stream was told */
	size_t heard;      /* RTU: bytes since the request was sent */
	uint16_t transaction;
	int64_t quiet_until_ns, answered_ns;
	int64_t heard_ns[256]; /* of each unit: its last answer */
	uint64_t random;
	struct gg_timer deadline, quiet, patience, reconnect;
};

void gg_modbus_line_start(
	struct gg_modbus_line *l, struct gg_loop *loop, const struct gg_modbus_line_options *o);
/* Errors: -ENOTCONN the line is down (done() is not called), -EINVAL a request the standard does not allow.
 */
int gg_modbus_line_submit(struct gg_modbus_line *l, struct gg_modbus_job *job);
/* Ends the owner's jobs that are not on the wire yet with -ECANCELED. */
void gg_modbus_line_forget(struct gg_modbus_line *l, const void *owner);
/* The owner goes away: its jobs that are not on the wire end with -ECANCELED as above, and so do those that
 * are; their answers are taken off the line and thrown away. */
void gg_modbus_line_orphan(struct gg_modbus_line *l, const void *owner);
/* How many requests may be on the wire at once. */
unsigned gg_modbus_line_window(const struct gg_modbus_line *l);
/* Closes for good; jobs end with -ECANCELED. May be called twice and on a zeroed line. */
void gg_modbus_line_close(struct gg_modbus_line *l);
/* "10.0.0.7:502" or "/dev/ttyUSB0" */
const char *gg_modbus_line_name(const struct gg_modbus_line *l, char *to, size_t size);

/* ---- between modbus_line.c and modbus_window.c ---- */

/* What an answer says about how many requests the peer bears at once. */
void gg_modbus_window_learn(struct gg_modbus_line *l, const struct gg_modbus_job *job, uint8_t exception);
/* The connection broke. */
void gg_modbus_window_broke(struct gg_modbus_line *l);
/* The flight has changed: sets what the stream waits for. */
void gg_modbus_window_wait(struct gg_modbus_line *l);

/* min doubled n times, at most max, then 20 % more or less by chance, so that many don't come at once. */
int64_t gg_modbus_backoff(int64_t min_ns, int64_t max_ns, unsigned n, uint64_t *random);

#endif
