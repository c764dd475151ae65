/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipeline on one shard: which signals it carries, its stages in order with their state, and the buffers
 * through which samples run.
 *
 *   batch ─▶ selected? ─▶ leading filters and normalising ─▶ the other stages ─▶ derived batch ─▶ sink
 *                              (intake: says what to keep)       (derive)
 *
 * gg_pipeline_run() does all of it in one pass, live and in a replay alike: live, keep says which samples of
 * the batch the journal needs; in a replay the journalled ones come again and give the same output. Time is
 * what the caller hands in (a batch's received_ns, a journalled tick), never the clock.
 *
 * Thread: the shard's, for everything here. After its first batches a run takes no memory but the derived
 * batch.
 */
#ifndef GG_PIPELINE_PIPELINE_H
#define GG_PIPELINE_PIPELINE_H

#include "ganglion/stage.h"

enum { GG_PIPELINE_STAGES = 32 };

struct gg_pipeline_stage {
	const struct gg_component *component;
	void *self;                /* zeroed, then options filled; the pipeline calls init() and fini() */
	struct gg_host *host;      /* may be NULL */
	const struct gg_value *at; /* where it is written, for errors; may be NULL */
};

/* Everything in it is borrowed and outlives the pipeline, but for the struct and its two arrays. */
struct gg_pipeline_config {
	const char *name;
	struct gg_strings select;  /* patterns over "device/signal"; a leading '!' takes out again */
	struct gg_strings exclude; /* what matches any of these is left out whatever select says */
	const struct gg_pipeline_stage *stages;
	size_t stage_count;
	/* May be NULL: gg_glob() over the signal's name. For patterns that ask for more, as a device's label.
	 */
	bool (*matches)(const void *arg, struct gg_str pattern, const struct gg_signal_info *info);
	/* May be NULL, as in a replay: what stages report goes nowhere. */
	void (*event)(void *arg, const struct gg_event_report *r);
	void *arg;
};

/* Takes derived batches, filled, not frozen; owns them from then on. */
struct gg_pipeline_sink {
	void (*take)(void *arg, struct gg_batch *derived);
	void *arg;
};

/* Errors: -EINVAL with a text, -ENOMEM; those of a stage's init(), with its place. The stages' selves have
 * then been finished. */
int gg_pipeline_new(const struct gg_pipeline_config *config, struct gg_pipeline **ret_p, struct gg_error *e);
/* Finishes the stages too; their memory is the caller's. Accepts NULL; returns NULL. */
struct gg_pipeline *gg_pipeline_free(struct gg_pipeline *p);
const char *gg_pipeline_name(const struct gg_pipeline *p);
/* The device whose signals its outputs are. */
uint32_t gg_pipeline_device(const struct gg_pipeline *p);

/* Does it carry this signal? Looked up once, then an array. A signal that a stage can't take is not carried
 * (logged once): it is then treated like one that was never selected. */
bool gg_pipeline_wants(struct gg_pipeline *p, uint32_t signal);
/* The same, saying why not: for checking a configuration before it is used. Errors: -ENOENT not selected;
 * those of the stages, with their place. */
int gg_pipeline_join(struct gg_pipeline *p, uint32_t signal, struct gg_error *e);

/* What gg_pipeline_run() adds to keep[], one byte a sample of the batch. What no pipeline has selected is
 * wanted. */
enum { GG_KEEP_SELECTED = 1, GG_KEEP_WANTED = 2 };

static inline bool gg_keep(uint8_t keep)
{
	return keep != GG_KEEP_SELECTED;
}

/* keep may be NULL. Units: now_ns UTC, as in struct gg_flow; time that is behind the latest counts as the
 * latest. Ticks that are due by then come first. */
void gg_pipeline_run(struct gg_pipeline *p, const struct gg_batch *batch, int64_t now_ns, uint8_t *keep,
	const struct gg_pipeline_sink *sink);
/* When it wants a tick next; INT64_MAX: not. */
int64_t gg_pipeline_due(const struct gg_pipeline *p);
void gg_pipeline_tick(struct gg_pipeline *p, int64_t now_ns, const struct gg_pipeline_sink *sink);

/* The state of all stages, by names of signals. load() takes what fits (a stage by its name and place among
 * its like, a signal by its name, later if it is not there yet) and leaves the rest as new, so it serves a
 * changed configuration too. Errors: -EINVAL the bytes are not a checkpoint (nothing is changed by what was
 * not understood), -ENOMEM. */
void gg_pipeline_save(const struct gg_pipeline *p, struct gg_buf *to);
int gg_pipeline_load(struct gg_pipeline *p, struct gg_reader *from);

#endif
