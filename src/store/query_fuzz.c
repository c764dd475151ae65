/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as SQL, over a history and a catalog with something in them. A query reads and no more: what was
 * there is there afterwards, and it ends within its limits.
 */
#include "store/query.h"

#include "core/revisions.h"
#include "core/signals.h"
#include "store/catalog.h"
#include "store/journal.h"
#include "store/names.h"

#include <ftw.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SAMPLES = 300 };

static char folder[] = "/tmp/ganglion-query-fuzz-XXXXXX", history_path[100], catalog_path[100],
	    journal_path[100];
static struct gg_history *history;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void remove_folder(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void put(struct gg_journal *journal, const char *name, double step)
{
	static const int64_t noon = 1772366400 * GG_NS_PER_S;
	uint32_t signal = GG_NONE;
	must(gg_signal_make_full(gg_str(name), NULL, &signal) >= 0);
	struct gg_batch *b = gg_batch_new(SAMPLES, 1024);
	must(b != NULL);
	b->device = gg_signal(signal)->device;
	b->received_ns = noon;
	for (int i = 0; i < SAMPLES; i++) {
		int64_t at = noon + i * GG_NS_PER_S;
		if (step != 0)
			gg_batch_add_float(b, signal, at, i * step);
		else if (i % 3)
			gg_batch_add_int(b, signal, at, i);
		else
			gg_batch_add_string(b, signal, at, GG_STR("on"));
	}
	gg_batch_freeze(b);
	must(gg_journal_append(journal, b) == 0);
	gg_batch_unref(b);
}

static void start(void)
{
	struct gg_error e = {0};
	struct gg_journal *journal = NULL;
	struct gg_catalog *catalog = NULL;
	must(mkdtemp(folder) != NULL);
	atexit(remove_folder);
	snprintf(history_path, sizeof history_path, "%s/history.db", folder);
	snprintf(catalog_path, sizeof catalog_path, "%s/catalog.db", folder);
	snprintf(journal_path, sizeof journal_path, "%s/journal", folder);
	const struct gg_journal_options jo = {.dir = journal_path, .names = &gg_names_table};
	const struct gg_history_options ho = {.path = history_path, .block_samples = 50};
	must(gg_catalog_open(catalog_path, &catalog, &e) == 0 && gg_history_open(&ho, &history, &e) == 0 &&
		gg_journal_open(&jo, &journal, &e) == 0 && gg_history_start(history, journal, &e) == 0 &&
		gg_journal_start(journal, &e) == 0);
	put(journal, "press/temperature", 0.5);
	put(journal, "press/mode", 0);
	put(journal, "mill/speed", -1);
	gg_journal_flush(journal);
	must(gg_history_flush(history) == 0);
	put(journal, "mill/torque", 2); /* still in memory */
	gg_journal_flush(journal);
	gg_history_wait(history);
	const struct gg_device_row d = {.id = GG_STR("press"),
		.title = GG_STR("Press"),
		.labels_json = GG_STR("{\"hall\":\"3\"}"),
		.credential = GG_STR("s3cret")};
	must(gg_catalog_put_device(catalog, &d) == 0);
	gg_history_stop(history);
	gg_journal_close(journal);
	gg_catalog_close(catalog);
}

struct looking {
	struct gg_str secret;
	uint64_t rows;
	int64_t count;
};

static bool look(void *arg, const struct gg_query_value *values, unsigned count)
{
	struct looking *l = arg;
	l->rows++;
	for (unsigned i = 0; i < count; i++) {
		if (values[i].type == GG_QUERY_TEXT)
			must(!memmem(values[i].s.p, values[i].s.len, l->secret.p, l->secret.len));
		if (values[i].type == GG_QUERY_INT)
			l->count = values[i].i;
	}
	return true;
}

static int run(struct gg_str sql, struct looking *l)
{
	const struct gg_query_source source = {
		.history = history, .catalog_path = catalog_path, .data_dir = folder};
	const struct gg_query_limits limits = {
		.timeout_ns = GG_NS_PER_S / 5, .rows = 1000, .bytes = 1 << 20, .memory = 8 << 20};
	const struct gg_query_output output = {.arg = l, .row = look};
	struct gg_error e = {0};
	bool truncated;
	int rc = gg_query_run(&source, sql, &limits, &output, &truncated, &e);
	must(rc == 0 || e.text[0]);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned runs;
	struct gg_str sql = gg_str_n(data ? (const char *)data : "", size);
	if (!history)
		start();
	/* The device's secret can't be had, unless the query itself says the word. */
	struct looking l = {.secret = GG_STR("s3cret")};
	if (memmem(sql.p, sql.len, "3c", 2) || memmem(sql.p, sql.len, "s3", 2))
		l.secret = GG_STR("more than all that there is");
	(void)run(sql, &l);
	must(l.rows <= 1000);
	if (runs++ % 64 == 0) {
		l = (struct looking){.secret = GG_STR("s3cret")};
		must(run(GG_STR("SELECT count(*) FROM samples"), &l) == 0 && l.count == 4 * SAMPLES);
	}
	return 0;
}
