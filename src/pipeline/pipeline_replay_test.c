/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The promises a journal rests on, held against random input with bad samples, repetitions, late ones,
 * jumping clocks and texts, in batches of all sizes:
 *
 *   - running a pipeline over what several pipelines together kept gives what it gave live
 *   - a pipeline keeps all of what it kept before
 *   - one that is saved and loaded in the middle goes on as if nothing had happened
 */
#include "pipeline_bed.h"

enum { BATCHES = 60, PIPES = 7 };

static const char *const pipes[PIPES] = {"select: 'rp/*'\nstages: [{ deadband: 0.4 }, { range: { low: 0, "
					 "high: 30 } }, { window: { every: 5s, give: [mean, count, p90] } }]",
	"select: ['rp/*', '!rp/1']\nstages: [{ duplicate: { order: drop } }, { deadband: { band: 5%, "
	"max_silence: 20s } }, detect]",
	"select: 'rp/*'\nstages: [{ normalise: { scale: 3, offset: 1 } }, { throttle: 700ms }, { normalise: "
	"{ clamp: [10, 80] } }, change]",
	"select: 'rp/[0-2]'\nstages: [change]",
	"select: 'rp/*'\nstages: [{ change: 3s }, { throttle: 1s }, { window: { by: hopping, every: 2s, "
	"size: 8s, late: 3s, empty: last } }]",
	"select: 'rp/*'\nstages: [{ range: { low: 5, high: 25, else: clamp } }, { duplicate: {} }, { rate: { "
	"limit: 4, else: drop } }, { window: { by: session, gap: 2s, give: [range, count] } }]",
	"select: 'rp/3'\nstages: [{ throttle: 300ms }, { deadband: 1 }, { window: { by: sliding, size: 4s, "
	"give: [min, median] } }, detect]"};

static uint64_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((seed >> 33) % below);
}

/* Mostly well-behaved signals; now and then everything a device can do. */
static void add_sample(struct gg_batch *b, uint32_t at)
{
	char name[16];
	snprintf(name, sizeof name, "rp/%u", draw(5));
	uint32_t signal = bed_signal(name), odd = draw(200);
	int64_t t = b->received_ns + at * 10 * GG_NS_PER_MS;
	double v = 15 + (double)draw(64) / 4 * (draw(10) == 0 ? 2 : 0.3);
	if (odd == 0 && at > 0) {
		gg_batch_add(b, &b->samples[draw(at)]);
		return;
	}
	if (odd < 4)
		t -= (int64_t)draw(20000) * GG_NS_PER_MS;
	if (odd == 4)
		t += 3600 * GG_NS_PER_S;
	if (odd == 5)
		v = NAN;
	if (odd == 6) {
		gg_batch_add_bad(b, signal, t, GG_REASON_TIMEOUT + draw(2));
	} else if (odd == 7) {
		gg_batch_add_string(b, signal, t, draw(2) ? GG_STR("open") : GG_STR("shut"));
	} else if (odd == 8) {
		gg_batch_add_int(b, signal, t, draw(30));
	} else {
		gg_batch_add_float(b, signal, t, v);
		if (odd == 9)
			b->samples[b->count - 1].quality = GG_UNCERTAIN;
	}
}

static struct gg_batch *random_batch(double now_s)
{
	uint32_t n = draw(4) == 0 ? 1 + draw(1500) : 1 + draw(60);
	struct gg_batch *b = gg_batch_new(n, 16 * n);
	b->received_ns = bed_ns(now_s);
	while (b->count < n)
		add_sample(b, b->count);
	return b;
}

static struct gg_batch *kept_of(const struct gg_batch *b, const uint8_t *keep)
{
	struct gg_batch *kept = gg_batch_new(b->count, b->tail_len);
	memcpy(kept->tail, b->tail, b->tail_len);
	kept->tail_len = b->tail_len;
	kept->received_ns = b->received_ns;
	for (uint32_t i = 0; i < b->count; i++)
		if (gg_keep(keep[i]))
			gg_batch_add(kept, &b->samples[i]);
	return kept;
}

static void make(struct bed *b, unsigned pipe)
{
	char name[16];
	snprintf(name, sizeof name, "pipe-%u", pipe);
	bed_init(b, name, pipes[pipe]);
	if (!b->pipeline)
		fail_msg("%s", b->error.text);
}

/* A journalled tick wherever one is due, as the shard's timer would have brought it. */
static void step(struct bed *b, const struct gg_batch *batch, uint8_t *keep)
{
	struct gg_pipeline_sink sink = bed_sink(b);
	gg_pipeline_run(b->pipeline, batch, batch->received_ns, keep, &sink);
}

static void expect_same(const struct bed *a, const struct bed *b, unsigned pipe)
{
	if (a->out_count != b->out_count)
		fail_msg("pipeline %u: %zu outputs, expected %zu", pipe, b->out_count, a->out_count);
	for (size_t i = 0; i < a->out_count; i++)
		if (memcmp(&a->out[i].sample, &b->out[i].sample, 20) != 0 ||
			strcmp(a->out[i].text, b->out[i].text) != 0 ||
			(a->out[i].sample.type != GG_TYPE_STRING &&
				a->out[i].sample.v.u != b->out[i].sample.v.u))
			fail_msg("pipeline %u: output %zu differs", pipe, i);
}

static struct gg_batch *inputs[BATCHES], *journal[BATCHES];
static struct bed live[PIPES];

static void run_live(void)
{
	double now = 1000;
	for (unsigned p = 0; p < PIPES; p++)
		make(&live[p], p);
	for (unsigned i = 0; i < BATCHES; i++) {
		now += 0.3 + draw(100) * (draw(10) == 0 ? 0.5 : 0.02);
		inputs[i] = random_batch(now);
		uint8_t *keep = calloc(inputs[i]->count, 1);
		for (unsigned p = 0; p < PIPES; p++)
			step(&live[p], inputs[i], keep);
		journal[i] = kept_of(inputs[i], keep);
		free(keep);
	}
}

static void drop_live(void)
{
	for (unsigned p = 0; p < PIPES; p++)
		bed_done(&live[p]);
	for (unsigned i = 0; i < BATCHES; i++) {
		gg_batch_unref(inputs[i]);
		gg_batch_unref(journal[i]);
	}
}

static void a_replay_of_what_was_kept_gives_what_was_live(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		seed = round;
		size_t came = 0, kept = 0;
		run_live();
		for (unsigned i = 0; i < BATCHES; i++) {
			came += inputs[i]->count;
			kept += journal[i]->count;
		}
		assert_true(kept < came); /* something was filtered, or there was nothing to show */
		for (unsigned p = 0; p < PIPES; p++) {
			struct bed again;
			make(&again, p);
			for (unsigned i = 0; i < BATCHES; i++)
				step(&again, journal[i], NULL);
			assert_true(p == 3 || again.out_count > 0);
			expect_same(&live[p], &again, p);
			bed_done(&again);
		}
		drop_live();
	}
}

static void what_was_kept_once_is_kept_again(void **state)
{
	(void)state;
	for (unsigned p = 0; p < PIPES; p++) {
		struct bed first, again;
		seed = 99 + p;
		make(&first, p);
		make(&again, p);
		for (unsigned i = 0; i < BATCHES; i++) {
			struct gg_batch *b = random_batch(1000 + i);
			uint8_t *keep = calloc(b->count, 1), *twice = calloc(b->count, 1);
			step(&first, b, keep);
			struct gg_batch *kept = kept_of(b, keep);
			step(&again, kept, twice);
			for (uint32_t k = 0; k < kept->count; k++)
				assert_true(gg_keep(twice[k]));
			gg_batch_unref(kept);
			gg_batch_unref(b);
			free(keep);
			free(twice);
		}
		expect_same(&first, &again, p);
		bed_done(&first);
		bed_done(&again);
	}
}

static void move_state(const struct bed *from, struct bed *to)
{
	struct gg_buf saved = GG_BUF(16 << 20);
	gg_pipeline_save(from->pipeline, &saved);
	assert_int_equal(saved.error, 0);
	struct gg_reader r = gg_reader(saved.p, saved.len);
	assert_int_equal(gg_pipeline_load(to->pipeline, &r), 0);
	assert_int_equal(gg_reader_left(&r), 0);
	gg_buf_done(&saved);
}

static void a_checkpoint_in_the_middle_changes_nothing(void **state)
{
	(void)state;
	seed = 4711;
	run_live();
	for (unsigned p = 0; p < PIPES; p++) {
		struct bed before, after;
		make(&before, p);
		make(&after, p);
		for (unsigned i = 0; i < BATCHES / 2; i++)
			step(&before, journal[i], NULL);
		move_state(&before, &after);
		for (size_t i = 0; i < before.out_count; i++) /* what the first half made */
			after.out[after.out_count++] = before.out[i];
		for (unsigned i = BATCHES / 2; i < BATCHES; i++)
			step(&after, journal[i], NULL);
		expect_same(&live[p], &after, p);
		bed_done(&before);
		bed_done(&after);
	}
	drop_live();
}

static void state_waits_for_signals_that_come_later(void **state)
{
	(void)state;
	struct bed a, b, c;
	const char *yaml = "select: '*'\nstages: [{ deadband: 1 }]";
	bed_init(&a, "waits", yaml);
	bed_init(&b, "waits", yaml);
	assert_true(bed_feed(&a, "wt/a", 1, 10));
	struct gg_buf saved = GG_BUF(1 << 20);
	gg_pipeline_save(a.pipeline, &saved);
	/* the same under a name nobody has heard of yet */
	char *at = memmem(saved.p, saved.len, "wt/a", 4);
	assert_non_null(at);
	memcpy(at, "wt/z", 4);
	struct gg_reader r = gg_reader(saved.p, saved.len);
	assert_int_equal(gg_pipeline_load(b.pipeline, &r), 0);
	bed_init(&c, "waits", yaml);
	move_state(&b, &c); /* not come yet: saved again */
	assert_false(bed_feed(&c, "wt/z", 2, 10.5));
	assert_true(bed_feed(&c, "wt/a", 2, 10.5));
	gg_buf_done(&saved);
	bed_done(&a);
	bed_done(&b);
	bed_done(&c);
}

static void what_fits_a_changed_configuration_is_taken_over(void **state)
{
	(void)state;
	struct bed a, b;
	bed_init(&a, "changed", "select: '*'\nstages: [{ deadband: 1 }, { window: { every: 10s } }]");
	bed_init(&b, "changed", "select: '*'\nstages: [change, { deadband: 2 }, { window: { every: 20s } }]");
	bed_feed(&a, "cg/a", 1, 10);
	move_state(&a, &b);
	assert_false(bed_feed(&b, "cg/a", 2, 11.5)); /* the deadband remembers */
	assert_true(bed_feed(&b, "cg/a", 3, 13));
	bed_tick(&b, 30);
	assert_near(bed_value(&b, "changed/cg/a.mean"), 13); /* the window is another, and began anew */
	bed_done(&a);
	bed_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_replay_of_what_was_kept_gives_what_was_live),
		TEST(what_was_kept_once_is_kept_again),
		TEST(a_checkpoint_in_the_middle_changes_nothing),
		TEST(state_waits_for_signals_that_come_later),
		TEST(what_fits_a_changed_configuration_is_taken_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
