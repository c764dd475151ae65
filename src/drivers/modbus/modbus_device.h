/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device: one unit behind a line, its poll groups, its health, its writes. It knows the core only by a
 * small table of ops, so that tests can look at what it does without one.
 *
 *            line up                    an answer                    no answer, or line down
 *   LOST ──────────────▶ LOST, probed ─────────────▶ ALIVE, polled ──────────────────────────▶ LOST
 *     ▲  a probe after each back-off     │                              bad samples once, health once
 *     └──────────────────────────────────┘ no answer
 *
 * A lost device costs its line one request without repetition per back-off. Thread: the loop's.
 */
#ifndef GG_MODBUS_DEVICE_H
#define GG_MODBUS_DEVICE_H

#include "drivers/modbus/modbus_line.h"
#include "drivers/modbus/modbus_plan.h"
#include "drivers/modbus/modbus_signal.h"
#include "ganglion/host.h"

struct gg_modbus_device;

/* What the engine needs of the core. */
struct gg_modbus_ops {
	int (*submit_take)(void *arg, struct gg_batch *b);
	void (*health)(void *arg, uint32_t device, bool healthy, const char *reason);
	void (*write_done)(void *arg, struct gg_write *w, int status, const char *reason);
	/* What the device says of itself: "vendor", "Acme". */
	void (*property)(void *arg, uint32_t device, const char *name, const char *value);
	/* So many of its signals have an address it refuses; 0: none any more. text names some. */
	void (*refused)(void *arg, uint32_t device, uint32_t count, const char *text);
	/* Something was learnt of it that is worth keeping (modbus_memory.h). Optional. Errors: try again. */
	int (*keep)(void *arg, const struct gg_modbus_device *d);
};

struct gg_modbus_group {
	struct gg_modbus_device *device;
	int64_t period_ns, phase_ns, due_ns;
	struct gg_modbus_plan plan;
	uint32_t samples, tail_bytes; /* most of a poll */
	struct gg_timer timer;
	/* The poll under way. */
	struct gg_batch *batch; /* NULL: none */
	uint32_t cursor, under_way;
	bool relearn; /* a range was refused: the plan changes when nothing is under way */
	bool learnt;  /* it has changed in this poll */
	bool untold;  /* the device is lost, and the core does not know it yet */
	bool polled;  /* once, since the start */
};

struct gg_modbus_read {
	struct gg_modbus_job job; /* first */
	struct gg_modbus_device *device;
	struct gg_modbus_group *group; /* NULL: a probe, or given up */
	uint32_t range;
	bool busy;
};

enum gg_modbus_state { GG_MODBUS_NEW, GG_MODBUS_LOST, GG_MODBUS_ALIVE };

struct gg_modbus_device_options {
	const char *who;  /* the instance, for the log */
	const char *name; /* the device's id */
	uint32_t index;   /* dense index of the device */
	uint8_t unit;
	unsigned retries;
	bool identify;
	bool broadcast; /* all units at once: written to only */
	int64_t timeout_ns, backoff_min_ns, backoff_max_ns;
	struct gg_modbus_limits limits;
};

struct gg_modbus_device {
	struct gg_modbus_device_options o;
	const struct gg_modbus_ops *ops;
	void *arg;
	struct gg_modbus_line *line;
	struct gg_loop *loop;
	const struct gg_modbus_signal *signals;
	uint32_t signal_count;
	struct gg_modbus_group *groups;
	uint32_t group_count;

	enum gg_modbus_state state;
	bool line_up;
	bool paused; /* the core has no room: polls are skipped */
	enum gg_reason lost_reason;
	unsigned losses;  /* probes without an answer, for the back-off */
	unsigned garbled; /* in a row */
	uint64_t random;
	struct gg_timer probe;
	struct gg_modbus_read reads[GG_MODBUS_PIPELINE];
	struct {
		struct gg_modbus_job job;
		bool busy;
		unsigned requests;
	} identity;
	uint32_t refused; /* signals, as was told */
	unsigned write_count;
	bool no_single_write, no_mask_write; /* learnt: functions 6 and 22 are unknown to it */
	bool unkept;                         /* something was learnt since it was kept */
};

/* Makes the groups. signals and their strings stay the caller's and outlive the device. Errors: -ENOMEM,
 * -EINVAL. */
int gg_modbus_device_init(struct gg_modbus_device *d, const struct gg_modbus_device_options *o,
	const struct gg_modbus_signal *signals, uint32_t count);
/* Begins when the line is up. */
void gg_modbus_device_start(
	struct gg_modbus_device *d, struct gg_modbus_line *line, const struct gg_modbus_ops *ops, void *arg);
/* The line came up or went down. */
void gg_modbus_device_line(struct gg_modbus_device *d, bool up, const char *reason);
/* The core has room again. */
void gg_modbus_device_resume(struct gg_modbus_device *d);
/* Before it begins: what another device of the same name has learnt on this line, which it is to replace. */
void gg_modbus_device_inherit(struct gg_modbus_device *d, const struct gg_modbus_device *from);
/* Keeps what was learnt, if something was. */
void gg_modbus_device_keep(struct gg_modbus_device *d);
/* Stops timers; after it the line is closed, or told to orphan its jobs, and then the device freed. */
void gg_modbus_device_close(struct gg_modbus_device *d);
void gg_modbus_device_done(struct gg_modbus_device *d);

/* Writes; answers with ops->write_done(), unless it gives an error at once. */
int gg_modbus_device_write(
	struct gg_modbus_device *d, const struct gg_modbus_signal *s, struct gg_write *w, struct gg_error *e);

/* ---- between modbus_device.c, modbus_poll.c and modbus_write.c ---- */

void gg_modbus_device_lost(struct gg_modbus_device *d, enum gg_reason reason, const char *text);
/* The same for want of an answer (status), or because a gateway said so (a). */
void gg_modbus_device_silent(struct gg_modbus_device *d, int status, const struct gg_modbus_answer *a);
void gg_modbus_device_answered(struct gg_modbus_device *d);
void gg_modbus_device_identify(struct gg_modbus_device *d);
/* What reads a range. */
struct gg_modbus_request gg_modbus_device_request(
	const struct gg_modbus_device *d, const struct gg_modbus_range *r);
/* Adds what the registers or bits say to a batch. Errors: of gg_batch_add(). */
int gg_modbus_device_add(const struct gg_modbus_signal *s, const uint8_t *data, size_t bit_or_byte,
	int64_t utc_ns, struct gg_batch *b);
void gg_modbus_poll_start(struct gg_modbus_group *g);
/* Ends the poll under way; then every signal of the group is bad, for this reason. What the core has no room
 * for stays untold until it calls. */
void gg_modbus_poll_abandon(struct gg_modbus_group *g, enum gg_reason reason);
void gg_modbus_poll_pump(struct gg_modbus_device *d);
struct gg_modbus_read *gg_modbus_read_free(struct gg_modbus_device *d);

#endif
