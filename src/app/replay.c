/* SPDX-License-Identifier: Apache-2.0 */
#include "app/replay.h"
#include "app/known.h"
#include "base/clock.h"
#include "core/signals.h"
#include "gateway/gateway.h"
#include "pipeline/rule.h"
#include "store/journal.h"

#include <dirent.h>
#include <sys/stat.h>

#define KIND(kind) (1U << GG_RECORD_##kind)

/* How far behind the end of the range records of what fell into it may still come. */
static const int64_t after_ns = 60 * GG_NS_PER_S;

enum { EVENTS_WAITING = 256 };

/* Reports of stages, handed to rules once the record that made them is through: as between threads, live. */
struct waiting {
	struct gg_event_report r;
	char text[256];
};

static struct {
	struct gg_replay *r;
	struct gg_host *known;
	uint64_t at[GG_MOST_SHARDS]; /* where each shard's inputs begin */
	struct waiting waiting[EVENTS_WAITING];
	size_t waiting_count;
} here;

static int64_t now_of_rules(void)
{
	return gg_gateway.shards[0]->now_ns;
}

/* ---- what goes out of pipelines and rules comes here instead ---- */

static void wait_for_rules(const struct gg_event_report *r)
{
	if (here.waiting_count == EVENTS_WAITING)
		return;
	struct waiting *w = &here.waiting[here.waiting_count++];
	w->r = *r;
	size_t kind = strlen(r->kind) + 1;
	int n = snprintf(w->text, sizeof w->text, "%s%c%.*s", r->kind, 0, GG_STR_ARG(r->key));
	w->r.kind = w->text;
	w->r.key = gg_str_n(w->text + kind, gg_min_size((size_t)n, sizeof w->text - 1) - kind);
	w->r.title = w->r.key;
	w->r.trace_json = GG_STR("");
}

static void stage_reports(void *shard, const struct gg_event_report *r)
{
	const struct gg_shard *s = shard;
	gg_book_report(&here.r->book, r, s->now_ns);
	wait_for_rules(r);
}

static uint64_t rule_reports(void *ctx, const struct gg_event_report *r)
{
	(void)ctx;
	gg_book_report(&here.r->book, r, now_of_rules());
	return 1;
}

static void no_trace(void *ctx, uint64_t event, struct gg_str step)
{
	(void)ctx;
	(void)event;
	(void)step;
}

/* Taken, and never answered: nothing happens in a replay. */
static int no_action(void *ctx, const struct gg_rule_action *a, const struct gg_trigger *t,
	struct gg_call *call, struct gg_error *e)
{
	(void)ctx;
	(void)a;
	(void)t;
	(void)e;
	gg_call_done(call, 0, NULL);
	return 0;
}

static const struct gg_rule_ops dry_ops = {.event = rule_reports, .trace = no_trace, .run = no_action};

static bool in_range(int64_t ns)
{
	return ns >= here.r->from_ns && ns < here.r->to_ns;
}

static void derived(void *arg, struct gg_batch *b)
{
	(void)arg;
	if (in_range(b->received_ns))
		gg_diff_add(&here.r->diff, GG_REPLAYED, b);
}

static void tell_rules(void)
{
	for (size_t i = 0; i < here.waiting_count; i++)
		gg_plan_event(gg_gateway.shards[0]->plan, &here.waiting[i].r, now_of_rules());
	here.waiting_count = 0;
}

/* ---- the beginning: the last checkpoint of each shard before the range ---- */

static int64_t time_in(struct gg_str bytes)
{
	struct gg_reader r = gg_reader(bytes.p, bytes.len);
	return (int64_t)gg_read_le64(&r);
}

struct beginning {
	uint64_t position[GG_MOST_SHARDS]; /* of the checkpoint, 0 = none */
	int64_t first_ns[GG_MOST_SHARDS];  /* time of the first there is, INT64_MAX = none */
	unsigned shards;                   /* how many there were */
	uint64_t oldest;                   /* position of the oldest record */
	bool cut;                          /* the journal's own beginning is gone */
};

static void note_checkpoint(struct beginning *b, const struct gg_record *rec, int64_t from_ns)
{
	uint64_t shard;
	int64_t ns = time_in(rec->bytes);
	if (gg_parse_uint(rec->name, &shard) < 0 || shard >= GG_MOST_SHARDS || rec->bytes.len < sizeof ns)
		return;
	b->shards = shard >= b->shards ? (unsigned)shard + 1 : b->shards;
	if (ns < from_ns || (from_ns == INT64_MIN && b->cut && b->first_ns[shard] == INT64_MAX)) {
		b->position[shard] = rec->position;
		b->first_ns[shard] = b->first_ns[shard] == INT64_MAX ? ns : b->first_ns[shard];
	}
}

static int open_reader(const struct gg_replay *r, uint64_t position, struct gg_journal_reader **ret_reader,
	struct gg_error *e)
{
	int rc = gg_journal_reader_open(r->journal_dir, &gg_names_table, r->root, position, ret_reader);
	return rc < 0 ? gg_error_set(e, rc, "the journal %s can't be read: %s", r->journal_dir,
				gg_journal_reader_error(rc))
		      : 0;
}

static int find_beginning(struct gg_replay *r, struct beginning *b, struct gg_error *e)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record rec;
	int rc = open_reader(r, 0, &reader, e);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < GG_MOST_SHARDS; i++)
		b->first_ns[i] = INT64_MAX;
	rc = gg_journal_next(reader, &rec);
	if (rc == 1 && (rec.kind == GG_RECORD_INPUT || rec.kind == GG_RECORD_DERIVED))
		gg_batch_unref(rec.batch);
	b->oldest = rc == 1 ? rec.position : 0;
	b->cut = b->oldest > 1 << 20;
	if (rc == 1 && rec.kind == GG_RECORD_CHECKPOINT)
		note_checkpoint(b, &rec, r->from_ns);
	gg_journal_reader_kinds(reader, KIND(CHECKPOINT));
	while (rc == 1 && (rc = gg_journal_next(reader, &rec)) == 1) {
		note_checkpoint(b, &rec, r->from_ns);
		gg_cli_progress(r->args, "looking for the state at the beginning, records", rec.position, 0);
	}
	gg_journal_reader_free(reader);
	return rc < 0 ? gg_error_set(e, rc, "the journal can't be read: %s", strerror(-rc)) : 0;
}

/* ---- shards with plans of the configuration in question ---- */

static int make_shards(struct gg_replay *r, unsigned seen, struct gg_error *e)
{
	struct gg_gateway *g = &gg_gateway;
	struct gg_problems problems = {0};
	g->config = r->config;
	if (seen > r->config->site.shards && r->config->site.shards)
		r->config->site.shards = seen;
	gg_signals_limit((uint32_t)r->config->site.limits.devices, (uint32_t)r->config->site.limits.signals);
	gg_batch_set_budget(r->config->site.limits.batch_memory);
	here.known = gg_known_signals(r->config, &problems);
	if (problems.count)
		*e = problems.items[0];
	int rc = problems.count ? -EINVAL : gg_shards_make(g, e);
	gg_problems_done(&problems);
	for (unsigned i = 0; i < g->shard_count && rc == 0; i++) {
		struct gg_plan_options o = {.site = &r->config->site,
			.loop = g->shards[i]->loop,
			.rules = i == 0,
			.dry = true,
			.rule_ops = &dry_ops,
			.event = stage_reports,
			.event_arg = g->shards[i]};
		rc = gg_plan_new(&o, &g->shards[i]->plan, e);
		g->shards[i]->recovering = true;
		g->shards[i]->derived_to = derived;
	}
	return rc;
}

static int load_checkpoint(const struct gg_replay *r, struct gg_shard *s, uint64_t position)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record rec;
	int rc = open_reader(r, position, &reader, NULL);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, KIND(CHECKPOINT));
	rc = gg_journal_next(reader, &rec);
	rc = rc == 1 && rec.position == position ? gg_shard_load(s, rec.bytes) : -ENOENT;
	gg_journal_reader_free(reader);
	return rc;
}

/* The state at the beginning; where inputs are to be run from. */
static uint64_t load_state(struct gg_replay *r, const struct beginning *b)
{
	uint64_t from = UINT64_MAX;
	int64_t warm_ns = INT64_MIN;
	for (unsigned i = 0; i < gg_gateway.shard_count; i++) {
		here.at[i] = b->oldest;
		if (b->position[i] && load_checkpoint(r, gg_gateway.shards[i], b->position[i]) == 0)
			here.at[i] = b->position[i];
		else
			r->cold |= b->cut;
		if (gg_gateway.shards[i]->now_ns > warm_ns)
			warm_ns = gg_gateway.shards[i]->now_ns;
		from = here.at[i] < from ? here.at[i] : from;
	}
	if (r->from_ns == INT64_MIN && b->cut && warm_ns)
		r->from_ns = warm_ns + 1;
	r->book.warm_ns = warm_ns;
	return from == UINT64_MAX ? 0 : from;
}

/* What was open before the first record that runs. */
static int note_open(struct gg_replay *r, const struct beginning *b, uint64_t from)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record rec;
	int rc = open_reader(r, b->oldest, &reader, NULL);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, KIND(EVENT));
	while ((rc = gg_journal_next(reader, &rec)) == 1 && rec.position < from)
		gg_book_record(&r->book, rec.bytes, INT64_MIN, NULL);
	gg_journal_reader_free(reader);
	return rc < 0 ? rc : 0;
}

/* ---- the run ---- */

static void run_input(struct gg_replay *r, struct gg_batch *b, uint64_t position)
{
	struct gg_shard *s = gg_gateway_shard_of(b->device);
	if (position < here.at[s->number] || b->received_ns >= r->to_ns) {
		gg_batch_unref(b);
		return;
	}
	r->inputs += in_range(b->received_ns);
	r->samples += in_range(b->received_ns) ? b->count : 0;
	gg_shard_input_take(s, b);
}

static void run_tick(struct gg_replay *r, const struct gg_record *rec)
{
	uint64_t shard;
	int64_t ns = time_in(rec->bytes);
	if (gg_parse_uint(rec->name, &shard) < 0 || shard >= gg_gateway.shard_count ||
		rec->position < here.at[shard] || ns >= r->to_ns)
		return;
	r->ticks += in_range(ns);
	gg_shard_tick(gg_gateway.shards[shard], ns);
}

static void run_event(struct gg_replay *r, const struct gg_record *rec)
{
	struct gg_event_report report;
	if (gg_book_record(&r->book, rec->bytes, r->seen_ns, &report) && rec->position >= here.at[0])
		gg_plan_event(gg_gateway.shards[0]->plan, &report, now_of_rules());
}

/* Returns the record's time, INT64_MIN when it has none. */
static int64_t run_record(struct gg_replay *r, struct gg_record *rec)
{
	int64_t ns = INT64_MIN;
	switch (rec->kind) {
	case GG_RECORD_INPUT:
		ns = rec->batch->received_ns;
		run_input(r, rec->batch, rec->position);
		break;
	case GG_RECORD_DERIVED:
		if (in_range(rec->batch->received_ns))
			gg_diff_add(&r->diff, GG_HAPPENED, rec->batch);
		gg_batch_unref(rec->batch);
		break;
	case GG_RECORD_TICK:
		ns = time_in(rec->bytes);
		run_tick(r, rec);
		break;
	case GG_RECORD_EVENT:
		run_event(r, rec);
		break;
	default:
		break;
	}
	tell_rules();
	return ns;
}

static uint64_t bytes_in(const char *dir)
{
	DIR *folder = opendir(dir);
	uint64_t sum = 0;
	struct stat st;
	for (struct dirent *e; folder && (e = readdir(folder));)
		if (fstatat(dirfd(folder), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	if (folder)
		closedir(folder);
	return sum;
}

static int run_all(struct gg_replay *r, const struct beginning *b, uint64_t from, struct gg_error *e)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record rec;
	uint64_t total = b->oldest + bytes_in(r->journal_dir) - from;
	int rc = open_reader(r, from, &reader, e);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(reader, KIND(INPUT) | KIND(DERIVED) | KIND(TICK) | KIND(EVENT));
	while ((rc = gg_journal_next(reader, &rec)) == 1) {
		uint64_t done = rec.position - from;
		int64_t ns = run_record(r, &rec);
		r->seen_ns = ns > r->seen_ns ? ns : r->seen_ns;
		gg_cli_progress(r->args, "replaying", done < total ? done : total, total);
		if (ns != INT64_MIN && r->to_ns < INT64_MAX - after_ns && ns > r->to_ns + after_ns)
			break;
	}
	r->unread_bytes = gg_journal_reader_damaged(reader);
	gg_journal_reader_free(reader);
	gg_cli_progress_end();
	return rc < 0 ? gg_error_set(e, rc, "the journal can't be read: %s", strerror(-rc)) : 0;
}

static void finish(struct gg_replay *r)
{
	gg_diff_finish(&r->diff);
	gg_book_match(&r->book);
	gg_shards_free(&gg_gateway);
	gg_known_free(here.known);
	gg_gateway.config = NULL;
}

int gg_replay_run(struct gg_replay *r, struct gg_error *e)
{
	struct beginning b = {0};
	uint64_t from = 0;
	int64_t began = gg_clock_monotonic(&gg_clock_system);
	here.r = r;
	int rc = find_beginning(r, &b, e);
	if (rc == 0)
		rc = make_shards(r, b.shards, e);
	if (rc == 0) {
		from = load_state(r, &b);
		r->book.from_ns = r->from_ns;
		r->book.to_ns = r->to_ns;
		rc = note_open(r, &b, from);
	}
	if (rc == 0)
		rc = run_all(r, &b, from, e);
	finish(r);
	if (rc == 0 && (r->diff.error || r->book.error))
		rc = gg_error_set(e, -ENOMEM, "out of memory; try a shorter range");
	r->seconds = (double)(gg_clock_monotonic(&gg_clock_system) - began) / 1e9;
	return rc;
}
