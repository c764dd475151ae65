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
 * (intake) and again in a replay. With several filters in a row "let through" means by all of them; therefore
 * a filter has two halves, wants() and took(), and process() is both at once.
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
	uint32_t *slots;   /* beside each sample */
	uint32_t *origins; /* beside each sample: its place in the batch; GG_NONE = made by a stage */
	uint32_t count, capacity;
	const struct gg_batch *batch; /* where strings lie; NULL during a tick */
	int64_t now_ns;               /* the shard's time: the latest received_ns or tick. UTC */
	struct gg_pipeline *pipeline;
};

enum {
	GG_STAGE_FILTER = 1,    /* as above */
	GG_STAGE_NORMALISE = 2, /* changes samples one by one and keeps no state */
	GG_STAGE_REPLACES = 4,  /* what comes in does not go on: only its outputs do */
	GG_STAGE_JUDGES = 8, /* its outputs speak of the samples (a score), they are none of the machine's */
};

/* What add_slot() may return instead of 0: the stage leaves this signal alone, and its samples as they are.
 */
enum { GG_STAGE_GOES_BY = 1 };

/* Why a stage let a sample go: a label of its counter. */
enum gg_drop {
	GG_DROP_FILTER, /* on purpose */
	GG_DROP_LATE,   /* its time had passed */
	GG_DROP_TYPE,   /* no number where one is needed */
	GG_DROP_BAD,    /* bad quality */
	GG_DROP_ROOM,   /* a bound was reached */
	GG_DROPS
};

/* What a stage makes of a signal: asked once when a slot is added. */
struct gg_stage_slot {
	uint32_t slot;
	uint32_t signal;                   /* the source */
	const struct gg_signal_info *info; /* as it comes out of the stage before: unit and type may differ */
	bool judgement;                    /* an output of a stage with GG_STAGE_JUDGES */
};

struct gg_stage_ops {
	unsigned flags;
	/* A signal joins: make room for the slot's state; may name outputs with gg_stage_output(). */
	int (*add_slot)(
		void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e);
	/* Samples come: keep, change, drop (by compacting flow with gg_flow_move()) or replace them. What is
	 * emitted meanwhile is appended when the call returns. */
	void (*process)(void *self, struct gg_flow *flow);
	/* A filter's halves, for one sample of the flow: would it go through? (changes nothing) */
	bool (*wants)(const void *self, const struct gg_flow *flow, uint32_t at);
	/* It went through all filters. Absent: a filter without state. */
	void (*took)(void *self, const struct gg_flow *flow, uint32_t at);
	/* Does this instance give out other values than came in? Absent: all but filters do. */
	bool (*alters)(const void *self);
	/* Time has come to due(): flow is empty and may be filled with what time alone brings about. */
	void (*tick)(void *self, struct gg_flow *flow);
	/* When it wants tick() next, UTC ns, INT64_MAX = not. */
	int64_t (*due)(const void *self);
	/* Checkpoint of state that belongs to no slot, and back. A stage without has neither. Errors of load:
	 * -EINVAL, and the stage is as new. */
	void (*save)(const void *self, struct gg_buf *to);
	int (*load)(void *self, struct gg_reader *from);
	/* The same for one slot: the pipeline keeps it under the signal's name, as slots and indices change
	 * from start to start. Writing nothing: the slot is as new. Errors of load_slot: as load. */
	void (*save_slot)(const void *self, uint32_t slot, struct gg_buf *to);
	int (*load_slot)(void *self, uint32_t slot, struct gg_reader *from);
	uint32_t state_version; /* raised when the saved form changes: what another version saved is left */
};

/* To be called in add_slot(). Names an output signal "<pipeline>/<source's name><suffix>", e.g. suffix
 * ".mean", and its slot for the stages that follow. unit NULL = that of the source. Slots of one add_slot()
 * follow each other. Errors: -EDQUOT, -EINVAL. */
int gg_stage_output(struct gg_pipeline *p, const struct gg_stage_slot *source, const char *suffix,
	const struct gg_signal_spec *spec, uint32_t *ret_slot, uint32_t *ret_signal);
/* The same for an output made of several signals: it is named "<pipeline>/<name>", and unit NULL = none. */
int gg_stage_output_named(struct gg_pipeline *p, struct gg_str name, const struct gg_signal_spec *spec,
	uint32_t *ret_slot, uint32_t *ret_signal);
/* To be called in add_slot(). From here on the slot's samples have this type, unit and range (NULL unit = as
 * before), and leave under this name (NULL = as before). Errors: -ENOTSUP the slot is another stage's output,
 * -EINVAL, -ENOMEM. */
int gg_stage_becomes(struct gg_pipeline *p, const struct gg_stage_slot *slot,
	const struct gg_signal_spec *spec, const char *name);

/* Appends a sample to the flow under an output's slot. Errors: -E2BIG (counted by the pipeline). */
int gg_flow_emit(struct gg_flow *flow, uint32_t slot, const struct gg_sample *s);
/* How many more can be emitted now; a tick that is given less than it needs stops and stays due. */
uint32_t gg_flow_room(const struct gg_flow *flow);
/* The bytes of a string sample of this flow. */
struct gg_str gg_flow_text(const struct gg_flow *flow, const struct gg_sample *s);
/* Makes s a string sample with these bytes. They last as long as the flow. Errors: -E2BIG. */
int gg_flow_put_text(struct gg_flow *flow, struct gg_sample *s, struct gg_str text);
/* Counts what the stage let go for another reason than a filter's; what it compacted away without a word
 * counts as GG_DROP_FILTER. */
void gg_flow_dropped(struct gg_flow *flow, enum gg_drop why, uint32_t count);
/* Tells something worth an event; goes nowhere in a replay. */
void gg_flow_report(struct gg_flow *flow, const struct gg_event_report *r);

/* Moves a sample down while compacting. */
static inline void gg_flow_move(struct gg_flow *flow, uint32_t to, uint32_t from)
{
	if (to == from)
		return;
	flow->samples[to] = flow->samples[from];
	flow->slots[to] = flow->slots[from];
	flow->origins[to] = flow->origins[from];
}

#endif
