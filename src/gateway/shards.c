/* SPDX-License-Identifier: Apache-2.0 */
/* All shards together: how many, which device belongs where, and changing their plans. */
#include "core/loop.h"
#include "core/signals.h"
#include "gateway/events_store.h"
#include "gateway/gateway.h"
#include "gateway/held_events.h"
#include "pipeline/rule.h"

#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t lock =
	PTHREAD_MUTEX_INITIALIZER; /* guards the end of the shards against the journal */

static unsigned wanted_shards(const struct gg_site *site)
{
	if (site->shards)
		return (unsigned)gg_min_size(site->shards, GG_MOST_SHARDS);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores > 2 ? (unsigned)gg_min_size((size_t)cores - 1, GG_MOST_SHARDS) : 1;
}

int gg_shards_make(struct gg_gateway *g, struct gg_error *e)
{
	unsigned wanted = wanted_shards(&g->config->site);
	/* Where cores are few, a thread of its own costs more than it gives: docs/decisions/0012. */
	bool with_drivers = !g->config->site.shards && wanted == 1;
	for (unsigned i = 0; i < wanted; i++) {
		g->shards[i] = gg_shard_new(i, with_drivers ? g->io : NULL, g->journal);
		if (!g->shards[i])
			return gg_error_set(e, -ENOMEM, "no memory for %u shards", wanted);
		g->shards[i]->home = i ? g->shards[0] : NULL;
		g->shards[i]->of = wanted;
		g->shard_count++;
	}
	return 0;
}

int gg_shards_start(struct gg_gateway *g)
{
	int rc = 0;
	for (unsigned i = 0; i < g->shard_count && rc == 0; i++) {
		gg_shard_arm(g->shards[i]);
		gg_shard_checkpoints_start(g->shards[i]);
		if (g->shards[i]->own_loop)
			rc = gg_loop_start(g->shards[i]->loop);
	}
	return rc;
}

static void report(void *arg, const struct gg_event_report *r)
{
	(void)arg;
	if (!gg_held_event(r))
		gg_event(r);
}

/* ---- what rules do to the world: the live ones, which also ask the book ---- */

static uint64_t rule_event(void *ctx, const struct gg_event_report *r)
{
	return gg_rule_ops_live.event(ctx, r);
}

static void rule_trace(void *ctx, uint64_t event, struct gg_str step_json)
{
	gg_rule_ops_live.trace(ctx, event, step_json);
}

static int rule_run(void *ctx, const struct gg_rule_action *a, const struct gg_trigger *t,
	struct gg_call *call, struct gg_error *e)
{
	return gg_rule_ops_live.run(ctx, a, t, call, e);
}

static uint64_t rule_known(void *ctx, const char *kind, struct gg_str key)
{
	(void)ctx;
	return gg_events_open_id(kind, key);
}

static const struct gg_rule_ops rule_ops = {
	.event = rule_event, .trace = rule_trace, .run = rule_run, .known = rule_known};

int gg_shards_plan(struct gg_gateway *g, const struct gg_config *c, uint64_t revision, struct gg_plan **plans,
	struct gg_error *e)
{
	for (unsigned i = 0; i < g->shard_count; i++) {
		struct gg_plan_options o = {.site = &c->site,
			.loop = g->shards[i]->loop,
			.rules = i == 0,
			.rule_ops = &rule_ops,
			.event = report,
			.revision = revision};
		int rc = gg_plan_new(&o, &plans[i], e);
		if (rc < 0) {
			while (i-- > 0) {
				gg_plan_free(plans[i]);
				plans[i] = NULL;
			}
			return rc;
		}
	}
	return 0;
}

struct swap {
	struct gg_shard *shard;
	struct gg_plan *plan;
};

static void do_swap(void *arg, int64_t number)
{
	struct swap *s = arg;
	(void)number;
	s->plan = gg_shard_swap(s->shard, s->plan);
}

void gg_shards_swap(struct gg_gateway *g, struct gg_plan **plans)
{
	for (unsigned i = 0; i < g->shard_count; i++) {
		struct swap s = {g->shards[i], plans[i]};
		gg_loop_call(g->shards[i]->loop, do_swap, &s, 0);
		gg_plan_free(s.plan);
	}
}

struct gg_shard *gg_gateway_shard_of(uint32_t device)
{
	struct gg_gateway *g = &gg_gateway;
	return g->shard_count == 1 ? g->shards[0]
				   : g->shards[gg_hash_stable(gg_device_id(device)) % g->shard_count];
}

struct gg_shard *gg_gateway_shard_of_derived(const struct gg_batch *b)
{
	const struct gg_signal_info *info = b->count ? gg_signal(b->samples[0].signal) : NULL;
	struct gg_str source = info ? info->signal : GG_STR("");
	struct gg_str device = gg_str_cut(&source, '/');
	uint32_t index = source.len ? gg_device_find(device) : GG_NONE;
	return index == GG_NONE ? gg_gateway.shards[0] : gg_gateway_shard_of(index);
}

/* Only of what has been at work: what failed at its start must not replace what is there. */
static void last_checkpoint(void *arg, int64_t number)
{
	struct gg_shard *s = arg;
	(void)number;
	gg_shard_journal_finish(s);
	if (s->checkpoint.place)
		gg_shard_checkpoint(s);
	gg_timer_stop(&s->checkpoint);
}

static void reconcile(void *arg, int64_t number)
{
	struct gg_shard *s = arg;
	(void)number;
	gg_plan_reconcile(s->plan, s->rules_now_ns, /* recovered= */ false);
	gg_shard_arm(s);
}

/* Behind what the old plan's rules have told so far. */
static void reconcile_later(void *arg, int64_t number)
{
	(void)arg;
	(void)number;
	gg_loop_call(gg_gateway.shards[0]->loop, reconcile, gg_gateway.shards[0], 0);
	gg_events_clear_gone_rules(&gg_gateway.config->site);
}

void gg_shards_reconcile(struct gg_gateway *g)
{
	gg_loop_post_sure(g->control, reconcile_later, NULL, 0);
}

void gg_shards_stop(struct gg_gateway *g)
{
	for (unsigned i = g->shard_count; i-- > 0;) { /* shard 0, the others' home, is the last */
		struct gg_shard *s = g->shards[i];
		gg_loop_call(s->loop, last_checkpoint, s, 0);
		if (!s->own_loop)
			continue;
		gg_loop_end(s->loop);
		gg_loop_join(s->loop);
	}
}

void gg_shards_free(struct gg_gateway *g)
{
	pthread_mutex_lock(&lock);
	unsigned count = g->shard_count;
	g->shard_count = 0;
	pthread_mutex_unlock(&lock);
	for (unsigned i = 0; i < count; i++)
		gg_shard_free(g->shards[i]);
}

void gg_shards_journal_room(struct gg_gateway *g)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < g->shard_count; i++)
		gg_shard_journal_room(g->shards[i]);
	pthread_mutex_unlock(&lock);
}

/* ---- events to rules that listen to events ---- */

struct told {
	struct gg_event_report r;
	char bytes[];
};

static void tell(void *arg, int64_t number)
{
	struct told *t = arg;
	struct gg_shard *s = gg_gateway.shards[0];
	(void)number;
	gg_plan_event(s->plan, &t->r, s->rules_now_ns);
	s->changed = true;
	gg_shard_arm(s);
	free(t);
}

void gg_events_tell_rules(const struct gg_event_report *r)
{
	size_t kind = strlen(r->kind) + 1;
	if (gg_gateway.shard_count == 0 || strcmp(r->kind, "rule") == 0 ||
		strcmp(r->kind, "action-failed") == 0)
		return; /* rules don't listen to themselves */
	struct told *t = malloc(sizeof *t + kind + r->key.len + r->title.len);
	if (!t)
		return;
	t->r = *r;
	memcpy(t->bytes, r->kind, kind);
	memcpy(t->bytes + kind, r->key.p, r->key.len);
	memcpy(t->bytes + kind + r->key.len, r->title.p, r->title.len);
	t->r.kind = t->bytes;
	t->r.key.p = t->bytes + kind;
	t->r.title.p = t->bytes + kind + r->key.len;
	t->r.message = t->r.trace_json = GG_STR("");
	if (gg_loop_post(gg_gateway.shards[0]->loop, tell, t, 0) < 0)
		free(t);
}
