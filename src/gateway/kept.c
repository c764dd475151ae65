/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/kept.h"
#include "core/work.h"
#include "ganglion/driver.h"
#include "store/catalog.h"
#include "store/journal.h"

/* Compacting is worth it when the journal has grown by so much behind the cursor: at a start the driver waits
 * until that has been read. And by a multiple of what the last compaction took: that is written each time. */
static const int64_t look_every_ns = GG_NS_PER_S;
enum { WORTH_IT = 16 << 20, TIMES = 4 };

static struct gg_timer look;

struct compaction {
	struct gg_host *host;
	char name[200];
	uint64_t from, not_kept;
	int flushed;
};

static struct compaction *under_way; /* at most one; what the end interrupts is freed by gg_kept_stop() */

void gg_kept_name(const char *driver, char *to, size_t size)
{
	snprintf(to, size, "kept.%.150s", driver);
}

uint64_t gg_kept_position(struct gg_gateway *g, const char *driver)
{
	char name[200];
	uint64_t position = 0;
	gg_kept_name(driver, name, sizeof name);
	if (gg_catalog_get_cursor(g->catalog, gg_str(name), &position) < 0)
		position = gg_journal_begin(g->journal);
	gg_journal_pin(g->journal, name, position, /* forever= */ true);
	return position;
}

/* Records that could not be kept: those the journal refused, and those it would not even queue. */
static uint64_t not_kept(const struct gg_host *h)
{
	struct gg_journal_stats stats;
	gg_journal_get_stats(gg_gateway.journal, &stats);
	return stats.refused + atomic_load(&h->not_kept);
}

static void over(void)
{
	free(GG_TAKE(under_way));
}

static void flushed(void *arg)
{
	struct compaction *c = arg;
	const struct gg_host *h = gg_gateway_live(c->host);
	if (h) /* and what others wrote meanwhile; also if it failed: not at once again */
		c->host->kept_bytes = gg_journal_end(gg_gateway.journal) - c->from;
	/* Whole or not at all: one record that is missing, and the old ones stay in force. */
	if (h && c->flushed == 0 && not_kept(h) == c->not_kept &&
		gg_catalog_put_cursor(gg_gateway.catalog, gg_str(c->name), c->from) == 0)
		gg_journal_pin(gg_gateway.journal, c->name, c->from, /* forever= */ true);
	over();
}

static void flush(void *arg)
{
	struct compaction *c = arg;
	c->flushed = gg_journal_flush(gg_gateway.journal);
}

/* On the control thread again: the driver has handed all it keeps to the journal; wait until it is synced. */
static void written(void *arg, int64_t number)
{
	(void)number;
	if (gg_work(gg_gateway.control, flush, flushed, arg) < 0)
		over();
}

static void compact(void *arg, int64_t number)
{
	struct compaction *c = arg;
	struct gg_host *h = gg_gateway_live(c->host);
	(void)number;
	if (h)
		h->component->driver->compact(h->self);
	gg_loop_post_sure(gg_gateway.control, written, c, 0);
}

static void begin(struct gg_gateway *g, struct gg_host *h)
{
	struct compaction *c = calloc(1, sizeof *c);
	if (!c)
		return;
	c->host = h;
	c->from = gg_journal_end(g->journal);
	c->not_kept = not_kept(h);
	gg_kept_name(h->name, c->name, sizeof c->name);
	under_way = c;
	if (gg_loop_post(h->loop, compact, c, 0) < 0)
		over();
}

static void look_around(struct gg_timer *t)
{
	struct gg_gateway *g = &gg_gateway;
	for (struct gg_host *h = g->drivers; h && !under_way; h = h->next) {
		char name[200];
		uint64_t position = 0;
		if (!h->component->driver->compact)
			continue;
		gg_kept_name(h->name, name, sizeof name);
		int rc = gg_catalog_get_cursor(g->catalog, gg_str(name), &position);
		uint64_t grown = gg_journal_end(g->journal) - position;
		if (rc == -ENOENT || (grown > WORTH_IT && grown / TIMES > h->kept_bytes))
			begin(g, h);
	}
	gg_timer_start(t->loop, t, look_every_ns, look_around);
}

void gg_kept_start(struct gg_gateway *g)
{
	gg_timer_start(g->control, &look, look_every_ns, look_around);
}

void gg_kept_stop(void)
{
	gg_timer_stop(&look);
	over(); /* all loops have ended: nobody gets a letter about it any more */
}
