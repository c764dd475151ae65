/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/recover.h"
#include "base/log.h"
#include "ganglion/driver.h"
#include "gateway/kept.h"
#include "store/catalog.h"
#include "store/journal.h"

#define KIND(kind) (1U << GG_RECORD_##kind)

static struct gg_shard *shard_named(struct gg_gateway *g, struct gg_str name)
{
	uint64_t number;
	if (gg_parse_uint(name, &number) < 0 || number >= g->shard_count)
		return NULL;
	return g->shards[number];
}

static void cursor_name(char *to, size_t size, unsigned shard)
{
	snprintf(to, size, "checkpoint.%u", shard);
}

struct checkpoint {
	unsigned shard;
	uint64_t position;
};

static void keep_checkpoint(void *arg, int64_t number)
{
	struct checkpoint *c = arg;
	char name[40];
	(void)number;
	cursor_name(name, sizeof name, c->shard);
	if (gg_catalog_put_cursor(gg_gateway.catalog, gg_str(name), c->position) == 0)
		gg_journal_pin(gg_gateway.journal, name, c->position, /* forever= */ true);
	free(c);
}

void gg_checkpoint_follow(void *gateway, const struct gg_record *r)
{
	struct gg_gateway *g = gateway;
	uint64_t shard;
	if (r->kind != GG_RECORD_CHECKPOINT || gg_parse_uint(r->name, &shard) < 0)
		return;
	struct checkpoint *c = malloc(sizeof *c);
	if (!c)
		return; /* the one before it serves */
	*c = (struct checkpoint){(unsigned)shard, r->position};
	if (gg_loop_post(g->control, keep_checkpoint, c, 0) < 0)
		free(c);
}

/* Loads the checkpoint that lies at a position; the state stays as new when it can't be read. */
static int load_checkpoint(struct gg_gateway *g, struct gg_shard *s, uint64_t position)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record r;
	int rc = gg_journal_reader_new(g->journal, position, &reader);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, KIND(CHECKPOINT));
	rc = gg_journal_next(reader, &r);
	if (rc == 1 && r.position == position)
		rc = gg_shard_load(s, r.bytes);
	else
		rc = -ENOENT;
	gg_journal_reader_free(reader);
	return rc;
}

/* Where each shard's inputs have to be run again from. Without a checkpoint that is the oldest there is. */
static void load_checkpoints(struct gg_gateway *g, uint64_t *at)
{
	for (unsigned i = 0; i < g->shard_count; i++) {
		char name[40];
		cursor_name(name, sizeof name, i);
		at[i] = gg_journal_begin(g->journal);
		uint64_t position;
		if (gg_catalog_get_cursor(g->catalog, gg_str(name), &position) < 0)
			continue;
		if (load_checkpoint(g, g->shards[i], position) == 0)
			at[i] = position;
		else
			gg_log(GG_WARN, "recovery", "a checkpoint could not be read, all there is runs again",
				GG_I("shard", i), GG_I("position", position));
	}
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
	g->recovering = on;
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
	load_checkpoints(g, at);
	for (unsigned i = 0; i < g->shard_count; i++)
		from = at[i] < from ? at[i] : from;
	int rc = count_derived(g, at, from);
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
	int rc = gg_journal_reader_new(g->journal, gg_kept_position(g, h), &reader);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, KIND(KEPT));
	while ((rc = gg_journal_next(reader, &r)) == 1)
		if (gg_str_is(r.name, h->name))
			h->component->driver->kept(h->self, r.bytes);
	gg_journal_reader_free(reader);
	return rc;
}
