/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of many signals out of the history as CSV, JSON lines or Parquet, written piece by piece: signal by
 * signal in the order of their names, each by time. Needs a history only, no gateway at work.
 *
 *   csv      signal,time,value,unit,quality      a text as it stands, bytes as hexadecimal digits
 *   jsonl    {"signal":…,"time":…,"value":…,"unit":…,"quality":…}
 *   parquet  signal, time, value (double), text, unit, quality; an integer that a double can't hold has its
 *            digits in text, too
 */
#ifndef GG_GATEWAY_EXPORT_H
#define GG_GATEWAY_EXPORT_H

#include "base/sink.h"
#include "store/history.h"

enum gg_export_format { GG_EXPORT_CSV, GG_EXPORT_JSONL, GG_EXPORT_PARQUET };

struct gg_export {
	struct gg_history *history; /* NULL: history_path alone */
	const char *history_path;
	struct gg_str select; /* patterns with commas between; "" = all */
	int64_t from, to;     /* both included */
	enum gg_export_format format;
	const _Atomic bool *cancelled; /* may be NULL */
	/* Optional: how far it is, every some thousand samples. */
	void (*progress)(void *arg, uint64_t samples, size_t signals, size_t of_signals);
	void *arg;
};

/* Errors: -EINVAL. */
int gg_export_format_of(struct gg_str name, enum gg_export_format *ret_format);
const char *gg_export_media(enum gg_export_format format);
/* Thread: any that may wait. Errors, with a text: -EIO, -ENOMEM, -ECANCELED, those of the sink. */
int gg_export_run(
	const struct gg_export *x, const struct gg_sink *sink, uint64_t *ret_samples, struct gg_error *e);

#endif
