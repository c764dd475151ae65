/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many samples a second of processor time one core takes through a pipeline, and how often it asks for
 * memory meanwhile (it must not). Each case runs batches of 1,000 samples over 100 signals; what is derived
 * is counted and let go.
 *
 * The cases with a rule do what a shard does: what the pipeline let through goes to a rule that watches every
 * signal
 * (one wildcard, above 1000), so it is evaluated for every sample. The last word of a line is a JSON object.
 *
 *   cmake --preset release && cmake --build --preset release --target pipeline_bench
 *   build/release/tests/bench/pipeline_bench [seconds per case [case]]
 */
#include "core/signals.h"
#include "pipeline/pipeline.h"
#include "pipeline/rule.h"
#include "pipeline/stages_internal.h"

#include <time.h>
#include <unistd.h>

enum { SIGNALS = 100, BATCHES = 200, SAMPLES = 1000 };

static bool counting;
static unsigned long allocations;

extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_calloc(size_t n, size_t size);

void *malloc(size_t size)
{
	allocations += counting;
	return __libc_malloc(size);
}

void *realloc(void *p, size_t size)
{
	allocations += counting;
	return __libc_realloc(p, size);
}

void *calloc(size_t n, size_t size)
{
	allocations += counting;
	return __libc_calloc(n, size);
}

static struct normalise to_celsius;
static struct deadband tight, loose;
static struct duplicate repeats;
static struct window minute, percentile;
static struct detect detector;
static const char *anomaly[] = {"anomaly"};
static const char *mean[] = {"mean"}, *p99[] = {"mean", "p99"};

static void fill_options(void)
{
	to_celsius = (struct normalise){.unit = "degC", .scale = 1};
	tight = (struct deadband){.band = "0.0001"};
	loose = (struct deadband){.band = "0.5"};
	repeats = (struct duplicate){.remember = 8};
	minute = (struct window){.every_ns = 60 * GG_NS_PER_S, .give = {mean, 1}};
	percentile = (struct window){.every_ns = 60 * GG_NS_PER_S, .give = {p99, 2}};
	detector = (struct detect){.missing = true};
}

struct bench_case {
	const char *title;
	struct gg_pipeline_stage stages[6];
	bool rule;
};

static const struct bench_case cases[] = {
	{"deadband, drops most", {{&gg_stage_deadband, &loose, NULL, NULL}}},
	{"normalise, deadband (passes), window mean",
		{{&gg_stage_normalise, &to_celsius, NULL, NULL}, {&gg_stage_deadband, &tight, NULL, NULL},
			{&gg_stage_window, &minute, NULL, NULL}}},
	{"normalise, deadband (drops most), window mean",
		{{&gg_stage_normalise, &to_celsius, NULL, NULL}, {&gg_stage_deadband, &loose, NULL, NULL},
			{&gg_stage_window, &minute, NULL, NULL}}},
	{"duplicate, deadband (one by one), window mean",
		{{&gg_stage_duplicate, &repeats, NULL, NULL}, {&gg_stage_deadband, &tight, NULL, NULL},
			{&gg_stage_window, &minute, NULL, NULL}}},
	{"normalise, deadband (passes), window mean and p99",
		{{&gg_stage_normalise, &to_celsius, NULL, NULL}, {&gg_stage_deadband, &tight, NULL, NULL},
			{&gg_stage_window, &percentile, NULL, NULL}}},
	{"normalise, deadband (passes), window mean, rule",
		{{&gg_stage_normalise, &to_celsius, NULL, NULL}, {&gg_stage_deadband, &tight, NULL, NULL},
			{&gg_stage_window, &minute, NULL, NULL}},
		.rule = true},
	{"normalise, deadband (drops most), window mean, rule",
		{{&gg_stage_normalise, &to_celsius, NULL, NULL}, {&gg_stage_deadband, &loose, NULL, NULL},
			{&gg_stage_window, &minute, NULL, NULL}},
		.rule = true},
	{"normalise, detect",
		{{&gg_stage_normalise, &to_celsius, NULL, NULL}, {&gg_stage_detect, &detector, NULL, NULL}}},
};

/* ---- memory ---- */

/* Resident bytes for each signal of a pipeline of 5,000, its outputs and their names included. */
enum { MANY = 5000, ONE = 500, LEARNING = 200 };

static size_t resident(void)
{
	unsigned long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (!f || fscanf(f, "%lu %lu", &size, &pages) != 2)
		abort();
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void let_go(void *arg, struct gg_batch *b)
{
	(void)arg;
	gg_batch_unref(b);
}

static struct gg_batch *many_batch(const char *device, uint32_t first)
{
	struct gg_batch *b = gg_batch_new(ONE, 0);
	for (uint32_t i = first; i < first + ONE; i++) {
		char name[32];
		uint32_t signal;
		snprintf(name, sizeof name, "%s/%u", device, i);
		if (gg_signal_make_full(gg_str(name), &(struct gg_signal_spec){.unit = "degF"}, &signal) < 0)
			abort();
		gg_batch_add_float(b, signal, 0, 0);
	}
	return b;
}

static void learn(struct gg_pipeline *p, struct gg_batch *b, int turn)
{
	const struct gg_pipeline_sink sink = {let_go, NULL};
	uint8_t keep[ONE] = {0};
	for (unsigned i = 0; i < ONE; i++) {
		b->samples[i].time_ns = turn * GG_NS_PER_S;
		b->samples[i].v.f = (double)((unsigned)turn * 7919 + i * 31) / 97.0;
	}
	gg_pipeline_run(p, b, turn * GG_NS_PER_S, keep, &sink);
}

static size_t memory_with(const char *device, const struct gg_pipeline_stage *stages, size_t stage_count)
{
	char select[32], pipeline[32];
	const char *pattern = select;
	struct gg_batch *all[MANY / ONE];
	struct gg_pipeline *p;
	struct gg_error e = {0};
	for (uint32_t i = 0; i < MANY / ONE; i++)
		all[i] = many_batch(device, i * ONE);
	snprintf(select, sizeof select, "%s/*", device);
	snprintf(pipeline, sizeof pipeline, "of-%s", device);
	struct gg_pipeline_config config = {
		.name = pipeline, .select = {&pattern, 1}, .stages = stages, .stage_count = stage_count};
	size_t before = resident();
	if (gg_pipeline_new(&config, &p, &e) < 0)
		abort();
	for (int turn = 0; turn < LEARNING; turn++)
		for (uint32_t i = 0; i < MANY / ONE; i++)
			learn(p, all[i], turn);
	size_t used = resident() - before;
	gg_pipeline_free(p);
	for (uint32_t i = 0; i < MANY / ONE; i++)
		gg_batch_unref(all[i]);
	return used;
}

static void print_memory(const char *title, const struct gg_pipeline_stage *stages, size_t stage_count)
{
	static unsigned number;
	char device[16];
	snprintf(device, sizeof device, "many%u", ++number);
	double bytes = (double)memory_with(device, stages, stage_count) / MANY;
	printf("%-52s %7.0f bytes for each signal {\"case\":\"%s\",\"bytes\":%.1f}\n", title, bytes, title,
		bytes);
}

static struct gg_batch *batches[BATCHES];

static void make_batches(void)
{
	uint64_t seed = 1;
	for (int b = 0; b < BATCHES; b++) {
		batches[b] = gg_batch_new(SAMPLES, 0);
		for (int i = 0; i < SAMPLES; i++) {
			char name[32];
			uint32_t signal;
			snprintf(name, sizeof name, "bench/%d", i % SIGNALS);
			if (gg_signal_make_full(
				    gg_str(name), &(struct gg_signal_spec){.unit = "degF"}, &signal) < 0)
				abort();
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			gg_batch_add_float(batches[b], signal, 0, 70 + (double)(seed >> 40) / 16777216.0);
		}
	}
}

static uint64_t derived;

static void take(void *arg, struct gg_batch *b)
{
	(void)arg;
	derived += b->count;
	gg_batch_unref(b);
}

static uint64_t no_event(void *ctx, const struct gg_event_report *r)
{
	(void)ctx;
	(void)r;
	return 1;
}

static struct gg_ruleset *make_rule(void)
{
	static const struct gg_site_rule hot = {.name = "hot", .enabled = true, .when = "bench/* > 1000"};
	static const struct gg_rule_ops ops = {.event = no_event};
	struct gg_ruleset_setup setup = {.ops = &ops};
	struct gg_rule rule = {.options = &hot};
	struct gg_ruleset *rules = NULL;
	struct gg_error e = {0};
	if (gg_ruleset_new(&rule, 1, &setup, &rules, &e) < 0) {
		printf("rule: %s\n", e.text);
		exit(1);
	}
	for (uint32_t i = 0; i < gg_signal_count(); i++)
		gg_ruleset_add_signal(rules, gg_signal(i));
	return rules;
}

/* As a shard: what was let through, in place of the whole, goes on. */
static void run_rule(struct gg_ruleset *rules, const struct gg_batch *b, const uint8_t *keep, int64_t now)
{
	static struct gg_sample kept[SAMPLES];
	uint32_t count = 0;
	for (uint32_t i = 0; i < SAMPLES; i++)
		if (gg_keep(keep[i]))
			kept[count++] = b->samples[i];
	gg_ruleset_run(rules, kept, count, b, now);
}

/* Each batch is 100 ms of ten samples of each signal. */
static void run_batch(struct gg_pipeline *p, struct gg_ruleset *rules, uint64_t n, uint8_t *keep)
{
	const struct gg_pipeline_sink sink = {take, NULL};
	struct gg_batch *b = batches[n % BATCHES];
	int64_t now = (int64_t)n * 100 * GG_NS_PER_MS;
	for (uint32_t i = 0; i < SAMPLES; i++)
		b->samples[i].time_ns = now + i / SIGNALS * 10 * GG_NS_PER_MS;
	memset(keep, 0, SAMPLES);
	gg_pipeline_run(p, b, now, keep, &sink);
	if (rules)
		run_rule(rules, b, keep, now);
}

/* Of this process: what others take of a shared machine is not ours. */
static int64_t processor_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * GG_NS_PER_S + t.tv_nsec;
}

static void run_case(const struct bench_case *c, double seconds)
{
	static const char *select[] = {"bench/*"};
	uint8_t keep[SAMPLES] = {0};
	struct gg_pipeline *p;
	struct gg_error e = {0};
	struct gg_pipeline_config config = {
		.name = "bench-pipeline", .select = {select, 1}, .stages = c->stages};
	while (config.stage_count < GG_COUNT(c->stages) && c->stages[config.stage_count].component)
		config.stage_count++;
	fill_options();
	if (gg_pipeline_new(&config, &p, &e) < 0) {
		printf("%s: %s\n", c->title, e.text);
		return;
	}
	struct gg_ruleset *rules = c->rule ? make_rule() : NULL;
	uint64_t n = 0;
	for (; n < 3000; n++)
		run_batch(p, rules, n, keep);
	uint64_t first = n;
	derived = allocations = 0;
	counting = true;
	int64_t start = processor_ns(), now = start;
	while (now - start < (int64_t)(seconds * 1e9)) {
		for (int i = 0; i < 100; i++)
			run_batch(p, rules, n++, keep);
		now = processor_ns();
	}
	counting = false;
	double samples = (double)(n - first) * SAMPLES;
	double million = samples / (double)(now - start) * 1e3;
	printf("%-52s %7.1f million/s %6.1f ns each, %8.0f derived, %lu allocations "
	       "{\"case\":\"%s\",\"million\":%.3f,\"allocations\":%lu}\n",
		c->title, million, 1e3 / million, (double)derived, allocations, c->title, million,
		allocations);
	gg_ruleset_free(rules);
	gg_pipeline_free(p);
}

int main(int argc, char **argv)
{
	double seconds = 2;
	if (argc > 1 && gg_parse_float(gg_str(argv[1]), &seconds) < 0)
		return 2;
	fill_options();
	static const struct gg_pipeline_stage detects[] = {{&gg_stage_detect, &detector, NULL, NULL}};
	print_memory("score, band and anomaly told, with those signals", detects, 1);
	detector = (struct detect){.missing = true, .give = {anomaly, 1}};
	print_memory("anomaly told, with that signal", detects, 1);
	make_batches();
	for (size_t i = 0; i < GG_COUNT(cases); i++)
		if (argc < 3 || strcmp(cases[i].title, argv[2]) == 0)
			run_case(&cases[i], seconds);
	return 0;
}
