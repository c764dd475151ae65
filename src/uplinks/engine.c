/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One uplink's engine: link, sending, acknowledgements, timers, numbers. All of it happens in pump(), which
 * runs at the end of a turn in which something has changed.
 */
#include "uplinks/private.h"

#include "base/log.h"
#include "base/map.h"

enum { RECORDS_PER_TURN = 256 };
#define TICK_NS      GG_NS_PER_S
#define RETRY_NS     GG_NS_PER_S
#define TELL_DOWN_NS (30 * GG_NS_PER_S)

static void pump(struct gg_defer *d);

void gg_engine_wake(struct gg_uplink_engine *u)
{
	gg_defer(u->all->loop, &u->pump, pump);
}

static void wake_on_timer(struct gg_timer *t)
{
	struct gg_uplink_engine *u = GG_CONTAINER(t, struct gg_uplink_engine, wake_timer);
	u->stalled = false; /* where there is still no room, trying again says so */
	gg_engine_wake(u);
}

static void wake_in(struct gg_uplink_engine *u, int64_t after_ns)
{
	int64_t due = gg_loop_now(u->all->loop) + after_ns;
	if (!u->wake_timer.place || u->wake_timer.due_ns > due)
		gg_timer_start(u->all->loop, &u->wake_timer, after_ns, wake_on_timer);
}

/* ---- numbers ---- */

static void publish_state(struct gg_uplink_engine *u)
{
	const struct gg_uplink_source *source = &u->all->source;
	int64_t now = gg_loop_utc(u->all->loop), oldest = now;
	uint64_t end = source->end(source->arg);
	bool pending = u->round_count || u->queue_count || u->working || !u->live;
	if (u->round_count)
		oldest = u->rounds[u->round_first].received_ns;
	else if (!u->live)
		oldest = u->behind_since_ns;
	struct gg_uplink_state s = {
		.ready = u->ready,
		.since_ns = u->since_ns,
		.cursor = u->cursor,
		.backlog_bytes = pending && end > u->cursor ? end - u->cursor : 0,
		.parcels = u->acked_parcels,
		.samples = u->acked_samples,
		.bytes = u->acked_bytes,
		.local_samples = u->local,
		.retries = u->retries,
		.dropped = u->dropped,
		.reconnects = u->reconnects,
		.under_way = u->sent,
	};
	s.backlog_age_ns = s.backlog_bytes && now > oldest ? now - oldest : 0;
	gg_str_copy(s.reason, sizeof s.reason, gg_str(u->reason));
	gg_gauge_set(u->g_backlog, (int64_t)s.backlog_bytes);
	gg_gauge_set(u->g_age, s.backlog_age_ns / GG_NS_PER_S);
	gg_gauge_set(u->g_up, u->ready);
	pthread_mutex_lock(&u->lock);
	u->state = s;
	pthread_mutex_unlock(&u->lock);
}

void gg_uplink_get_state(struct gg_uplink_engine *u, struct gg_uplink_state *ret_state)
{
	pthread_mutex_lock(&u->lock);
	*ret_state = u->state;
	pthread_mutex_unlock(&u->lock);
}

static void make_metrics(struct gg_uplink_engine *u)
{
	char l[220];
	snprintf(l, sizeof l, "uplink=\"%.150s\"", u->name);
	u->c_parcels = gg_metric_counter("uplink_parcels_total", l, "Parcels the peer has acknowledged");
	u->c_samples = gg_metric_counter("uplink_samples_total", l, "Samples in them");
	u->c_bytes = gg_metric_counter("uplink_bytes_total", l, "Bytes of them, as sent");
	u->c_local = gg_metric_counter("uplink_local_samples_total", l, "Samples that stayed here");
	u->c_seen = gg_metric_counter("uplink_journal_bytes_total", l, "Bytes of the journal it looked at");
	u->c_retries = gg_metric_counter("uplink_retries_total", l, "Parcels that had to be sent again");
	u->c_reconnects = gg_metric_counter("uplink_connects_total", l, "Connections made");
	u->g_backlog =
		gg_metric_gauge("uplink_backlog_bytes", l, "Bytes of the journal not yet acknowledged");
	u->g_age = gg_metric_gauge("uplink_backlog_age_seconds", l, "Age of the oldest of them");
	u->g_up = gg_metric_gauge("uplink_up", l, "1 while connected");
	snprintf(l, sizeof l, "uplink=\"%.150s\",cause=\"refused\"", u->name);
	u->c_refused = gg_metric_counter("uplink_dropped_total", l, "Parcels dropped, by cause");
	snprintf(l, sizeof l, "uplink=\"%.150s\",cause=\"encoding\"", u->name);
	u->c_large = gg_metric_counter("uplink_dropped_total", l, "Parcels dropped, by cause");
	snprintf(l, sizeof l, "uplink=\"%.150s\"", u->name);
	u->c_lost = gg_metric_counter(
		"uplink_lost_bytes_total", l, "Bytes that went from the journal before they were sent");
}

/* ---- the link ---- */

static void connect_now(struct gg_timer *t)
{
	struct gg_uplink_engine *u = GG_CONTAINER(t, struct gg_uplink_engine, connect_timer);
	if (!u->ready && u->component->uplink->connect)
		u->component->uplink->connect(u->self);
}

/* Doubled from attempt to attempt; between a half and the whole, so that a site does not knock as one. */
static int64_t backoff(struct gg_uplink_engine *u)
{
	int64_t wait = u->backoff_min_ns;
	for (unsigned i = 1; i < u->attempts && wait < u->backoff_max_ns; i++)
		wait *= 2;
	if (wait > u->backoff_max_ns)
		wait = u->backoff_max_ns;
	uint64_t seed[] = {(uint64_t)gg_loop_now(u->all->loop), (uint64_t)(uintptr_t)u};
	double jitter = (double)(gg_hash(gg_str_n(seed, sizeof seed)) % 1024) / 1024;
	return wait / 2 + (int64_t)((double)(wait / 2) * jitter);
}

static void tell_event(struct gg_uplink_engine *u, bool down)
{
	char title[260];
	snprintf(title, sizeof title, down ? "Uplink %.60s is down: %.150s" : "Uplink %.60s is back%.0s",
		u->name, u->reason);
	gg_event(&(struct gg_event_report){.kind = "uplink-down",
		.key = gg_str(u->name),
		.severity = GG_WARNING,
		.clear = !down,
		.title = gg_str(title),
		.device = GG_NONE,
		.signal = GG_NONE});
	u->down_told = down;
}

static void link_up(struct gg_uplink_engine *u)
{
	u->ready = true;
	u->attempts = 0;
	u->reason[0] = '\0';
	u->since_ns = gg_loop_utc(u->all->loop);
	u->reconnects++;
	gg_count(u->c_reconnects, 1);
	gg_timer_stop(&u->connect_timer);
	gg_log(GG_INFO, u->name, "uplink is connected", GG_I("backlog_bytes", u->state.backlog_bytes));
	if (u->down_told)
		tell_event(u, false);
}

static void link_down(struct gg_uplink_engine *u, const char *reason)
{
	if (u->ready || u->attempts == 0)
		gg_log(GG_WARN, u->name, "uplink is down, data wait in the journal", GG_S("reason", reason));
	if (u->ready) {
		u->ready = false;
		u->since_ns = gg_loop_utc(u->all->loop);
		u->down_mono_ns = gg_loop_now(u->all->loop);
	}
	gg_str_copy(u->reason, sizeof u->reason, gg_str(reason));
	for (size_t i = 0; i < GG_PARCELS; i++) {
		struct gg_slot *s = &u->slots[i];
		if (s->state == GG_PARCEL_SENT) {
			s->state = GG_PARCEL_QUEUED;
			s->retried = true;
			u->sent--;
			u->queued++;
		}
	}
	gg_collect_fall_behind(u);
	u->attempts++;
	if (!u->connect_timer.place)
		gg_timer_start(u->all->loop, &u->connect_timer, backoff(u), connect_now);
}

/* All of the process, by which a component's host finds its engine. Thread: the north loop. */
static struct gg_uplink_engine *engines;

static struct gg_uplink_engine *engine_of(const struct gg_host *h)
{
	struct gg_uplink_engine *u = engines;
	while (u && u->host != h)
		u = u->next_known;
	return u;
}

void gg_uplink_ready(struct gg_host *h, bool ready, const char *reason)
{
	struct gg_uplink_engine *u = engine_of(h);
	if (!u)
		return;
	u->stalled = false;
	if (!ready)
		link_down(u, reason ? reason : "");
	else if (!u->ready)
		link_up(u);
	gg_engine_wake(u);
}

/* ---- sending ---- */

static void acknowledged(struct gg_uplink_engine *u, struct gg_slot *s)
{
	u->acked_parcels++;
	u->acked_samples += s->samples;
	u->acked_bytes += s->parcel.payload.len;
	gg_count(u->c_parcels, 1);
	gg_count(u->c_samples, s->samples);
	gg_count(u->c_bytes, s->parcel.payload.len);
	gg_slot_finish(u, s);
}

static void answered(struct gg_uplink_engine *u, struct gg_slot *s, int status)
{
	if (status == 0) {
		acknowledged(u, s);
	} else if (status == -EINVAL) {
		u->dropped++;
		gg_count(u->c_refused, 1);
		gg_log(GG_ERROR, u->name, "the peer refuses a parcel for good, continuing without it",
			GG_SV("about", s->parcel.name), GG_I("bytes", s->parcel.payload.len));
		gg_slot_finish(u, s);
	} else {
		s->state = GG_PARCEL_QUEUED;
		s->retried = true;
		u->sent--;
		u->queued++;
		u->stalled = true; /* until the wake-up */
		wake_in(u, RETRY_NS);
	}
}

void gg_uplink_done(struct gg_host *h, uint64_t parcel_id, int status)
{
	struct gg_uplink_engine *u = engine_of(h);
	for (size_t i = 0; u && i < GG_PARCELS; i++) {
		struct gg_slot *s = &u->slots[i];
		if (s->state == GG_PARCEL_SENT && s->parcel.id == parcel_id) {
			answered(u, s, status);
			gg_engine_wake(u);
			return;
		}
	}
}

static unsigned window(struct gg_uplink_engine *u)
{
	unsigned w = u->component->uplink->window ? u->component->uplink->window(u->self) : 1;
	return w < 1 ? 1 : w > GG_PARCELS / 2 ? GG_PARCELS / 2 : w;
}

/* Sends what may be sent now. */
static void send_queued(struct gg_uplink_engine *u)
{
	unsigned most = window(u);
	struct gg_slot *s;
	while (u->ready && !u->stalled && u->sent < most && (s = gg_slot_next(u))) {
		int64_t wait = gg_rate_wait(&u->rate, gg_loop_now(u->all->loop));
		if (wait > 0 && !s->parcel.urgent) {
			wake_in(u, wait);
			return;
		}
		s->state = GG_PARCEL_SENT; /* before: the answer may come from within */
		u->queued--;
		u->sent++;
		uint64_t bytes = s->parcel.payload.len;
		int rc = u->component->uplink->send(u->self, &s->parcel);
		if (rc < 0) {
			if (s->state == GG_PARCEL_SENT) {
				s->state = GG_PARCEL_QUEUED;
				u->sent--;
				u->queued++;
			}
			u->stalled = true;
			if (rc != -EAGAIN)
				wake_in(u, RETRY_NS);
			return;
		}
		gg_rate_spend(&u->rate, bytes);
		if (s->retried) {
			s->retried = false;
			u->retries++;
			gg_count(u->c_retries, 1);
		}
	}
}

static void close_if_due(struct gg_uplink_engine *u)
{
	int64_t due = gg_collect_due(u);
	if (due == INT64_MAX)
		return;
	if (due <= gg_loop_now(u->all->loop))
		gg_collect_close_round(u);
	else
		wake_in(u, due - gg_loop_now(u->all->loop));
}

static void pump(struct gg_defer *d)
{
	struct gg_uplink_engine *u = GG_CONTAINER(d, struct gg_uplink_engine, pump);
	int n = 0;
	if (u->ready) {
		send_queued(u);
		for (; n < RECORDS_PER_TURN && u->queued < GG_QUEUED_PARCELS; n++) {
			if (!gg_collect_step(u))
				break;
			gg_round_settle(u);
			send_queued(u);
		}
		close_if_due(u);
		send_queued(u);
	}
	if (n == RECORDS_PER_TURN)
		wake_in(u, 0);
	gg_round_settle(u);
	publish_state(u);
}

/* ---- life ---- */

static void tick(struct gg_timer *t)
{
	struct gg_uplink_engine *u = GG_CONTAINER(t, struct gg_uplink_engine, tick_timer);
	gg_cursor_save(u);
	if (!u->ready && !u->down_told && gg_loop_now(u->all->loop) - u->down_mono_ns > TELL_DOWN_NS)
		tell_event(u, true);
	gg_engine_wake(u);
	gg_timer_start(u->all->loop, t, TICK_NS, tick);
}

void gg_uplink_change(struct gg_uplink_engine *u, const struct gg_uplink_common *common)
{
	u->common = *common;
	gg_selection_set(&u->selection, &u->common);
	gg_rate_set(&u->rate, common->rate, gg_loop_now(u->all->loop));
	gg_engine_wake(u);
}

void gg_uplink_pin_name(const char *uplink, char *to, size_t size)
{
	snprintf(to, size, "uplink/%.140s", uplink);
}

static int build(struct gg_uplink_engine *u, const struct gg_uplink_setup *setup)
{
	static const struct gg_encoder *const encoders[] = {
		&gg_encoder_json, &gg_encoder_senml, &gg_encoder_cbor, &gg_encoder_lines};
	u->encoder = encoders[setup->common->format];
	if (setup->common->compress == GG_UPLINK_ZSTD) {
		u->compressor = gg_compressor_new(3);
		if (!u->compressor)
			return -ENOMEM;
	}
	u->host = setup->host;
	u->component = setup->component;
	u->self = setup->self;
	u->name = gg_host_name(setup->host);
	gg_uplink_pin_name(u->name, u->pin_name, sizeof u->pin_name);
	u->backoff_min_ns = setup->backoff_min_ns ? setup->backoff_min_ns : GG_NS_PER_S;
	u->backoff_max_ns = setup->backoff_max_ns ? setup->backoff_max_ns : 60 * GG_NS_PER_S;
	u->since_ns = u->behind_since_ns = gg_loop_utc(u->all->loop);
	u->down_mono_ns = gg_loop_now(u->all->loop);
	gg_str_copy(u->reason, sizeof u->reason, GG_STR("not connected yet"));
	make_metrics(u);
	return 0;
}

static void begin_reading(struct gg_uplink_engine *u)
{
	const struct gg_uplink_source *source = &u->all->source;
	uint64_t position = 0;
	bool known = u->all->memory.load(u->all->memory.arg, u->name, &position) == 0;
	if (!known)
		position = source->end(source->arg);
	u->taken = u->read = u->cursor = position;
	u->saved = known ? position : UINT64_MAX;
	source->pin(source->arg, u->pin_name, position);
	gg_cursor_save(u); /* at once: what comes now is owed, also by a process that lives no second */
}

int gg_uplink_add(struct gg_uplinks *all, const struct gg_uplink_setup *setup,
	struct gg_uplink_engine **ret_engine, struct gg_error *e)
{
	struct gg_uplink_engine *u = calloc(1, sizeof *u);
	if (!u)
		return gg_error_set(e, -ENOMEM, "out of memory");
	u->all = all;
	pthread_mutex_init(&u->lock, NULL);
	if (build(u, setup) < 0) {
		gg_uplink_remove(u);
		return gg_error_set(e, -ENOMEM, "out of memory");
	}
	gg_uplink_change(u, setup->common);
	atomic_fetch_add(&all->engine_count, 1); /* before reading: what comes from now on is in the feed */
	begin_reading(u);
	u->next = all->engines;
	all->engines = u;
	u->next_known = engines;
	engines = u;
	gg_timer_start(all->loop, &u->connect_timer, 0, connect_now);
	gg_timer_start(all->loop, &u->tick_timer, TICK_NS, tick);
	publish_state(u);
	*ret_engine = u;
	return 0;
}

static bool unlink_engine(struct gg_uplink_engine *u)
{
	struct gg_uplink_engine **at = &u->all->engines;
	while (*at && *at != u)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = u->next;
	for (at = &engines; *at != u;)
		at = &(*at)->next_known;
	*at = u->next_known;
	return true;
}

void gg_uplink_remove(struct gg_uplink_engine *u)
{
	if (!u)
		return;
	if (unlink_engine(u)) {
		atomic_fetch_sub(&u->all->engine_count, 1);
		gg_round_settle(u);
		gg_cursor_save(u);
		gg_gauge_set(u->g_up, 0);
	}
	gg_timer_stop(&u->connect_timer);
	gg_timer_stop(&u->tick_timer);
	gg_timer_stop(&u->wake_timer);
	gg_defer_cancel(u->all->loop, &u->pump);
	gg_collect_done(u);
	for (size_t i = 0; i < GG_PARCELS; i++)
		gg_buf_done(&u->slots[i].buf);
	gg_buf_done(&u->scratch);
	gg_selection_done(&u->selection);
	gg_compressor_free(u->compressor);
	pthread_mutex_destroy(&u->lock);
	free(u);
}
