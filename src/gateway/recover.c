/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/recover.h"
#include "base/json.h"
#include "base/log.h"
#include "ganglion/driver.h"
#include "gateway/held_events.h"
#include "gateway/kept.h"
#include "store/catalog.h"
#include "store/journal.h"

#define KIND(kind) (1U << GG_RECORD_##kind)

static void cursor_name(char *to, size_t size, unsigned shard)
{
	snprintf(to, size, "checkpoint.%u", shard);
}

/* ---- while running: where the last whole checkpoint of each shard is ---- */

static _Atomic uint64_t kept_from[GG_MOST_SHARDS]; /* positions; the newer serves in the older one's place */

static void keep_checkpoint(GG_UNUSED void *arg, int64_t shard)
{
	char name[40];
	uint64_t position = atomic_load(&kept_from[shard]);
	cursor_name(name, sizeof name, (unsigned)shard);
	if (gg_catalog_put_cursor(gg_gateway.catalog, gg_str(name), position) == 0)
		gg_journal_pin(gg_gateway.journal, name, position, /* forever= */ true);
}

void gg_checkpoint_follow(void *gateway, const struct gg_record *r)
{
	static uint64_t begun[GG_MOST_SHARDS]; /* the journal's thread's */
	struct gg_gateway *g = gateway;
	struct gg_checkpoint_part part;
	if (r->kind != GG_RECORD_CHECKPOINT || gg_checkpoint_part(r->name, r->bytes, &part) < 0)
		return;
	if (part.number == 0) {
		uint64_t rules = gg_checkpoint_rules_from(part.bytes);
		begun[part.shard] = rules && rules < r->position ? rules : r->position;
	}
	if (part.number + 1 < part.count)
		return;
	atomic_store(&kept_from[part.shard], begun[part.shard]);
	(void)gg_loop_post(
		g->control, keep_checkpoint, NULL, part.shard); /* refused: the one before it serves */
}

void gg_checkpoint_pin(struct gg_gateway *g)
{
	for (unsigned i = 0; i < GG_MOST_SHARDS; i++) {
		char name[40];
		uint64_t position;
		cursor_name(name, sizeof name, i);
		if (gg_catalog_get_cursor(g->catalog, gg_str(name), &position) < 0)
			continue;
		if (i < g->shard_count)
			gg_journal_pin(g->journal, name, position, /* forever= */ true);
		else
			gg_catalog_remove_cursor(g->catalog, gg_str(name)); /* there were more shards then */
	}
}

/* ---- finding them again ---- */

struct found {
	uint64_t position; /* of its first record; UINT64_MAX: none */
	uint64_t rules_from;
	struct gg_buf state;
};

struct recovery {
	struct gg_gateway *g;
	struct found best[GG_MOST_SHARDS], next[GG_MOST_SHARDS];
	uint64_t from[GG_MOST_SHARDS]; /* inputs behind it run again; per shard */
	uint64_t rules_from;           /* batches of other shards than 0 go to the rules again */
	struct gg_recovered sum;
};

static void take_part(struct recovery *r, const struct gg_record *record)
{
	struct gg_checkpoint_part part;
	if (gg_checkpoint_part(record->name, record->bytes, &part) < 0 || part.shard >= r->g->shard_count)
		return;
	struct found *next = &r->next[part.shard], *best = &r->best[part.shard];
	if (part.number == 0) {
		gg_buf_clear(&next->state);
		next->position = record->position;
		next->rules_from = gg_checkpoint_rules_from(part.bytes);
	}
	gg_buf_str(&next->state, part.bytes);
	if (part.number + 1 < part.count || next->state.error)
		return;
	struct found old = *best;
	*best = *next;
	*next = (struct found){.state = old.state};
}

static void begin_reading(struct recovery *r)
{
	for (unsigned i = 0; i < r->g->shard_count; i++) {
		gg_buf_clear(&r->best[i].state);
		gg_buf_clear(&r->next[i].state);
		r->best[i].state.max = r->next[i].state.max = (size_t)300 << 20;
		r->best[i].position = UINT64_MAX;
	}
}

/* The latest whole checkpoint of each shard behind a position. */
static int find_checkpoints(struct recovery *r, uint64_t from)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record record;
	begin_reading(r);
	int rc = gg_journal_reader_new(r->g->journal, from, &reader);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, KIND(CHECKPOINT));
	while ((rc = gg_journal_next(reader, &record)) == 1)
		take_part(r, &record);
	gg_journal_reader_free(reader);
	return rc;
}

static bool all_found(const struct recovery *r)
{
	for (unsigned i = 0; i < r->g->shard_count; i++)
		if (r->best[i].position == UINT64_MAX)
			return false;
	return true;
}

/* Where the catalog says they are; later ones may be behind. */
static uint64_t lowest_cursor(const struct gg_gateway *g)
{
	uint64_t lowest = gg_journal_end(g->journal);
	for (unsigned i = 0; i < g->shard_count; i++) {
		char name[40];
		uint64_t position;
		cursor_name(name, sizeof name, i);
		if (gg_catalog_get_cursor(g->catalog, gg_str(name), &position) < 0)
			return gg_journal_begin(g->journal);
		lowest = position < lowest ? position : lowest;
	}
	return lowest;
}

static void load_one(struct recovery *r, unsigned shard)
{
	struct found *f = &r->best[shard];
	int rc = f->position == UINT64_MAX ? -ENOENT
					   : gg_shard_load(r->g->shards[shard], gg_buf_view(&f->state));
	r->from[shard] = rc == 0 ? f->position : gg_journal_begin(r->g->journal);
	if (rc < 0 && r->from[shard] < gg_journal_end(r->g->journal))
		gg_log(GG_WARN, "recovery", "there is no checkpoint of this shard, all there is runs again",
			GG_I("shard", shard), GG_S("reason", gg_error_name(rc)));
	for (unsigned i = 0; rc == -ESTALE && i < r->g->shard_count; i++)
		r->g->shards[i]->derived_known.all = true;
	if (shard == 0)
		r->rules_from = rc == 0 && f->rules_from ? f->rules_from : r->from[0];
	gg_buf_done(&f->state);
	gg_buf_done(&r->next[shard].state);
}

static int load_checkpoints(struct recovery *r)
{
	uint64_t from = lowest_cursor(r->g);
	int rc = find_checkpoints(r, from);
	if (rc == 0 && !all_found(r) && from > gg_journal_begin(r->g->journal))
		rc = find_checkpoints(r, gg_journal_begin(r->g->journal));
	/* All signals first: rules on one shard name those of others. */
	for (unsigned i = 0; i < r->g->shard_count; i++)
		if (r->best[i].position != UINT64_MAX)
			gg_checkpoint_signals(gg_buf_view(&r->best[i].state));
	for (unsigned i = 0; i < r->g->shard_count; i++)
		load_one(r, i);
	return rc;
}

/* ---- running again ---- */

static int64_t tick_time(struct gg_str bytes)
{
	struct gg_reader r = gg_reader(bytes.p, bytes.len);
	return (int64_t)gg_read_le64(&r);
}

/* What the journal already holds of what a shard derived behind its checkpoint. */
static void know_derived(struct recovery *r, struct gg_record *record)
{
	struct gg_shard *s = gg_gateway_shard_of_derived(record->batch);
	if (record->position > r->from[s->number])
		gg_shard_know_derived(s, record->batch);
	gg_batch_unref(record->batch);
}

static void again_input(struct recovery *r, struct gg_record *record)
{
	struct gg_shard *s = gg_gateway_shard_of(record->batch->device);
	bool rules = record->position >= (s->home ? r->rules_from : r->from[0]);
	if (record->position >= r->from[s->number]) {
		s->rules_know = !rules;
		r->sum.inputs++;
		r->sum.samples += record->batch->count;
		gg_shard_input_take(s, record->batch);
		return;
	}
	if (rules)
		gg_shard_rules(r->g->shards[0], record->batch);
	gg_batch_unref(record->batch);
}

/* Where a shard's pipelines have their state already, the rules take what these made from the journal. */
static void again_derived(struct recovery *r, struct gg_record *record)
{
	const struct gg_shard *s = gg_gateway_shard_of_derived(record->batch);
	if (s->home && record->position >= r->rules_from && record->position < r->from[s->number])
		gg_shard_rules(r->g->shards[0], record->batch);
	gg_batch_unref(record->batch);
}

static void again_tick(struct recovery *r, const struct gg_record *record)
{
	uint64_t number;
	if (gg_parse_uint(record->name, &number) < 0 || number >= r->g->shard_count ||
		record->position < r->from[number])
		return;
	r->sum.ticks++;
	r->g->shards[number]->rules_know = false;
	gg_shard_tick(r->g->shards[number], tick_time(record->bytes));
}

/* The text at a pointer of an event's JSON, unescaped into to. */
static struct gg_str text_at(struct gg_str json, const char *pointer, char *to, size_t size)
{
	struct gg_str v;
	if (gg_json_pointer(json, gg_str(pointer), &v) < 0 || v.len < 2 || v.len > size || v.p[0] != '"')
		return GG_STR("");
	return gg_str_n(to, gg_json_unescape(gg_str_n(v.p + 1, v.len - 2), to));
}

static enum gg_severity severity_of(struct gg_str name)
{
	return gg_str_is(name, "critical")  ? GG_CRITICAL
	       : gg_str_is(name, "warning") ? GG_WARNING
					    : GG_INFORMATION;
}

/* Rules that follow events of other kinds saw this one. */
static void again_event(struct recovery *r, const struct gg_record *record)
{
	struct gg_shard *s = r->g->shards[0];
	char kind[64], key[600], title[2048], state[32], severity[32];
	gg_str_copy(kind, sizeof kind, record->name);
	if (record->position < r->from[0] || strcmp(kind, "rule") == 0 || strcmp(kind, "action-failed") == 0)
		return;
	struct gg_str now = text_at(record->bytes, "/state", state, sizeof state);
	struct gg_event_report report = {.kind = kind,
		.key = text_at(record->bytes, "/key", key, sizeof key),
		.title = text_at(record->bytes, "/title", title, sizeof title),
		.severity = severity_of(text_at(record->bytes, "/severity", severity, sizeof severity)),
		.clear = gg_str_is(now, "cleared"),
		.device = GG_NONE,
		.signal = GG_NONE};
	if (report.clear || gg_str_is(now, "open"))
		gg_plan_event(s->plan, &report, s->rules_now_ns);
}

static void run_again(struct recovery *r, struct gg_record *record)
{
	switch (record->kind) {
	case GG_RECORD_INPUT:
		again_input(r, record);
		break;
	case GG_RECORD_DERIVED:
		again_derived(r, record);
		break;
	case GG_RECORD_TICK:
		again_tick(r, record);
		break;
	case GG_RECORD_EVENT:
		again_event(r, record);
		break;
	default:
		break;
	}
}

/* Up to `end`: what the recovery itself appends is not for it. */
static int read_all(struct recovery *r, uint64_t from, uint64_t end, unsigned kinds,
	void (*each)(struct recovery *r, struct gg_record *record))
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record record;
	int rc = gg_journal_reader_new(r->g->journal, from, &reader), patience = 100;
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, kinds);
	for (;;) {
		rc = gg_journal_next(reader, &record);
		if (rc == -ENOMEM && patience-- > 0) { /* the batches wait in the journal's queue */
			gg_journal_flush(r->g->journal);
			continue;
		}
		if (rc != 1 || record.position >= end)
			break;
		each(r, &record);
	}
	if (rc == 1 && (record.kind == GG_RECORD_INPUT || record.kind == GG_RECORD_DERIVED))
		gg_batch_unref(record.batch);
	gg_journal_reader_free(reader);
	return rc < 0 ? rc : 0;
}

static void set_recovering(struct gg_gateway *g, bool on)
{
	for (unsigned i = 0; i < g->shard_count; i++) {
		g->shards[i]->recovering = on;
		g->shards[i]->rules_know = false;
		gg_plan_set_live(g->shards[i]->plan, !on);
		gg_shard_forget_derived(g->shards[i]);
	}
}

static int run_behind_checkpoints(struct recovery *r)
{
	uint64_t from = r->rules_from, end = gg_journal_end(r->g->journal);
	for (unsigned i = 0; i < r->g->shard_count; i++)
		from = r->from[i] < from ? r->from[i] : from;
	unsigned kinds = KIND(INPUT) | KIND(TICK) | KIND(EVENT);
	if (r->g->shard_count > 1)
		kinds |= KIND(DERIVED);
	int rc = read_all(r, from, end, KIND(DERIVED), know_derived);
	return rc == 0 ? read_all(r, from, end, kinds, run_again) : rc;
}

/* Time goes on where it was, even if the machine's clock does not know. */
static void take_up_time(struct gg_gateway *g)
{
	for (unsigned i = 0; i < g->shard_count; i++) {
		gg_gateway_utc_from(g->shards[i]->now_ns);
		gg_gateway_utc_from(g->shards[i]->rules_now_ns);
	}
}

int gg_gateway_recover(struct gg_gateway *g, struct gg_recovered *ret_recovered)
{
	struct recovery *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	int64_t began = gg_clock_monotonic(&gg_clock_system);
	r->g = g;
	set_recovering(g, true);
	gg_held_begin();
	int rc = load_checkpoints(r);
	if (rc == 0)
		rc = run_behind_checkpoints(r);
	set_recovering(g, false);
	take_up_time(g);
	gg_held_end();
	if (g->shard_count)
		gg_plan_reconcile(g->shards[0]->plan, g->shards[0]->rules_now_ns, /* recovered= */ true);
	gg_events_clear_gone_rules(&g->config->site);
	r->sum.took_ns = gg_clock_monotonic(&gg_clock_system) - began;
	*ret_recovered = r->sum;
	free(r);
	return rc;
}

int gg_gateway_hand_kept(struct gg_gateway *g, struct gg_host *h)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record r;
	if (h->component->kind != GG_DRIVER || !h->component->driver->kept)
		return 0;
	int rc = gg_journal_reader_new(g->journal, gg_kept_position(g, h->name), &reader);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, KIND(KEPT));
	while ((rc = gg_journal_next(reader, &r)) == 1)
		if (gg_str_is(r.name, h->name))
			h->component->driver->kept(h->self, r.bytes);
	gg_journal_reader_free(reader);
	return rc;
}
