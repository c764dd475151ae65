/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/shard.h"
#include "base/log.h"
#include "core/loop.h"
#include "core/signals.h"
#include "gateway/gateway.h"
#include "store/journal.h"

enum { MAILBOX = 8192, STATE_MAX = 256 << 20 };

struct gg_shard *gg_shard_new(unsigned number, struct gg_loop *loop, struct gg_journal *journal)
{
	char name[16], label[32];
	struct gg_shard *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	snprintf(name, sizeof name, "shard%u", number % 1000);
	snprintf(label, sizeof label, "shard=\"%u\"", number);
	s->number = number;
	s->of = 1;
	s->journal = journal;
	s->own_loop = !loop;
	s->loop = loop ? loop : gg_loop_new(name, MAILBOX);
	if (s->own_loop && s->loop)
		gg_loop_set_prompt(s->loop);
	s->keep = malloc(GG_BATCH_SAMPLES);
	if (!s->loop || !s->keep) {
		gg_shard_free(s);
		return NULL;
	}
	s->in = gg_metric_counter("shard_samples_total", label, "Samples that came to a shard");
	s->kept = gg_metric_counter("shard_kept_total", label, "Samples that intake let through");
	s->dropped =
		gg_metric_counter("shard_dropped_total", label, "Samples that filters dropped on purpose");
	s->derived = gg_metric_counter("shard_derived_total", label, "Samples that pipelines made");
	s->unjournalled = gg_metric_counter("shard_unjournalled_total", label,
		"Batches that the journal refused (full disk, full queue)");
	s->checkpoint_bytes = gg_metric_counter(
		"shard_checkpoint_bytes_total", label, "Bytes of state written to the journal");
	s->wait = gg_metric_histogram(
		"shard_wait_seconds", label, "From a driver to the start of the work on a batch");
	s->work = gg_metric_histogram(
		"shard_work_seconds", label, "From a driver to the end of the work on a batch");
	return s;
}

void gg_shard_free(struct gg_shard *s)
{
	if (!s)
		return;
	gg_plan_free(s->plan);
	gg_shard_forget_derived(s);
	for (size_t i = 0; i < s->late_count; i++)
		gg_batch_unref(s->late[s->late_first + i].batch);
	free(s->late);
	if (s->own_loop)
		gg_loop_free(s->loop);
	free(s->keep);
	free(s);
}

/* ---- intake ---- */

/* Drops what nobody wants, in place: the batch is not frozen yet and ours alone. */
static void keep_wanted(struct gg_shard *s, struct gg_batch *b)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < b->count; i++)
		if (gg_keep(s->keep[i]))
			b->samples[n++] = b->samples[i];
	gg_count(s->kept, n);
	gg_count(s->dropped, b->count - n);
	b->count = n;
}

static void show_last(const struct gg_batch *b)
{
	for (uint32_t i = 0; i < b->count; i++)
		gg_last_put(b, &b->samples[i]);
}

/* ---- derive ---- */

void gg_shard_rules(struct gg_shard *home, const struct gg_batch *b)
{
	if (b->received_ns > home->rules_now_ns)
		home->rules_now_ns = b->received_ns;
	gg_plan_rules(home->plan, b, home->rules_now_ns);
}

static void wake_waiting(struct gg_shard *s)
{
	if (atomic_load(&s->somebody_waits) && atomic_exchange(&s->somebody_waits, false))
		gg_gateway_resume_drivers();
}

static void home_run(void *arg, int64_t number)
{
	struct gg_batch *b = arg;
	struct gg_shard *s = (struct gg_shard *)(intptr_t)number;
	gg_shard_rules(s, b);
	s->changed = true;
	gg_shard_arm(s);
	gg_batch_unref(b);
	wake_waiting(s);
}

static void to_rules(struct gg_shard *s, struct gg_batch *b)
{
	struct gg_shard *home = s->home ? s->home : s;
	if (s->recovering && s->rules_know)
		return;
	if (home == s || s->recovering) { /* one thread feeds all shards then, in the journal's order */
		gg_shard_rules(home, b);
		return;
	}
	/* Sure: what one batch brings about is bounded, and gg_shard_send() takes none while home is crowded.
	 */
	gg_batch_ref(b);
	if (gg_loop_post_sure(home->loop, home_run, b, (int64_t)(intptr_t)home) < 0)
		gg_batch_unref(b);
}

static void take_derived(void *arg, struct gg_batch *b)
{
	struct gg_shard *s = arg;
	b->received_ns = s->now_ns;
	gg_batch_freeze(b);
	gg_count(s->derived, b->count);
	show_last(b);
	to_rules(s, b);
	if (s->derived_to)
		s->derived_to(s->derived_arg, b);
	else if (!s->recovering || !gg_shard_met_derived(s, b))
		gg_shard_journal(s, b);
	gg_batch_unref(b);
}

/* Frozen means it has been here before: it comes from the journal, or again after a full disk. */
void gg_shard_input_take(struct gg_shard *s, struct gg_batch *b)
{
	struct gg_pipeline_sink sink = {gg_plan_hold, s->plan};
	if (b->frozen && !s->recovering && s->journal) {
		gg_shard_journal(s, b);
		gg_batch_unref(b);
		return;
	}
	if (b->received_ns > s->now_ns)
		s->now_ns = b->received_ns;
	gg_count(s->in, b->count);
	s->samples_since += b->count;
	memset(s->keep, 0, b->count);
	for (size_t i = 0; i < s->plan->pipeline_count; i++)
		gg_pipeline_run(s->plan->pipelines[i], b, s->now_ns, s->keep, &sink);
	if (!b->frozen) {
		keep_wanted(s, b);
		gg_batch_freeze(b);
		s->changed = true;
	}
	show_last(b);
	if (b->count)
		to_rules(s, b);
	if (b->count && !s->recovering)
		gg_shard_journal(s, b);
	else if (b->receipt)
		gg_receipt_return(GG_TAKE(b->receipt), 0); /* dropped on purpose counts as kept */
	gg_plan_release(s->plan, take_derived, s);
	gg_batch_unref(b);
}

/* ---- letters ---- */

static void run_batch(void *arg, int64_t number)
{
	struct gg_batch *b = arg;
	struct gg_shard *s = (struct gg_shard *)(intptr_t)number;
	int64_t arrived = b->arrived_mono_ns;
	gg_histogram_add(s->wait, gg_clock_monotonic(&gg_clock_system) - arrived);
	gg_shard_input_take(s, b);
	gg_histogram_add(s->work, gg_clock_monotonic(&gg_clock_system) - arrived);
	gg_shard_arm(s);
	wake_waiting(s);
}

int gg_shard_send(struct gg_shard *s, struct gg_batch *b)
{
	b->arrived_mono_ns = gg_clock_monotonic(&gg_clock_system);
	if (s->home && gg_loop_is_crowded(s->home->loop))
		return -EAGAIN;
	if (s->journal && gg_journal_is_crowded(s->journal))
		return -EAGAIN;
	return gg_loop_post(s->loop, run_batch, b, (int64_t)(intptr_t)s);
}

/* The journal wakes by itself (store.c). */
void gg_shard_want_room(struct gg_shard *s)
{
	atomic_store(&s->somebody_waits, true);
	if (s->home)
		atomic_store(&s->home->somebody_waits, true);
}

/* ---- time ---- */

void gg_shard_tick(struct gg_shard *s, int64_t now_ns)
{
	struct gg_pipeline_sink sink = {take_derived, s};
	if (now_ns > s->now_ns)
		s->now_ns = now_ns;
	if (now_ns > s->rules_now_ns)
		s->rules_now_ns = now_ns;
	for (size_t i = 0; s->plan && i < s->plan->pipeline_count; i++)
		if (gg_pipeline_due(s->plan->pipelines[i]) <= s->now_ns)
			gg_pipeline_tick(s->plan->pipelines[i], s->now_ns, &sink);
	gg_plan_tick_rules(s->plan, s->rules_now_ns);
}

static void tick_fires(struct gg_timer *t)
{
	struct gg_shard *s = GG_CONTAINER(t, struct gg_shard, tick);
	int64_t now = gg_gateway_utc();
	gg_shard_journal_tick(s, now);
	s->changed = true;
	gg_shard_tick(s, now);
	gg_shard_arm(s);
}

void gg_shard_arm(struct gg_shard *s)
{
	int64_t due = s->plan ? gg_plan_due(s->plan) : INT64_MAX;
	if (due == INT64_MAX) {
		gg_timer_stop(&s->tick);
		return;
	}
	int64_t after = due - gg_gateway_utc();
	/* Time that lies behind (a recording played in the past) is over at once. */
	gg_timer_start(s->loop, &s->tick, after > 0 ? after : 0, tick_fires);
}

/* ---- another plan ---- */

struct gg_plan *gg_shard_swap(struct gg_shard *s, struct gg_plan *plan)
{
	struct gg_plan *old = s->plan;
	struct gg_buf state GG_CLEANUP(gg_buf_done) = GG_BUF(STATE_MAX);
	if (old) {
		gg_plan_save(old, &state);
		struct gg_reader r = gg_reader(state.p, state.len);
		if (state.error || gg_plan_load(plan, &r) < 0)
			gg_log(GG_WARN, gg_loop_name(s->loop),
				"pipelines begin anew: their state could not be taken over");
	}
	s->plan = plan;
	s->changed = true;
	gg_shard_arm(s);
	if (old) /* what lies behind was derived by another plan: a restart should not run it through this one
		  */
		gg_shard_checkpoint(s);
	return old;
}
