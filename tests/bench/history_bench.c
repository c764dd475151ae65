/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history's figures; history-size.py, -scan.py and -chart.py run it. One JSON object on standard output.
 *
 *   history_bench load FOLDER FILE     FILE has lines "signal time_ns value", by time. Loads them into a
 *                                      history (through a journal, as ever) and into a plain SQLite table,
 * and compresses each signal's two columns with zstd -19. history_bench plant FOLDER SIGNALS SECONDS    the
 * same with made-up signals of a plant history_bench year FOLDER SAMPLES  one signal at 1 s into a history
 *   history_bench scan FOLDER          all samples of all signals of the history
 *   history_bench chart FOLDER BUCKETS a chart over all of the first signal
 *
 * With HISTORY_BENCH_SEALED in the environment the history is sealed.
 */
#include "base/clock.h"
#include "core/signals.h"
#include "store/history.h"
#include "store/sql.h"

#include <math.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum { BATCH = 1000, COLUMNS_MAX = 10000 };

struct row {
	uint32_t signal; /* dense */
	int64_t time;
	double value;
};

static struct row *rows;
static size_t row_count, row_cap;
static uint32_t signals[COLUMNS_MAX], signal_count;
static uint64_t state = 88172645463325252ULL;

static double seconds(void)
{
	return (double)gg_clock_monotonic(&gg_clock_system) / 1e9;
}

static double noise(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (double)(state >> 11) / 9007199254740992.0;
}

static void die(const char *what)
{
	fprintf(stderr, "history_bench: %s\n", what);
	exit(1);
}

static uint32_t signal_of(const char *name)
{
	char full[200];
	uint32_t index;
	snprintf(full, sizeof full, "bench/%s", name);
	if (gg_signal_make_full(gg_str(full), NULL, &index) < 0)
		die("a signal can't be made");
	for (uint32_t i = 0; i < signal_count; i++)
		if (signals[i] == index)
			return i;
	if (signal_count == COLUMNS_MAX)
		die("too many signals");
	signals[signal_count] = index;
	return signal_count++;
}

static void add(uint32_t signal, int64_t time, double value)
{
	if (row_count == row_cap) {
		row_cap = row_cap ? row_cap * 2 : 1 << 20;
		rows = realloc(rows, row_cap * sizeof *rows);
		if (!rows)
			die("out of memory");
	}
	rows[row_count++] = (struct row){signal, time, value};
}

static void read_rows(const char *path)
{
	char name[128], before[128] = "";
	long long time;
	double value;
	uint32_t signal = 0;
	FILE *f = fopen(path, "r");
	if (!f)
		die("the file can't be opened");
	while (fscanf(f, "%127s %lld %lf", name, &time, &value) == 3) {
		if (strcmp(name, before) != 0)
			signal = signal_of(name);
		memcpy(before, name, sizeof before);
		add(signal, time, value);
	}
	fclose(f);
}

/* ---- a plant ---- */

static double plant_value(unsigned kind, double t, double before)
{
	switch (kind % 8) {
	case 0:
		return noise() < 0.003 ? floor(noise() * 100) : before; /* a set point */
	case 1:
		return noise() < 0.01 ? 1 - before : before; /* on and off */
	case 2:
		return before + floor(noise() * 3); /* a counter */
	case 3:
	case 4:
		return round((50 + 20 * sin(t / 600) + noise() * 0.2) * 100) / 100; /* two decimals */
	case 5:
		return round((400 + 3 * sin(t / 40) + noise()) * 10) / 10; /* one */
	case 6:
		return (double)(float)(50 + 20 * sin(t / 600) + noise() * 0.2); /* float32 of a register */
	default:
		return 50 + 20 * sin(t / 600) + noise() * 0.2; /* computed */
	}
}

static void make_plant(unsigned count, unsigned length)
{
	double *before = calloc(count, sizeof *before);
	char name[32];
	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof name, "plant-%u", i);
		signal_of(name);
	}
	for (unsigned t = 0; t < length; t++)
		for (unsigned i = 0; i < count; i++) {
			/* a poll comes with a few ms of jitter, one time for all of its registers */
			int64_t time = 1700000000LL * GG_NS_PER_S + t * GG_NS_PER_S;
			if (i % 16 >= 8)
				time += (int64_t)(floor(noise() * 5) + 1) * GG_NS_PER_MS;
			before[i] = plant_value(i, t + i * 100, before[i]);
			add(i, time, before[i]);
		}
	free(before);
}

/* ---- the history ---- */

struct stores {
	char dir[500], path[500];
	struct gg_journal *j;
	struct gg_history *h;
};

static void open_stores(struct stores *s, const char *folder)
{
	struct gg_error e = {0};
	snprintf(s->dir, sizeof s->dir, "%s/journal", folder);
	snprintf(s->path, sizeof s->path, "%s/history.db", folder);
	struct gg_history_options ho = {.path = s->path, .keep_bytes = 1ULL << 40};
	struct gg_journal_options jo = {.dir = s->dir, .names = &gg_names_table};
	if (gg_history_open(&ho, &s->h, &e) < 0)
		die(e.text);
	jo.min_position = gg_history_position(s->h);
	if (gg_journal_open(&jo, &s->j, &e) < 0 || gg_history_start(s->h, s->j, &e) < 0 ||
		gg_journal_start(s->j, &e) < 0)
		die(e.text);
}

static void close_stores(struct stores *s)
{
	gg_history_stop(s->h);
	gg_journal_close(s->j);
	gg_history_free(s->h);
}

static void append(struct stores *s, const struct row *from, size_t count)
{
	struct gg_batch *b;
	while (!(b = gg_batch_new((uint32_t)count, 0)))
		usleep(200);
	b->device = gg_signal(signals[0])->device;
	for (size_t i = 0; i < count; i++)
		gg_batch_add_float(b, signals[from[i].signal], from[i].time, from[i].value);
	gg_batch_freeze(b);
	while (gg_journal_append(s->j, b) < 0)
		usleep(200);
	gg_batch_unref(b);
}

static uint64_t file_size(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Returns how long it took until all was stored. */
static double load_history(const char *folder, struct gg_history_stats *ret_stats, uint64_t *ret_bytes)
{
	struct stores s;
	open_stores(&s, folder);
	double start = seconds();
	for (size_t i = 0; i < row_count; i += BATCH)
		append(&s, rows + i, row_count - i < BATCH ? row_count - i : BATCH);
	gg_journal_flush(s.j);
	if (gg_history_flush(s.h) < 0)
		die("the history can't be stored");
	double took = seconds() - start;
	gg_history_get_stats(s.h, ret_stats);
	char path[500];
	memcpy(path, s.path, sizeof path);
	close_stores(&s);
	*ret_bytes = file_size(path);
	return took;
}

/* ---- peers ---- */

static double load_sqlite(const char *folder, uint64_t *ret_bytes)
{
	char path[500];
	sqlite3 *db;
	sqlite3_stmt *q;
	snprintf(path, sizeof path, "%s/plain.db", folder);
	unlink(path);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
		sqlite3_exec(db,
			"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			"CREATE TABLE samples (signal INTEGER, time INTEGER, value REAL, PRIMARY KEY "
			"(signal, "
			"time)) WITHOUT ROWID",
			NULL, NULL, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO samples VALUES (?,?,?)", -1, &q, NULL) !=
			SQLITE_OK)
		die("SQLite's table can't be made");
	double start = seconds();
	for (size_t i = 0; i < row_count; i++) {
		if (i % 100000 == 0)
			sqlite3_exec(db, i ? "COMMIT; BEGIN" : "BEGIN", NULL, NULL, NULL);
		sqlite3_bind_int64(q, 1, rows[i].signal);
		sqlite3_bind_int64(q, 2, rows[i].time);
		sqlite3_bind_double(q, 3, rows[i].value);
		if (sqlite3_step(q) != SQLITE_DONE)
			die("SQLite takes no more");
		sqlite3_reset(q);
	}
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	double took = seconds() - start;
	sqlite3_finalize(q);
	sqlite3_close(db);
	*ret_bytes = file_size(path);
	return took;
}

static int by_signal(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->signal != y->signal)
		return x->signal < y->signal ? -1 : 1;
	return x->time < y->time ? -1 : x->time > y->time;
}

/* zstd -19 over each signal's times, and over its values. Sorts the rows. */
static uint64_t squeeze(void)
{
	uint64_t sum = 0;
	qsort(rows, row_count, sizeof *rows, by_signal);
	int64_t *times = malloc(row_count * sizeof *times);
	double *values = malloc(row_count * sizeof *values);
	size_t bound = ZSTD_compressBound(row_count * 8);
	void *to = malloc(bound);
	if (!times || !values || !to)
		die("out of memory");
	for (size_t i = 0, end; i < row_count; i = end) {
		for (end = i; end < row_count && rows[end].signal == rows[i].signal; end++) {
			times[end - i] = rows[end].time;
			values[end - i] = rows[end].value;
		}
		sum += ZSTD_compress(to, bound, times, (end - i) * 8, 19);
		sum += ZSTD_compress(to, bound, values, (end - i) * 8, 19);
	}
	free(times);
	free(values);
	free(to);
	return sum;
}

static void load(const char *folder)
{
	struct gg_history_stats stats;
	uint64_t bytes, plain_bytes;
	double took = load_history(folder, &stats, &bytes);
	double plain = load_sqlite(folder, &plain_bytes);
	printf("{\"samples\":%zu,\"signals\":%u,\"blocks\":%llu,\"block_bytes\":%llu,\"file_bytes\":%llu,"
	       "\"seconds\":%.4f,\"sqlite_bytes\":%llu,\"sqlite_seconds\":%.4f,\"zstd_bytes\":%llu}\n",
		row_count, signal_count, (unsigned long long)stats.blocks, (unsigned long long)stats.bytes,
		(unsigned long long)bytes, took, (unsigned long long)plain_bytes, plain,
		(unsigned long long)squeeze());
}

/* ---- reading ---- */

static void make_year(const char *folder, size_t count)
{
	struct row some[BATCH];
	struct stores s;
	open_stores(&s, folder);
	signal_of("year");
	double start = seconds();
	for (size_t i = 0; i < count; i += BATCH) {
		size_t n = count - i < BATCH ? count - i : BATCH;
		for (size_t k = 0; k < n; k++)
			some[k] = (struct row){0, (1700000000LL + (int64_t)(i + k)) * GG_NS_PER_S,
				plant_value(3, (double)(i + k), 0)};
		append(&s, some, n);
	}
	gg_journal_flush(s.j);
	gg_history_flush(s.h);
	double took = seconds() - start;
	/* the rollups follow, some at a time */
	struct gg_history_stats stats = {.rolling = true};
	while (stats.rolling && seconds() < start + took + 300) {
		gg_history_flush(s.h);
		usleep(300000);
		gg_history_get_stats(s.h, &stats);
	}
	close_stores(&s);
	double rolled = seconds() - start;
	printf("{\"samples\":%zu,\"seconds\":%.3f,\"rolled_seconds\":%.3f,\"file_bytes\":%llu}\n", count,
		took, rolled, (unsigned long long)file_size(s.path));
}

struct scan {
	uint64_t samples;
	double sum;
};

static bool count_sample(void *arg, const struct gg_sample *s, GG_UNUSED struct gg_str text)
{
	struct scan *scan = arg;
	scan->samples++;
	scan->sum += s->v.f;
	return true;
}

struct names {
	struct gg_str names[COLUMNS_MAX];
	uint32_t count;
};

static bool take_name(
	void *arg, struct gg_str name, GG_UNUSED struct gg_str unit, GG_UNUSED struct gg_str title)
{
	struct names *n = arg;
	n->names[n->count++] = gg_str(gg_str_dup(name));
	return n->count < COLUMNS_MAX;
}

static struct gg_history_reader *open_reader(const char *folder, struct names *names)
{
	struct gg_history_reader *r;
	struct gg_error e = {0};
	char path[500];
	snprintf(path, sizeof path, "%s/history.db", folder);
	if (gg_history_reader_open(path, &r, &e) < 0)
		die(e.text);
	gg_history_signals(r, GG_STR("*"), take_name, names);
	return r;
}

static void scan_all(const char *folder)
{
	static struct names names;
	struct scan scan = {0};
	struct gg_history_reader *r = open_reader(folder, &names);
	double start = seconds();
	for (uint32_t i = 0; i < names.count; i++)
		if (gg_history_scan(r, names.names[i], INT64_MIN, INT64_MAX, count_sample, &scan) < 0)
			die("the history can't be read");
	double took = seconds() - start;
	printf("{\"samples\":%llu,\"seconds\":%.5f,\"sum\":%.17g}\n", (unsigned long long)scan.samples, took,
		scan.sum);
	gg_history_reader_free(r);
}

static void chart(const char *folder, size_t count)
{
	static struct names names;
	struct gg_history_reader *r = open_reader(folder, &names);
	struct gg_summary *buckets = calloc(count, sizeof *buckets);
	int64_t from = 1700000000LL * GG_NS_PER_S, to = from + 365 * 86400LL * GG_NS_PER_S;
	/* as a person's: begins and ends anywhere */
	from += 12345678912345LL;
	double start = seconds();
	if (names.count == 0 || !buckets || gg_history_chart(r, names.names[0], from, to, buckets, count) < 0)
		die("no chart");
	double cold = seconds() - start;
	start = seconds();
	gg_history_chart(r, names.names[0], from, to, buckets, count);
	double warm = seconds() - start;
	uint64_t samples = 0;
	for (size_t i = 0; i < count; i++)
		samples += buckets[i].count;
	printf("{\"samples\":%llu,\"first_seconds\":%.5f,\"seconds\":%.5f}\n", (unsigned long long)samples,
		cold, warm);
	gg_history_reader_free(r);
}

int main(int argc, char **argv)
{
	gg_batch_set_budget(256ULL << 20);
	if (getenv("HISTORY_BENCH_SEALED") &&
		gg_sql_seal((const uint8_t *)"a key of thirty-two bytes, to try") < 0)
		die("no key");
	if (argc == 4 && strcmp(argv[1], "load") == 0) {
		read_rows(argv[3]);
		load(argv[2]);
	} else if (argc == 5 && strcmp(argv[1], "plant") == 0) {
		make_plant((unsigned)strtoul(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10));
		load(argv[2]);
	} else if (argc == 4 && strcmp(argv[1], "year") == 0) {
		make_year(argv[2], strtoul(argv[3], NULL, 10));
	} else if (argc == 3 && strcmp(argv[1], "scan") == 0) {
		scan_all(argv[2]);
	} else if (argc == 4 && strcmp(argv[1], "chart") == 0) {
		chart(argv[2], strtoul(argv[3], NULL, 10));
	} else {
		die("see the head of history_bench.c");
	}
	return 0;
}
