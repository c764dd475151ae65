/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line's engine. Three timers: `deadline` for the earliest answer due, `quiet` for the silence RTU wants
 * between frames, `reconnect` for the next attempt. Callbacks of jobs may submit more; `busy` makes sure that
 * the queue is pumped once, when the work at hand is done.
 *
 * After a timeout on RTU whatever still comes is noise until the line has been silent: a late answer must not
 * be taken for the answer to the next request. On TCP the transaction number does that.
 *
 * A TCP connection over which several requests in a row got no answer is closed and made anew: a peer that
 * vanished without a word (cable, power) leaves a connection that looks alive for many minutes.
 */
#include "drivers/modbus/modbus_line.h"

#include "base/map.h"

#define HOLD_NS (500 * GG_NS_PER_US) /* how long answers are waited for before more is sent */
#define TORN_NS (50 * GG_NS_PER_MS)  /* USB adapters hand over what they got every 16 ms */

enum { SILENT_MAX = 3 }; /* timeouts in a row, for each unit behind the line */

static void begin(struct gg_modbus_line *l);
static void pump(struct gg_modbus_line *l);

/* ---- queues ---- */

static void push(struct gg_modbus_queue *q, struct gg_modbus_job *job)
{
	job->next = NULL;
	*(q->head ? q->tail : &q->head) = job;
	q->tail = &job->next;
}

static void push_front(struct gg_modbus_queue *q, struct gg_modbus_job *job)
{
	if (!q->head)
		q->tail = &job->next;
	job->next = q->head;
	q->head = job;
}

static struct gg_modbus_job *pop(struct gg_modbus_queue *q)
{
	struct gg_modbus_job *job = q->head;
	if (job)
		q->head = job->next;
	return job;
}

static struct gg_modbus_queue *queue_of(struct gg_modbus_line *l, const struct gg_modbus_job *job)
{
	return job->urgent ? &l->urgent : &l->waiting;
}

/* Takes the owner's jobs (NULL: all) out of a queue. */
static void cancel(struct gg_modbus_queue *q, const void *owner, int status)
{
	struct gg_modbus_queue taken = {0}, kept = {0};
	for (struct gg_modbus_job *job; (job = pop(q));)
		push(!owner || job->owner == owner ? &taken : &kept, job);
	*q = kept;
	if (!kept.head)
		q->tail = NULL;
	for (struct gg_modbus_job *job; (job = pop(&taken));)
		job->done(job, status, NULL);
}

const char *gg_modbus_line_name(const struct gg_modbus_line *l, char *to, size_t size)
{
	if (l->o.is_serial)
		gg_str_copy(to, size, gg_str(l->o.address.host));
	else
		snprintf(to, size, strchr(l->o.address.host, ':') ? "[%s]:%u" : "%s:%u", l->o.address.host,
			(unsigned)l->o.address.port);
	return to;
}

int64_t gg_modbus_backoff(int64_t min_ns, int64_t max_ns, unsigned n, uint64_t *random)
{
	int64_t ns = min_ns;
	while (n-- > 0 && ns < max_ns)
		ns *= 2;
	if (ns > max_ns)
		ns = max_ns;
	*random = *random * 6364136223846793005U + 1442695040888963407U;
	return ns - ns / 5 + (int64_t)((*random >> 33) % (uint64_t)(ns / 5 * 2 + 1));
}

/* ---- jobs on the wire ---- */

static bool is_rtu(const struct gg_modbus_line *l)
{
	return l->o.framing == GG_MODBUS_RTU;
}

static struct gg_modbus_job *take_flight(struct gg_modbus_line *l, unsigned i)
{
	struct gg_modbus_job *job = l->flight[i];
	l->in_flight--;
	memmove(&l->flight[i], &l->flight[i + 1], (l->in_flight - i) * sizeof l->flight[0]);
	return job;
}

static void stay_quiet(struct gg_modbus_line *l, int64_t at_least_ns)
{
	int64_t ns = l->o.pause_ns;
	if (l->o.is_serial && ns < gg_modbus_serial_silence_ns(l->o.serial.baud))
		ns = gg_modbus_serial_silence_ns(l->o.serial.baud);
	if (ns < at_least_ns)
		ns = at_least_ns;
	if (ns > 0 && l->quiet_until_ns < gg_loop_now(l->loop) + ns)
		l->quiet_until_ns = gg_loop_now(l->loop) + ns;
}

static void deadline_fired(struct gg_timer *t);

static void arm_deadline(struct gg_modbus_line *l)
{
	int64_t due = INT64_MAX;
	for (unsigned i = 0; i < l->in_flight; i++)
		if (l->flight[i]->deadline_ns < due)
			due = l->flight[i]->deadline_ns;
	if (due == INT64_MAX)
		gg_timer_stop(&l->deadline);
	else if (!l->deadline.place || l->deadline.due_ns != due)
		gg_timer_start(l->loop, &l->deadline, due - gg_loop_now(l->loop), deadline_fired);
}

static void quiet_fired(struct gg_timer *t);

/* Start, parity and stop bit beside eight of data. */
static int64_t on_wire_ns(const struct gg_modbus_line *l, size_t bytes)
{
	return l->o.is_serial && l->o.serial.baud > 0 ? (int64_t)bytes * 11 * GG_NS_PER_S / l->o.serial.baud
						      : 0;
}

/* Errors: -EAGAIN the stream takes no more now, others: it is broken. */
static int send_job(struct gg_modbus_line *l, struct gg_modbus_job *job)
{
	uint8_t frame[GG_MODBUS_ADU];
	struct gg_writer w = gg_writer(frame, sizeof frame);
	int r = gg_modbus_encode(l->o.framing, ++l->transaction, &job->request, &w);
	if (r == 0)
		r = gg_stream_write(l->stream, frame, gg_writer_len(&w));
	if (r != 0)
		return r;
	job->transaction = l->transaction;
	job->sent_ns = gg_loop_now(l->loop);
	job->deadline_ns = job->sent_ns + l->o.timeout_ns;
	/* The time the bytes take on a slow line is not the device's. */
	if (l->o.is_serial)
		job->deadline_ns += on_wire_ns(l, gg_writer_len(&w) + GG_MODBUS_ADU);
	l->heard = 0;
	gg_count(l->stats.requests, 1);
	if (job->broadcast) {
		stay_quiet(l, on_wire_ns(l, gg_writer_len(&w)) + l->o.turnaround_ns);
		job->done(job, 0, NULL);
		return 0;
	}
	l->flight[l->in_flight++] = job;
	return 0;
}

/* Must it wait although there is room? What had no answer among others goes alone; and while answers come in
 * one after the other, what they make room for goes out together. */
static bool holds_back(struct gg_modbus_line *l)
{
	const struct gg_modbus_job *next = l->urgent.head ? l->urgent.head : l->waiting.head;
	if (!l->in_flight)
		return false;
	if (next->alone || l->flight[0]->alone)
		return true;
	if (next->urgent || l->in_flight <= l->filled / 2 || gg_loop_now(l->loop) - l->answered_ns >= HOLD_NS)
		return false;
	if (!l->quiet.place)
		gg_timer_start(l->loop, &l->quiet, HOLD_NS, quiet_fired);
	return true;
}

static void refill(struct gg_modbus_line *l)
{
	if (l->in_flight && (l->urgent.head || l->waiting.head) && holds_back(l))
		return;
	while (l->in_flight < gg_modbus_line_window(l) && (l->urgent.head || l->waiting.head)) {
		const struct gg_modbus_job *next = l->urgent.head ? l->urgent.head : l->waiting.head;
		int64_t quiet = l->quiet_until_ns - gg_loop_now(l->loop);
		if (quiet > 0) {
			gg_timer_start(l->loop, &l->quiet, quiet, quiet_fired);
			break;
		}
		if (l->in_flight && (next->alone || l->flight[0]->alone))
			break;
		struct gg_modbus_job *job = pop(l->urgent.head ? &l->urgent : &l->waiting);
		int r = send_job(l, job);
		if (r == -EAGAIN || r == -EPIPE) {
			push_front(queue_of(l, job), job); /* drained() or closed() goes on */
			break;
		}
		if (r != 0)
			job->done(job, r, NULL);
		else if (l->o.pause_ns > 0)
			stay_quiet(l, 0);
	}
	l->filled = l->in_flight;
}

static void quiet_fired(struct gg_timer *t)
{
	pump(GG_CONTAINER(t, struct gg_modbus_line, quiet));
}

static void pump(struct gg_modbus_line *l)
{
	if (l->busy || !l->open || l->closed)
		return;
	l->busy = true;
	unsigned before = l->in_flight;
	refill(l);
	l->busy = false;
	if (l->in_flight != before || l->in_flight < 2)
		gg_modbus_window_wait(l);
	arm_deadline(l);
}

static void answer_came(struct gg_modbus_line *l, struct gg_modbus_job *job, struct gg_modbus_answer *a)
{
	if (!is_rtu(l)) /* the transaction has matched: some servers answer with a unit of their own */
		a->unit = job->request.unit;
	int status = gg_modbus_check(&job->request, a);
	l->answered = true;
	l->silent = 0;
	l->attempts = 0;
	gg_count(status ? l->stats.garbled : a->exception ? l->stats.exceptions : l->stats.answers, 1);
	gg_histogram_add(l->stats.answer_time, gg_loop_now(l->loop) - job->sent_ns);
	gg_modbus_window_learn(l, job, a->exception);
	l->answered_ns = l->heard_ns[job->request.unit] = gg_loop_now(l->loop);
	job->alone = false;
	stay_quiet(l, 0);
	job->done(job, status, status ? NULL : a);
}

static struct gg_modbus_job *match(struct gg_modbus_line *l, const struct gg_modbus_answer *a)
{
	for (unsigned i = 0; i < l->in_flight; i++)
		if (is_rtu(l) || l->flight[i]->transaction == a->transaction)
			return take_flight(l, i);
	return NULL;
}

static size_t stream_data(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	struct gg_modbus_line *l = arg;
	size_t used = 0;
	bool was_busy = l->busy;
	l->busy = true;
	l->heard += len;
	if (is_rtu(l) && !l->in_flight)
		stay_quiet(l, 0);
	while (used < len && s == l->stream) {
		size_t n = 0;
		struct gg_modbus_answer a;
		int r = gg_modbus_take(l->o.framing, l->in_flight ? &l->flight[0]->request : NULL,
			bytes + used, len - used, &a, &n);
		used += n;
		if (r < 0) {
			gg_count(l->stats.garbled, 1);
			gg_stream_close(s, false, "peer does not speak Modbus TCP");
			used = len;
		}
		if (r <= 0)
			break;
		struct gg_modbus_job *job = match(l, &a);
		if (job) /* else it came too late */
			answer_came(l, job, &a);
	}
	l->partial = len - used;
	/* A frame has no pause of more than 1.5 characters (SL §2.5.1.1): one that does not go on is torn. */
	if (l->o.is_serial && l->in_flight && l->heard && used < len) {
		int64_t torn = gg_loop_now(l->loop) + gg_modbus_serial_silence_ns(l->o.serial.baud) + TORN_NS;
		if (l->flight[0]->deadline_ns > torn)
			l->flight[0]->deadline_ns = torn;
	}
	l->busy = was_busy;
	pump(l);
	return used;
}

static void deadline_fired(struct gg_timer *t)
{
	struct gg_modbus_line *l = GG_CONTAINER(t, struct gg_modbus_line, deadline);
	struct gg_modbus_queue given_up = {0};
	int status = is_rtu(l) && l->heard > 0 ? -EBADMSG : -ETIMEDOUT;
	for (unsigned i = 0; i < l->in_flight;) {
		if (l->flight[i]->deadline_ns > gg_loop_now(l->loop)) {
			i++;
			continue;
		}
		struct gg_modbus_job *job = take_flight(l, i);
		gg_count(status == -EBADMSG ? l->stats.garbled : l->stats.timeouts, 1);
		l->silent++;
		if (job->tries > 0 && !gg_modbus_is_write(job->request.function)) {
			job->tries--;
			/* Does the unit live, but could not take them all? */
			job->alone = gg_modbus_line_window(l) > 1 && !l->o.in_flight &&
				     l->heard_ns[job->request.unit] >= job->sent_ns;
			push_front(queue_of(l, job), job);
		} else {
			push(&given_up, job);
		}
	}
	if (is_rtu(l))
		stay_quiet(l, 10 * GG_NS_PER_MS);
	l->busy = true;
	for (struct gg_modbus_job *job; (job = pop(&given_up));)
		job->done(job, status, NULL);
	l->busy = false;
	if (l->stream && !l->o.is_serial && l->silent >= SILENT_MAX * l->o.units)
		gg_stream_close(l->stream, false, "no answer");
	pump(l);
	arm_deadline(l);
}

/* ---- connecting ---- */

static void fail_all(struct gg_modbus_line *l, int status)
{
	l->busy = true;
	while (l->in_flight) {
		struct gg_modbus_job *job = take_flight(l, l->in_flight - 1);
		job->done(job, status, NULL);
	}
	cancel(&l->urgent, NULL, status);
	cancel(&l->waiting, NULL, status);
	l->busy = false;
}

static void reconnect_fired(struct gg_timer *t)
{
	begin(GG_CONTAINER(t, struct gg_modbus_line, reconnect));
}

static void try_later(struct gg_modbus_line *l, const char *reason)
{
	int64_t ns = gg_modbus_backoff(l->o.backoff_min_ns, l->o.backoff_max_ns, l->attempts, &l->random);
	l->attempts++;
	l->up = false;
	gg_timer_start(l->loop, &l->reconnect, ns, reconnect_fired);
	l->changed(l->arg, false, reason);
	fail_all(l, -ENOTCONN);
}

/* What was on the wire: reads go back into the queue, the outcome of a write is not known. */
static void take_back(struct gg_modbus_line *l)
{
	struct gg_modbus_queue lost = {0};
	while (l->in_flight) {
		struct gg_modbus_job *job = take_flight(l, l->in_flight - 1);
		if (job->tries > 0 && !gg_modbus_is_write(job->request.function)) {
			job->tries--;
			push_front(queue_of(l, job), job);
		} else {
			push(&lost, job);
		}
	}
	l->busy = true;
	for (struct gg_modbus_job *job; (job = pop(&lost));)
		job->done(job, -ENOTCONN, NULL);
	l->busy = false;
}

static void stream_opened(void *arg, struct gg_stream *s)
{
	struct gg_modbus_line *l = arg;
	(void)s;
	if (l->open)
		return;
	l->open = true;
	l->partial = 0;
	l->expected = 1;
	l->answered = false;
	l->silent = 0;
	if (!l->up) {
		l->up = true;
		l->changed(l->arg, true, "");
	}
	pump(l);
}

static void stream_drained(void *arg, struct gg_stream *s)
{
	(void)s;
	pump(arg);
}

static void stream_closed(void *arg, struct gg_stream *s, int status, const char *reason)
{
	struct gg_modbus_line *l = arg;
	(void)status;
	if (s != l->stream)
		return;
	bool again_at_once = l->open && l->answered;
	l->stream = NULL;
	l->open = false;
	gg_timer_stop(&l->deadline);
	gg_timer_stop(&l->quiet);
	gg_timer_stop(&l->patience);
	gg_count(l->stats.reconnects, 1);
	gg_modbus_window_broke(l);
	if (again_at_once) {
		take_back(l);
		gg_timer_start(l->loop, &l->reconnect, 0, reconnect_fired);
	} else {
		try_later(l, reason);
	}
}

static const struct gg_stream_handler handler = {
	.opened = stream_opened,
	.data = stream_data,
	.drained = stream_drained,
	.closed = stream_closed,
};

static int begin_serial(struct gg_modbus_line *l, const struct gg_stream_limits *limits, struct gg_error *e)
{
	int fd = -1;
	int r = gg_modbus_serial_open(l->o.address.host, &l->o.serial, &fd, e);
	if (r != 0)
		return r;
	r = gg_stream_adopt_take(l->loop, fd, limits, &handler, l, &l->stream);
	if (r != 0)
		return gg_error_set(e, r, "can't watch %s: %s", l->o.address.host, strerror(-r));
	stay_quiet(l, 0);
	if (!l->open)
		stream_opened(l, l->stream);
	return 0;
}

static void begin(struct gg_modbus_line *l)
{
	const struct gg_stream_limits limits = {
		.input_bytes = 16384, .output_bytes = 16384, .connect_timeout_ns = l->o.connect_timeout_ns};
	struct gg_error e = {0};
	int r = l->o.is_serial ? begin_serial(l, &limits, &e)
			       : gg_stream_connect(l->loop, &l->o.address, l->o.tls, &limits, &handler, l,
					 &l->stream, &e);
	if (r != 0)
		try_later(l, e.text[0] ? e.text : strerror(-r));
}

static void begin_fired(struct gg_timer *t)
{
	begin(GG_CONTAINER(t, struct gg_modbus_line, reconnect));
}

void gg_modbus_line_start(
	struct gg_modbus_line *l, struct gg_loop *loop, const struct gg_modbus_line_options *o)
{
	l->loop = loop;
	l->o = *o;
	l->window = 1;
	l->window_most = GG_MODBUS_PIPELINE;
	l->random = gg_hash(gg_str(o->address.host)) ^ (uint64_t)gg_loop_now(loop);
	gg_timer_start(loop, &l->reconnect, 0, begin_fired);
}

int gg_modbus_line_submit(struct gg_modbus_line *l, struct gg_modbus_job *job)
{
	if (!l->up || l->closed)
		return -ENOTCONN;
	job->alone = false;
	push(queue_of(l, job), job);
	pump(l);
	return 0;
}

void gg_modbus_line_forget(struct gg_modbus_line *l, const void *owner)
{
	bool was_busy = l->busy;
	l->busy = true;
	cancel(&l->urgent, owner, -ECANCELED);
	cancel(&l->waiting, owner, -ECANCELED);
	l->busy = was_busy;
}

static void orphan_done(struct gg_modbus_job *job, int status, const struct gg_modbus_answer *a)
{
	(void)status, (void)a;
	GG_CONTAINER(job, struct gg_modbus_orphan, job)->busy = false;
}

static struct gg_modbus_job *make_orphan(struct gg_modbus_line *l, const struct gg_modbus_job *job)
{
	struct gg_modbus_orphan *o = l->orphans;
	while (o->busy) /* as many as may fly */
		o++;
	o->busy = true;
	o->job = *job;
	o->job.done = orphan_done;
	o->job.owner = NULL;
	o->job.tries = 0;
	if (job->request.data_len) {
		memcpy(o->data, job->request.data, job->request.data_len);
		o->job.request.data = o->data;
	}
	return &o->job;
}

void gg_modbus_line_orphan(struct gg_modbus_line *l, const void *owner)
{
	bool was_busy = l->busy;
	l->busy = true;
	for (unsigned i = 0; i < l->in_flight; i++) {
		struct gg_modbus_job *job = l->flight[i];
		if (job->owner != owner)
			continue;
		l->flight[i] = make_orphan(l, job);
		job->done(job, -ECANCELED, NULL);
	}
	l->busy = was_busy;
	gg_modbus_line_forget(l, owner);
}

/* The stream may outlive the line by a turn: nobody listens to it then. */
static size_t nobody_data(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	(void)arg, (void)s, (void)bytes;
	return len;
}

static void nobody_closed(void *arg, struct gg_stream *s, int status, const char *reason)
{
	(void)arg, (void)s, (void)status, (void)reason;
}

static const struct gg_stream_handler nobody = {.data = nobody_data, .closed = nobody_closed};

void gg_modbus_line_close(struct gg_modbus_line *l)
{
	if (l->closed || !l->loop)
		return;
	l->closed = true;
	l->up = l->open = false;
	gg_timer_stop(&l->deadline);
	gg_timer_stop(&l->quiet);
	gg_timer_stop(&l->patience);
	gg_timer_stop(&l->reconnect);
	fail_all(l, -ECANCELED);
	if (l->stream) {
		gg_stream_set_handler(l->stream, &nobody, NULL);
		gg_stream_close(GG_TAKE(l->stream), false, "driver stops");
	}
}
