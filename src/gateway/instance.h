/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instance: a component at work under a name, with its private memory, options and loop. This is what the
 * kit calls a host. The control thread makes, starts, ends and frees instances; everything between start and
 * close happens on the instance's loop.
 */
#ifndef GG_GATEWAY_INSTANCE_H
#define GG_GATEWAY_INSTANCE_H

#include "ganglion/host.h"

enum gg_instance_state { GG_INSTANCE_NEW, GG_INSTANCE_RUNNING, GG_INSTANCE_FAILED, GG_INSTANCE_ENDED };

struct gg_host {
	char *name;
	const struct gg_component *component;
	void *self;
	struct gg_loop *loop;
	struct gg_arena arena; /* the options' memory */
	_Atomic int state;
	struct gg_error error;     /* why it failed to start */
	_Atomic bool waiting;      /* wants resume() when there is room again */
	_Atomic uint64_t not_kept; /* records that could not even be queued */
	uint64_t kept_bytes;       /* what the last compaction put into the journal. Thread: control */
	struct gg_counter *batches, *samples, *refused, *left_out, *kept;
	/* Of the configuration it was made from, and of the one that last changed it live (0: none): into
	 * their memory it may point. */
	uint64_t generation, live_generation;
	void *engine; /* an uplink's engine keeps its own state here */
	struct gg_host *next;
};

/* Options filled and init done. Errors: -EINVAL with text. */
int gg_instance_new(const char *name, const struct gg_component *component, const struct gg_value *options,
	struct gg_loop *loop, struct gg_host **ret_host, struct gg_error *e);
/* start on its loop; waits for it. On failure the instance is FAILED and keeps the text. */
int gg_instance_start(struct gg_host *h, struct gg_error *e);
/* Takes changed live options over. Errors: -ENOTSUP it must be restarted. */
int gg_instance_update(struct gg_host *h, const struct gg_value *options, struct gg_error *e);
/* close, stop. */
void gg_instance_end(struct gg_host *h);
/* Accepts NULL and half-built. Returns NULL. */
struct gg_host *gg_instance_free(struct gg_host *h);

#endif
