/* SPDX-License-Identifier: Apache-2.0 */
/* What the history's tests share: a journal and a history over it, in a folder of their own. */
#ifndef GG_HISTORY_FIXTURE_H
#define GG_HISTORY_FIXTURE_H

#include "store_fixture.h"

#include "store/history.h"

#define S GG_NS_PER_S

/* Time of day as the test says, intervals as they are: threads wait by them. */
struct day_clock {
	struct gg_clock clock;
	_Atomic int64_t utc;
};

static inline int64_t real_monotonic(GG_UNUSED const struct gg_clock *c)
{
	return gg_clock_monotonic(&gg_clock_system);
}

static inline int64_t set_utc(const struct gg_clock *c)
{
	return GG_CONTAINER(c, struct day_clock, clock)->utc;
}

struct fixture {
	struct folder folder;
	char dir[128], path[128];
	struct gg_journal_options jo;
	struct gg_history_options ho;
	struct day_clock clock;
	struct gg_journal *j;
	struct gg_history *h;
	struct gg_history_reader *r;
	uint32_t signal, other;
};

static inline struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	folder_make(&f->folder);
	snprintf(f->dir, sizeof f->dir, "%s/journal", f->folder.path);
	snprintf(f->path, sizeof f->path, "%s/history.db", f->folder.path);
	f->clock = (struct day_clock){{real_monotonic, set_utc}, 0};
	f->jo = (struct gg_journal_options){.dir = f->dir, .root = the_root, .names = &gg_names_table};
	return f;
}

static inline void begin(struct fixture *f)
{
	struct gg_error e = {0};
	assert_int_equal(gg_history_open(&f->ho, &f->h, &e), 0);
	f->jo.min_position = gg_history_position(f->h);
	assert_int_equal(gg_journal_open(&f->jo, &f->j, &e), 0);
	assert_int_equal(gg_history_start(f->h, f->j, &e), 0);
	assert_int_equal(gg_journal_start(f->j, &e), 0);
	assert_int_equal(gg_history_reader_new(f->h, &f->r, &e), 0);
}

static inline void end(struct fixture *f)
{
	f->r = gg_history_reader_free(f->r);
	gg_history_stop(f->h);
	gg_journal_close(f->j);
	gg_history_free(f->h);
	f->j = NULL;
	f->h = NULL;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	end(f);
	folder_remove(&f->folder);
	free(f);
	return 0;
}

/* Until all that was put in has been read by the history. */
static inline void settle(struct fixture *f)
{
	assert_int_equal(gg_journal_flush(f->j), 0);
	gg_history_wait(f->h);
}

#endif
