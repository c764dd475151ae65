/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a pipeline share; for them only. */
#ifndef GG_PIPELINE_INTERNAL_H
#define GG_PIPELINE_INTERNAL_H

#include "base/map.h"
#include "pipeline/pipeline.h"

enum {
	PIPELINE_CHUNK = 512,        /* samples that go through the stages together: they stay in the cache */
	PIPELINE_FLOW_MAX = 65536,   /* samples of a flow, and of what it emits */
	PIPELINE_TEXT_MAX = 1 << 20, /* bytes of strings made in one chunk */
	PIPELINE_TEXT_FLAG = 1U << 31 /* in blob.off: the pipeline's text, not the batch's tail */
};

struct stage {
	const struct gg_component *component;
	const struct gg_stage_ops *ops;
	void *self;
	const struct gg_value *at;
	uint32_t ordinal; /* among the stages of the same component */
	bool begun;       /* init() was called */
	struct gg_counter *in, *out, *drops[GG_DROPS];
	uint64_t in_now, out_now, drops_now[GG_DROPS]; /* of this run; added to the counters at its end */
	struct gg_map waiting; /* saved state of signals that have not come: name -> blob */
};

/* There are as many as signals and outputs, so what the signal table keeps for good is not kept here again.
 */
struct slot {
	uint32_t source;  /* a source's signal, or GG_NONE */
	uint32_t out;     /* the signal under which it leaves; GG_NONE: it does not */
	const char *name; /* "device/signal", for an output with its suffixes; the signal table's */
	char *out_name;   /* NULL: name */
	const struct gg_signal_info *info; /* the signal table's, or own once a stage has altered it */
	uint8_t from;                      /* the first stage that gets it */
	uint8_t until;                     /* and the last */
	bool judgement;                    /* the output of a stage that judges */
	bool own_info;
};

/* A run of samples with room; its flow is a view of it. */
struct run_buffer {
	struct gg_sample *samples;
	uint32_t *slots, *origins;
	uint32_t count, capacity;
};

struct gg_pipeline {
	char *name;
	struct gg_pipeline_config config;
	char **patterns; /* those to exclude come last, with a '!' */
	size_t pattern_count;
	uint32_t device;
	struct stage *stages;
	uint32_t stage_count, leading; /* the first `leading` stages are intake */
	bool one_by_one;               /* the leading filters must be asked sample by sample */
	bool derives;                  /* something comes out */
	bool alters;                   /* the sources too, as they are no longer what came in */

	uint32_t *slot_of; /* by signal index: 0 not yet asked, SLOT_NO, else slot + 1 */
	uint32_t slot_of_count;
	struct slot *slots;
	uint32_t slot_count, slot_cap;

	uint32_t joining; /* the stage whose add_slot() runs */
	uint8_t *given;   /* bits by signal index: given out already */
	uint32_t given_bytes;

	struct run_buffer intake, derive, emitted;
	struct gg_buf text;     /* strings made in this chunk */
	struct run_buffer out;  /* derived samples of this run */
	struct gg_buf out_text; /* and their strings */
	struct stage *current;
	int64_t now_ns, due_ns;
	struct gg_counter *lost, *refused;
	struct gg_histogram *latency;
};

enum { SLOT_NO = 0xffffffffU };

/* pipeline_join.c */
uint32_t pipeline_slot(struct gg_pipeline *p, uint32_t signal); /* SLOT_NO when not carried */
void pipeline_slots_done(struct gg_pipeline *p);
/* pipeline.c */
void pipeline_find_due(struct gg_pipeline *p);
/* pipeline_flow.c */
int run_reserve(struct run_buffer *b, uint32_t count);
void run_done(struct run_buffer *b);
struct gg_flow run_view(
	struct gg_pipeline *p, struct run_buffer *b, uint32_t from, const struct gg_batch *batch);
void pipeline_stage_run(struct gg_pipeline *p, struct stage *s, struct gg_flow *flow);
void pipeline_append_emitted(struct gg_pipeline *p, struct run_buffer *b);
void pipeline_gather(struct gg_pipeline *p, const struct gg_flow *flow, const struct gg_pipeline_sink *sink);
void pipeline_flush(struct gg_pipeline *p, const struct gg_pipeline_sink *sink);
void pipeline_count(struct gg_pipeline *p);
/* pipeline_state.c */
void pipeline_claim(struct gg_pipeline *p, uint32_t stage, uint32_t slot);
void pipeline_waiting_done(struct stage *s);

#endif
