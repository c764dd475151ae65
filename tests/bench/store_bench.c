/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the journal and the history encode, and how many bytes a sample takes there, for the kinds of
 * signals plants have. zstd -19 over the same columns (24 bytes a sample: time, signal, value) is the
 * yardstick.
 *
 *   store_bench [empty folder for the journal's write test, plain and sealed]
 */
#include "base/clock.h"
#include "core/signals.h"
#include "store/block.h"
#include "store/journal_format.h"

#include <math.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

enum { SIGNALS = 100, ROUNDS = 10240, SINGLES = 500000 };

static uint64_t state = 88172645463325252ULL;

static double noise(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (double)(state >> 11) / 9007199254740992.0;
}

static double constant(double t, GG_UNUSED double before)
{
	return t < 0 ? 1 : 21.5;
}

static double setpoint(GG_UNUSED double t, double before)
{
	return noise() < 0.01 ? floor(noise() * 100) : before;
}

static double decimals(double t, GG_UNUSED double before)
{
	return round((50 + 20 * sin(t / 600) + noise() * 0.2) * 100) / 100;
}

static double float32(double t, GG_UNUSED double before)
{
	return (double)(float)(50 + 20 * sin(t / 600) + noise() * 0.2);
}

static double doubles(double t, GG_UNUSED double before)
{
	return 50 + 20 * sin(t / 600) + noise() * 0.2;
}

static const struct kind {
	const char *name;
	double (*value)(double t, double before);
} kinds[] = {{"constant", constant}, {"setpoint", setpoint}, {"decimals", decimals}, {"float32", float32},
	{"doubles", doubles}};

static double seconds(void)
{
	return (double)gg_clock_monotonic(&gg_clock_system) / 1e9;
}

/* One poll of SIGNALS signals each second. */
static struct gg_batch **polls(const struct kind *k, const uint32_t *signals)
{
	struct gg_batch **all = calloc(ROUNDS, sizeof *all);
	double before[SIGNALS] = {0};
	for (int r = 0; all && r < ROUNDS; r++) {
		int64_t time = 1700000000LL * GG_NS_PER_S + r * GG_NS_PER_S;
		all[r] = gg_batch_new(SIGNALS, 0);
		if (!all[r])
			abort();
		all[r]->device = gg_signal(signals[0])->device;
		all[r]->received_ns = time + 1234567;
		for (int i = 0; i < SIGNALS; i++) {
			before[i] = k->value(r + i * 100, before[i]);
			gg_batch_add_float(all[r], signals[i], time, before[i]);
		}
		gg_batch_freeze(all[r]);
	}
	return all;
}

static void bench_journal(const struct kind *k, struct gg_batch **all)
{
	struct gg_dictionary d = {.names = &gg_names_table};
	struct gg_lexicon l = {.names = &gg_names_table};
	struct gg_buf names = GG_BUF(1 << 20), bytes = GG_BUF(1 << 30);
	size_t *ends = calloc(ROUNDS + 1, sizeof *ends), max;
	gg_buf_room(&bytes, 64 << 20);
	double start = seconds();
	for (int r = 0; r < ROUNDS; r++) {
		gg_dictionary_announce(&d, all[r], &names, &max);
		uint8_t *to = (uint8_t *)gg_buf_room(&bytes, GG_RECORD_HEADER + max);
		size_t len = gg_batch_encode(&d, all[r], to + GG_RECORD_HEADER);
		gg_record_finish(to, bytes.len, GG_RECORD_INPUT, (uint32_t)len);
		bytes.len += GG_RECORD_HEADER + len;
		ends[r + 1] = bytes.len;
	}
	double encode = seconds() - start;
	gg_lexicon_read(&l, 1, gg_buf_view(&names));
	start = seconds();
	for (int r = 0; r < ROUNDS; r++) {
		struct gg_batch *b;
		size_t from = ends[r] + GG_RECORD_HEADER;
		if (gg_batch_decode(&l, gg_str_n(bytes.p + from, ends[r + 1] - from), GG_RECORD_INPUT, &b) ==
			0)
			gg_batch_unref(b);
	}
	double decode = seconds() - start, n = (double)ROUNDS * SIGNALS;
	printf("%-10s journal: %5.2f bytes/sample, encode %6.1f M/s, decode %6.1f M/s\n", k->name,
		(double)bytes.len / n, n / encode / 1e6, n / decode / 1e6);
	gg_buf_done(&names);
	gg_buf_done(&bytes);
	gg_dictionary_done(&d);
	gg_lexicon_done(&l);
	free(ends);
}

static void bench_history(const struct kind *k, struct gg_batch **all)
{
	struct gg_block block, back;
	struct gg_buf bytes = GG_BUF(1 << 30);
	gg_block_init(&block);
	gg_block_init(&back);
	struct gg_block_coder *coder = gg_block_coder_new();
	double fill = 0, encode = 0, decode = 0, n = (double)ROUNDS * SIGNALS;
	for (int i = 0; i < SIGNALS; i++)
		for (int r = 0; r < ROUNDS; r += 1024) {
			double start = seconds();
			gg_block_clear(&block);
			for (int s = r; s < r + 1024; s++)
				gg_block_add(&block, &all[s]->samples[i], GG_STR(""));
			fill += seconds() - start;
			start = seconds();
			size_t before = bytes.len;
			gg_block_encode(coder, &block, &bytes);
			encode += seconds() - start;
			start = seconds();
			gg_block_decode(coder, &back, gg_str_n(bytes.p + before, bytes.len - before));
			decode += seconds() - start;
		}
	printf("%-10s history: %5.2f bytes/sample, fill %6.1f M/s, encode %6.1f M/s, decode %6.1f M/s\n",
		k->name, (double)bytes.len / n, n / fill / 1e6, n / encode / 1e6, n / decode / 1e6);
	gg_buf_done(&bytes);
	gg_block_done(&block);
	gg_block_done(&back);
	gg_block_coder_free(coder);
}

static void bench_zstd(const struct kind *k, struct gg_batch **all)
{
	enum { SOME = 10 }; /* signals: level 19 is slow */
	struct column {
		int64_t time;
		double value;
	} *raw = malloc((size_t)SOME * ROUNDS * sizeof *raw);
	size_t n = 0, len = (size_t)SOME * ROUNDS * sizeof *raw, bound = ZSTD_compressBound(len);
	void *to = malloc(bound);
	int64_t *times = (int64_t *)(void *)raw;
	double *values = (double *)(void *)(times + SOME * ROUNDS);
	for (int i = 0; i < SOME; i++)
		for (int r = 0; r < ROUNDS; r++, n++) {
			times[n] = all[r]->samples[i].time_ns;
			values[n] = all[r]->samples[i].v.f;
		}
	size_t packed = ZSTD_compress(to, bound, raw, len, 19);
	printf("%-10s zstd -19 over raw columns: %5.2f bytes/sample\n", k->name, (double)packed / (double)n);
	free(raw);
	free(to);
}

/* One sample each, as a message of a device brings it. */
static struct gg_batch **singles(const uint32_t *signals)
{
	struct gg_batch **all = calloc(SINGLES, sizeof *all);
	for (int r = 0; all && r < SINGLES; r++) {
		int64_t time = 1700000000LL * GG_NS_PER_S + r * GG_NS_PER_MS;
		all[r] = gg_batch_new(1, 0);
		if (!all[r])
			abort();
		all[r]->device = gg_signal(signals[0])->device;
		all[r]->received_ns = time + 1234567;
		gg_batch_add_float(all[r], signals[r % SIGNALS], time, noise() * 100);
		gg_batch_freeze(all[r]);
	}
	return all;
}

/* The thread's own time, which is what others have less of: user and system, of the process. */
static double cpu_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void read_back(struct gg_journal *j, const char *name)
{
	struct gg_journal_reader *reader;
	struct gg_record rec;
	uint64_t samples = 0, records = 0;
	double start = seconds();
	gg_journal_reader_new(j, 0, &reader);
	while (gg_journal_next(reader, &rec) == 1) {
		samples += rec.batch->count;
		records++;
		gg_batch_unref(rec.batch);
	}
	double took = seconds() - start;
	printf("%-22s read back: %.2f M records/s, %.1f M samples/s\n", name, (double)records / took / 1e6,
		(double)samples / took / 1e6);
	gg_journal_reader_free(reader);
}

static void bench_write(
	const char *dir, const uint8_t *root, const char *name, struct gg_batch **all, int count)
{
	char folder[512];
	snprintf(folder, sizeof folder, "%s/%s", dir, name);
	struct gg_journal_options o = {.dir = folder, .root = root, .names = &gg_names_table};
	struct gg_journal *j;
	struct gg_error e = {0};
	o.keep_bytes = 1ULL << 30;
	if (gg_journal_open(&o, &j, &e) < 0 || gg_journal_start(j, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return;
	}
	double start = seconds(), cpu = cpu_seconds();
	for (int r = 0; r < count; r++)
		while (gg_journal_append(j, all[r]) < 0)
			usleep(100);
	gg_journal_flush(j);
	double all_at_once = seconds() - start;
	cpu = cpu_seconds() - cpu;
	struct gg_journal_stats s;
	gg_journal_get_stats(j, &s);
	double n = (double)s.records;
	printf("%-22s %.2f M records/s, %.1f M samples/s, %.0f MB/s to disk, %.2f us of a processor and %.0f "
	       "bytes a record\n",
		name, n / all_at_once / 1e6, (double)s.samples / all_at_once / 1e6,
		(double)s.bytes / all_at_once / 1e6, cpu / n * 1e6, (double)s.bytes / n);
	start = seconds();
	for (int r = 0; r < 200; r++) {
		gg_journal_append(j, all[r]);
		gg_journal_flush(j);
	}
	printf("%-22s %.2f ms for one batch to be synced\n", name, (seconds() - start) / 200 * 1e3);
	read_back(j, name);
	gg_journal_close(j);
	start = seconds();
	if (gg_journal_open(&o, &j, &e) == 0) {
		printf("%-22s %.1f ms to open it\n", name, (seconds() - start) * 1e3);
		gg_journal_close(j);
	}
}

static void bench_writes(const char *dir, const uint32_t *signals, struct gg_batch **batches)
{
	static const uint8_t root[GG_SEAL_KEY] = "a root key";
	struct gg_batch **small = singles(signals);
	bench_write(dir, NULL, "100-samples-plain", batches, ROUNDS);
	bench_write(dir, root, "100-samples-sealed", batches, ROUNDS);
	bench_write(dir, NULL, "1-sample-plain", small, SINGLES);
	bench_write(dir, root, "1-sample-sealed", small, SINGLES);
	for (int r = 0; r < SINGLES; r++)
		gg_batch_unref(small[r]);
	free(small);
}

int main(int argc, char **argv)
{
	uint32_t signals[SIGNALS];
	char name[64];
	gg_batch_set_budget(1ULL << 30);
	for (int i = 0; i < SIGNALS; i++) {
		snprintf(name, sizeof name, "bench/signal-%d", i);
		gg_signal_make_full(gg_str(name), NULL, &signals[i]);
	}
	for (size_t k = 0; k < GG_COUNT(kinds); k++) {
		struct gg_batch **all = polls(&kinds[k], signals);
		bench_journal(&kinds[k], all);
		bench_history(&kinds[k], all);
		bench_zstd(&kinds[k], all);
		if (argc > 1 && kinds[k].value == decimals)
			bench_writes(argv[1], signals, all);
		for (int r = 0; r < ROUNDS; r++)
			gg_batch_unref(all[r]);
		free(all);
	}
	return 0;
}
