/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that somebody else keeps, brought into the metrics when they are asked for. */
#include "ganglion/metrics.h"
#include "gateway/gateway.h"
#include "store/catalog.h"
#include "store/history.h"
#include "store/journal.h"

#include <sys/stat.h>

static void counter(const char *name, const char *help, uint64_t value)
{
	atomic_store(&gg_metric_counter(name, NULL, help)->value, value);
}

static void gauge(const char *name, const char *help, uint64_t value)
{
	gg_gauge_set(gg_metric_gauge(name, NULL, help), (int64_t)value);
}

static void measure_history(struct gg_history *h)
{
	struct gg_history_stats s;
	gg_history_get_stats(h, &s);
	counter("history_samples_total", "Samples stored in the history", s.samples);
	counter("history_blocks_total", "Blocks stored in the history", s.blocks);
	counter("history_written_bytes_total", "Bytes of the blocks stored in the history", s.bytes);
	counter("history_removed_blocks_total", "Blocks that retention removed from the history", s.removed);
	counter("history_dropped_total", "Samples the history had no place for", s.unknown);
	counter("history_failed_total",
		"Transactions of the history that failed; the journal keeps what was in them", s.failed);
	gauge("history_rows", "Blocks in the history's file", s.rows);
	gauge("history_disk_bytes", "Size of the history's file, without free pages", s.disk_bytes);
	gauge("history_open_samples", "Samples in blocks that are not stored yet", s.open_samples);
	gauge("history_open_bytes", "Memory of blocks that are not stored yet", s.open_bytes);
	gauge("history_lag_bytes", "Bytes of the journal the history has not read yet", s.lag_bytes);
}

static void measure_file(const char *file, const char *suffix, const char *part)
{
	char path[4200], labels[64];
	struct stat st;
	snprintf(path, sizeof path, "%s/%s.db%s", gg_gateway.data_dir, file, suffix);
	snprintf(labels, sizeof labels, "file=\"%s\",part=\"%s\"", file, part);
	gg_gauge_set(gg_metric_gauge(
			     "sqlite_bytes", labels, "Size of a database's file, and of its write-ahead log"),
		stat(path, &st) == 0 ? (int64_t)st.st_size : 0);
}

void gg_gateway_measure(void)
{
	struct gg_gateway *g = &gg_gateway;
	if (g->history)
		measure_history(g->history);
	if (!g->journal)
		return;
	struct gg_journal_stats s;
	gg_journal_get_stats(g->journal, &s);
	gauge("journal_queued_bytes", "Waiting to be written to the journal, or to be synced",
		s.queued_bytes);
	gauge("journal_segments", "Files of the journal", s.segments);
	counter("journal_lost_bytes_total", "Bytes of the journal that went before a cursor had read them",
		s.lost_bytes);
	counter("journal_dropped_total", "Records without receipt that could not be written", s.dropped);
	measure_file("catalog", "", "main");
	measure_file("catalog", "-wal", "wal");
	measure_file("history", "", "main");
	measure_file("history", "-wal", "wal");
}
