/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table "Quality, order and clocks" of docs/internals/pipeline.md, row by row: every stage gets the same
 * samples, with everything a device can do wrong, and what comes out is written down here. Then the samples
 * that are kept come again, as from the journal, and must give the same.
 *
 *   no  time   value                        no  time   value
 *    1    10   10                            7    13   bad: no answer in time
 *    2    11   20                            8    14   21
 *    3    11   20, said twice                9  3614   22, the device's clock is an hour ahead
 *    4  10.5   15, late                     10    16   23, and right again
 *    5    12   NaN                          11    17   24
 *    6  12.5   infinite                     12    18   bad: no answer in time
 */
#include "pipeline_bed.h"

enum { SAMPLES = 12, TEXT = 1200 };

static const struct odd {
	double time_s, now_s, value;
	bool bad;
} series[SAMPLES] = {{10, 10, 10, false}, {11, 11, 20, false}, {11, 11.1, 20, false}, {10.5, 11.5, 15, false},
	{12, 12, NAN, false}, {12.5, 12.5, INFINITY, false}, {13, 13, 0, true}, {14, 14, 21, false},
	{3614, 15, 22, false}, {16, 16, 23, false}, {17, 17, 24, false}, {18, 18, 0, true}};

/* What is to come out. kept: the numbers of the samples that a filter lets through (NULL: all are kept). out:
 * of a stage that makes new ones, "name@time=value" with "?" where uncertain, "!" and the reason where bad.
 */
static const struct row {
	const char *what, *stages, *kept, *out;
} rows[] = {
	{"deadband", "[{ deadband: 2 }]", "1 2 4 5 7 8 11 12 ", ""},
	{"deadband, silence", "[{ deadband: { band: 100, max_silence: 60s } }]", "1 5 7 8 9 10 12 ", ""},
	{"change", "[change]", "1 2 4 5 7 8 9 10 11 12 ", ""},
	{"throttle", "[{ throttle: 2s }]", "1 5 8 9 10 12 ", ""},
	{"duplicate", "[{ duplicate: {} }]", "1 2 4 5 6 7 8 9 10 11 12 ", ""},
	{"duplicate, in order", "[{ duplicate: { order: drop } }]", "1 2 5 6 7 8 9 10 11 12 ", ""},
	{"range, dropping", "[{ range: { low: 12, high: 100 } }]", "2 3 4 5 6 7 8 9 10 11 12 ", ""},
	{"range, marking", "[{ range: { low: 12, high: 22, else: bad } }]", NULL,
		"@10=!outside the plausible range @11=20 @11=20 @10.5=15 @12=!not a finite number @12.5=!not "
		"a finite number @13=!no answer in time @14=21 @3614=22 @16=!outside the plausible range "
		"@17=!outside the plausible range @18=!no answer in time "},
	{"normalise", "[{ normalise: { scale: 2 } }]", NULL,
		"@10=20 @11=40 @11=40 @10.5=30 @12=!not a finite number @12.5=!not a finite number @13=!no "
		"answer in time @14=42 @3614=44 @16=46 @17=48 @18=!no answer in time "},
	{"rate, of 20 a second", "[{ rate: 20 }]", NULL,
		"@10=10 @11=20 @11=20 @10.5=15 @12=!not a finite number @12.5=!not a finite number @13=!no "
		"answer in time @14=21 @3614=22 @16=23 @17=24 @18=!no answer in time "},
	{"rate, of 5 a second", "[{ rate: 5 }]", NULL,
		"@10=10 @11=!changed faster than plausible @11=!changed faster than plausible @10.5=!changed "
		"faster than plausible @12=!not a finite number @12.5=!not a finite number @13=!no answer in "
		"time @14=21 @3614=22 @16=23 @17=24 @18=!no answer in time "},
	{"window", "[{ window: { every: 4s, give: [mean, count] } }]", NULL,
		".mean@12=16.25 .count@12=4 .mean@16=21? .count@16=1? .mean@3616=22 .count@3616=1 "},
	{"window, of bad samples only", "[{ window: { every: 2s } }]", NULL,
		".mean@12=16.25 .mean@14=!data were missing .mean@16=21 .mean@3616=22 "},
	{"window, short", "[{ window: { every: 500ms } }]", NULL,
		".mean@10.5=10 .mean@11.5=20 .mean@12.5=!data were missing .mean@13=!data were missing "
		".mean@13.5=!data were missing .mean@14.5=21 .mean@3614.5=22 "},
	{"window, short, that waits", "[{ window: { every: 500ms, late: 1s } }]", NULL,
		".mean@10.5=10 .mean@11=15 .mean@11.5=20 .mean@12.5=!data were missing .mean@13=!data were "
		"missing .mean@13.5=!data were missing .mean@14.5=21 .mean@3614.5=22 "},
	{"detect", "[{ detect: { every_sample: true, give: score } }]", NULL,
		".score@10=0 .score@11=0 .score@11=0 .score@10.5=0 .score@14=0 .score@3614=0 .score@16=0 "
		".score@17=0 "},
	{"compute", "[{ compute: { twice: odd/a * 2 } }]", NULL,
		"twice@10=20 twice@11=40 twice@11=40 twice@10.5=30 twice@12=!not a finite number "
		"twice@12.5=!not a finite number twice@13=!no answer in time twice@14=42 twice@3614=44 "
		"twice@16=46 twice@17=48 twice@18=!no answer in time "},
	{"lua", "[{ lua: 'function on_sample(s) return s.value and s.value * 2 or 1 / 0 end' }]", NULL,
		"@10=20 @11=40 @11=40 @10.5=30 @12=!not a finite number @12.5=!not a finite number @13=!not "
		"a finite number @14=42 @3614=44 @16=46 @17=48 @18=!not a finite number "},
};

static void GG_PRINTF(2, 3) put(char *to, const char *format, ...)
{
	size_t len = strlen(to);
	va_list args;
	va_start(args, format);
	vsnprintf(to + len, TEXT - len, format, args);
	va_end(args);
}

static void tell_out(const struct bed *b, char *to)
{
	for (size_t i = 0; i < b->out_count; i++) {
		const struct gg_sample *s = &b->out[i].sample;
		struct gg_str name = gg_signal(s->signal)->signal;
		bool short_name = gg_str_starts(name, GG_STR("odd/a"));
		put(to, "%.*s@%g=", (int)(name.len - (short_name ? 5 : 0)), name.p + (short_name ? 5 : 0),
			(double)s->time_ns / 1e9);
		if (s->quality == GG_BAD)
			put(to, "!%s ", gg_reason_text(s->aux));
		else
			put(to, "%.5g%s ", gg_sample_number(s), s->quality == GG_UNCERTAIN ? "?" : "");
	}
}

static bool feed(struct bed *b, const struct odd *o)
{
	struct gg_sample s = {.time_ns = bed_ns(o->time_s),
		.signal = bed_signal("odd/a"),
		.type = GG_TYPE_FLOAT,
		.v.f = o->value};
	if (o->bad)
		s = (struct gg_sample){.time_ns = s.time_ns,
			.signal = s.signal,
			.quality = GG_BAD,
			.aux = GG_REASON_TIMEOUT};
	return bed_feed_sample(b, s, NULL, o->now_s);
}

static void begin(struct bed *b, const struct row *r)
{
	char yaml[600];
	snprintf(yaml, sizeof yaml, "select: 'odd/*'\nstages: %s", r->stages);
	bed_init(b, "out", yaml);
	if (!b->pipeline)
		fail_msg("%s: %s", r->what, b->error.text);
}

static void every_stage_does_with_odd_samples_what_the_table_says(void **state)
{
	(void)state;
	static const char all[] = "1 2 3 4 5 6 7 8 9 10 11 12 ";
	unsigned wrong = 0;
	for (size_t i = 0; i < GG_COUNT(rows); i++) {
		const struct row *r = &rows[i];
		char kept[TEXT] = "", out[TEXT] = "", again[TEXT] = "";
		bool keeps[SAMPLES];
		struct bed live, replay;
		begin(&live, r);
		for (size_t k = 0; k < SAMPLES; k++) {
			keeps[k] = feed(&live, &series[k]);
			if (keeps[k])
				put(kept, "%zu ", k + 1);
		}
		bed_tick(&live, 30);
		tell_out(&live, out);
		bed_done(&live);
		begin(&replay, r);
		for (size_t k = 0; k < SAMPLES; k++)
			if (keeps[k])
				feed(&replay, &series[k]);
		bed_tick(&replay, 30);
		tell_out(&replay, again);
		bed_done(&replay);
		assert_string_equal(out, again);
		if (strcmp(kept, r->kept ? r->kept : all) != 0 || strcmp(out, r->out) != 0) {
			wrong++;
			print_message("%s:\n\tkept \"%s\"\n\tnot  \"%s\"\n\tout  \"%s\"\n\tnot  \"%s\"\n",
				r->what, kept, r->kept ? r->kept : all, out, r->out);
		}
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(every_stage_does_with_odd_samples_what_the_table_says)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
