/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forgetting old events: once a minute a worker removes from the catalog what the configuration says is old,
 * a few hundred at a time so that nobody waits long for the catalog; then the book forgets the same.
 */
#include "base/log.h"
#include "core/loop.h"
#include "core/site.h"
#include "core/work.h"
#include "gateway/events.h"
#include "gateway/gateway.h"

enum { AT_ONCE = 500 };

static const int64_t first_after_ns = 10 * GG_NS_PER_S, every_ns = 60 * GG_NS_PER_S;

static struct {
	struct gg_timer timer;
	bool running;
	int64_t before_ns;
	uint64_t most, forgotten, kept;
	int status;
	_Atomic bool stop;
	struct gg_counter *total;
	struct gg_gauge *count;
} old;

static void look(struct gg_timer *t);

static void remove_old(void *arg)
{
	(void)arg;
	uint64_t before;
	do {
		before = old.forgotten;
		old.status = gg_catalog_forget_events(
			gg_gateway.catalog, old.before_ns, old.most, AT_ONCE, &old.forgotten);
	} while (old.status == 0 && old.forgotten > before && !atomic_load(&old.stop));
	gg_catalog_count_events(gg_gateway.catalog, &old.kept);
}

static void removed(void *arg)
{
	(void)arg;
	old.running = false;
	if (old.status < 0)
		gg_log(GG_WARN, "events", "old events could not be removed, trying again later",
			GG_S("reason", strerror(-old.status)));
	if (old.forgotten) {
		gg_log(GG_INFO, "events", "old events are forgotten", GG_I("count", old.forgotten));
		gg_events_forget(old.before_ns, old.most);
	}
	gg_count(old.total, old.forgotten);
	gg_gauge_set(old.count, (int64_t)old.kept);
	if (!atomic_load(&old.stop))
		gg_timer_start(gg_gateway.control, &old.timer, every_ns, look);
}

static void look(struct gg_timer *t)
{
	const struct gg_site_events_retention *r = &gg_gateway.config->site.events.retention;
	old.before_ns = r->age_ns ? gg_clock_utc(&gg_clock_system) - r->age_ns : INT64_MIN;
	old.most = r->count ? r->count : INT64_MAX;
	old.forgotten = 0;
	old.running = gg_work(gg_gateway.control, remove_old, removed, NULL) == 0;
	if (!old.running)
		gg_timer_start(gg_gateway.control, t, every_ns, look);
}

void gg_events_old_start(void)
{
	atomic_store(&old.stop, false);
	old.total = gg_metric_counter("events_forgotten_total", NULL, "Old events removed from the catalog");
	old.count = gg_metric_gauge("events_stored", NULL, "Events in the catalog, seen once a minute");
	gg_timer_start(gg_gateway.control, &old.timer, first_after_ns, look);
}

/* A worker that is at it ends soon; the workers end before the catalog does. */
void gg_events_old_stop(void)
{
	atomic_store(&old.stop, true);
	gg_timer_stop(&old.timer);
}
