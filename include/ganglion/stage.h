/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage is a step of a pipeline. One instance serves one pipeline on one shard; only that shard's thread
 * calls it. It sees runs of samples and is a pure function of what it has seen: no clock, no I/O, no
 * randomness, so that a replay gives the same output.
 *
 * A pipeline numbers the signals it carries 0, 1, 2, ... (slots); a sample's slot stands beside it in the
 * flow, so that a stage keeps per-signal state in an array by slot.
 *
 * A filter (flag GG_STAGE_FILTER) drops samples and changes state only by what it lets through. So filtering
 * what has been filtered changes nothing: the leading filters of a pipeline can run before the journal
 * (intake) and again in a replay.
 */
#ifndef GANGLION_STAGE_H
#define GANGLION_STAGE_H

#include "base/buf.h"
#include "base/bytes.h"
#include "ganglion/host.h"

struct gg_pipeline; /* private */

/* A run of samples on its way through a pipeline. Stages change it in place. */
struct gg_flow {
	struct gg_sample *samples;
	uint32_t *slots; /* beside each sample */
	uint32_t count, capacity;
	const struct gg_batch *batch; /* where strings lie; NULL during a tick */
	int64_t now_ns;               /* the shard's time: the latest received_ns or tick. UTC */
	struct gg_pipeline *pipeline;
};

enum { GG_STAGE_FILTER = 1, GG_STAGE_NORMALISE = 2 };

/* What a stage makes of a signal: asked once when a slot is added. */
struct gg_stage_slot {
	uint32_t slot;
	uint32_t signal;                   /* the source */
	const struct gg_signal_info *info; /* as it comes out of the stage before: unit and type may differ */
};

struct gg_stage_ops {
	unsigned flags;
	/* A signal joins: make room for the slot's state; may name outputs with gg_stage_output(). */
	int (*add_slot)(
		void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e);
	/* Samples come: keep, change, drop (by compacting flow) or replace them. */
	void (*process)(void *self, struct gg_flow *flow);
	/* Time has come to due(): flow is empty and may be filled with what time alone brings about. */
	void (*tick)(void *self, struct gg_flow *flow);
	/* When it wants tick() next, UTC ns, INT64_MAX = not. */
	int64_t (*due)(const void *self);
	/* Checkpoint of the state of all slots, and back. A stage without state has neither. Errors of load:
	 * -EINVAL, and the stage is as new. */
	void (*save)(const void *self, struct gg_buf *to);
	int (*load)(void *self, struct gg_reader *from);
};

/* Names an output signal "<pipeline>/<source's name><suffix>", e.g. suffix ".mean", and its slot for the
 * stages that follow. unit NULL = that of the source. Errors: -EDQUOT, -EINVAL. */
int gg_stage_output(struct gg_pipeline *p, const struct gg_stage_slot *source, const char *suffix,
	const struct gg_signal_spec *spec, uint32_t *ret_slot, uint32_t *ret_signal);
/* Appends a sample to the flow under an output's slot. Errors: -E2BIG (counted by the pipeline). */
int gg_flow_emit(struct gg_flow *flow, uint32_t slot, const struct gg_sample *s);

#endif
