/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The component: drivers, stages, actions, uplinks and engines alike. A component is const and knows its
 * options and how much private memory an instance needs; the core allocates that memory, zeroed, fills the
 * options into it and calls the life cycle:
 *
 * - check, wherever a configuration is read, also in a running gateway: options are filled and nothing else;
 *   say what the table can't, make nothing, keep nothing. So a mistake is found before anything changes.
 * - init: options are filled; check what the table can't; build, but touch nothing outside. May fail with a
 *   text.
 * - start, on the instance's loop thread: open, listen, connect. May fail with a text; then fini follows.
 * - update, on the loop thread: `fresh` is an instance filled and checked like a new one of which only
 * options marked GG_LIVE differ; take them over. May be absent: then every change restarts.
 * - close, on the loop thread: stop taking anything in, start shutting down. Never blocks.
 * - stop, on the control thread while the loop still runs: may wait for what close started. Bounded: 5 s.
 * - fini, on the loop thread while it runs, for timers and watches lie there: frees what init and start took;
 *   accepts half-built; the memory itself is the core's.
 *
 * A missing callback means there is nothing to do. The ops of its kind stand beside.
 */
#ifndef GANGLION_COMPONENT_H
#define GANGLION_COMPONENT_H

#include "ganglion/option.h"

struct gg_host;
struct gg_driver_ops;
struct gg_stage_ops;
struct gg_action_ops;
struct gg_uplink_ops;

enum gg_component_kind { GG_DRIVER, GG_STAGE, GG_ACTION, GG_UPLINK, GG_ENGINE };

struct gg_component {
	const char *name;    /* as configuration names it: "modbus" */
	const char *title;   /* for people: "Modbus TCP and RTU" */
	const char *help;    /* a paragraph for the reference */
	const char *example; /* YAML that works as pasted under the kind's key */
	enum gg_component_kind kind;
	size_t self_size;
	const struct gg_option *options;
	int (*check)(const void *self, struct gg_error *e);
	int (*init)(void *self, struct gg_host *host, struct gg_error *e);
	int (*start)(void *self, struct gg_error *e);
	int (*update)(void *self, const void *fresh, struct gg_error *e);
	void (*close)(void *self);
	void (*stop)(void *self);
	void (*fini)(void *self);
	union {
		const struct gg_driver_ops *driver;
		const struct gg_stage_ops *stage;
		const struct gg_action_ops *action;
		const struct gg_uplink_ops *uplink;
	};
};

/* "driver", "stage", ... */
const char *gg_kind_name(enum gg_component_kind kind);
/* All components that were built in, ended by NULL: src/app/components.c hands its array to the core. */
void gg_components_set(const struct gg_component *const *all);
const struct gg_component *const *gg_components(void);
/* NULL when there is none of that kind and name. */
const struct gg_component *gg_component_find(enum gg_component_kind kind, struct gg_str name);

#endif
