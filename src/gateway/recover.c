/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/recover.h"
#include "base/log.h"
#include "ganglion/driver.h"
#include "store/journal.h"

#define KIND(kind) (1U << GG_RECORD_##kind)

static struct gg_shard *shard_named(struct gg_gateway *g, struct gg_str name)
{
	uint64_t number;
	if (gg_parse_uint(name, &number) < 0 || number >= g->shard_count)
		return NULL;
	return g->shards[number];
}

/* Finds each shard's last checkpoint and loads it; *ret_from is where the earliest of them lies. */
static int load_checkpoints(struct gg_gateway *g, uint64_t *at)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record r;
	int rc = gg_journal_reader_new(g->journal, 0, &reader);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, KIND(CHECKPOINT));
	while ((rc = gg_journal_next(reader, &r)) == 1) {
		struct gg_shard *s = shard_named(g, r.name);
		if (s && gg_shard_load(s, r.bytes) == 0)
			at[s->number] = r.position;
		else if (s)
			gg_log(GG_WARN, "recovery",
				"a checkpoint could not be read, the one before it is used",
				GG_I("position", r.position));
	}
	gg_journal_reader_free(reader);
	return rc;
}

static int64_t tick_time(struct gg_str bytes)
{
	struct gg_reader r = gg_reader(bytes.p, bytes.len);
	return (int64_t)gg_read_le64(&r);
}

/* What the journal already holds of what a shard derived behind its checkpoint. */
static int count_derived(struct gg_gateway *g, const uint64_t *at, uint64_t from)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record r;
	int rc = gg_journal_reader_new(g->journal, from, &reader);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, KIND(DERIVED));
	while ((rc = gg_journal_next(reader, &r)) == 1) {
		struct gg_shard *s = gg_gateway_shard_of_derived(r.batch);
		if (s && r.position > at[s->number])
			s->derived_known++;
		gg_batch_unref(r.batch);
	}
	gg_journal_reader_free(reader);
	return rc;
}

static void run_again(struct gg_gateway *g, struct gg_record *r, const uint64_t *at, struct gg_recovered *sum)
{
	struct gg_shard *s =
		r->kind == GG_RECORD_INPUT ? gg_gateway_shard_of(r->batch->device) : shard_named(g, r->name);
	if (!s || r->position < at[s->number]) {
		if (r->kind == GG_RECORD_INPUT)
			gg_batch_unref(r->batch);
		return;
	}
	if (r->kind == GG_RECORD_TICK) {
		sum->ticks++;
		gg_shard_tick(s, tick_time(r->bytes));
		return;
	}
	sum->inputs++;
	sum->samples += r->batch->count;
	gg_shard_input_take(s, r->batch);
}

static int run_inputs(struct gg_gateway *g, const uint64_t *at, uint64_t from, struct gg_recovered *sum)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record r;
	int rc = gg_journal_reader_new(g->journal, from, &reader);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, KIND(INPUT) | KIND(TICK));
	while ((rc = gg_journal_next(reader, &r)) == 1)
		run_again(g, &r, at, sum);
	gg_journal_reader_free(reader);
	return rc;
}

static void set_recovering(struct gg_gateway *g, bool on)
{
	for (unsigned i = 0; i < g->shard_count; i++) {
		g->shards[i]->recovering = on;
		gg_plan_set_live(g->shards[i]->plan, !on);
	}
}

int gg_gateway_recover(struct gg_gateway *g, struct gg_recovered *ret_recovered)
{
	uint64_t at[GG_MOST_SHARDS] = {0}, from = UINT64_MAX;
	struct gg_recovered sum = {0};
	int64_t began = gg_clock_monotonic(&gg_clock_system);
	set_recovering(g, true);
	int rc = load_checkpoints(g, at);
	for (unsigned i = 0; i < g->shard_count; i++)
		from = at[i] < from ? at[i] : from;
	if (rc == 0)
		rc = count_derived(g, at, from);
	if (rc == 0)
		rc = run_inputs(g, at, from, &sum);
	set_recovering(g, false);
	sum.took_ns = gg_clock_monotonic(&gg_clock_system) - began;
	*ret_recovered = sum;
	return rc;
}

int gg_gateway_hand_kept(struct gg_gateway *g, struct gg_host *h)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record r;
	if (h->component->kind != GG_DRIVER || !h->component->driver->kept)
		return 0;
	int rc = gg_journal_reader_new(g->journal, 0, &reader);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, KIND(KEPT));
	while ((rc = gg_journal_next(reader, &r)) == 1)
		if (gg_str_is(r.name, h->name))
			h->component->driver->kept(h->self, r.bytes);
	gg_journal_reader_free(reader);
	return rc;
}
