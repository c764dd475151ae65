/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway: everything put together. One per process; the control thread (main) makes it, changes its
 * configuration and ends it. docs/internals/gateway.md tells the order of start, change and end.
 */
#ifndef GG_GATEWAY_H
#define GG_GATEWAY_H

#include "base/log.h"
#include "base/map.h"
#include "core/config.h"
#include "gateway/events.h"
#include "gateway/instance.h"
#include "gateway/shard.h"
#include "security/vault.h"

struct gg_catalog;
struct gg_history;
struct gg_journal;
struct gg_uplinks;

enum { GG_MOST_SHARDS = 64 };

struct gg_gateway {
	struct gg_config *config;
	uint64_t revision;   /* on disk */
	uint64_t generation; /* counts the configurations this process has had */
	char *config_path;   /* NULL: built-in defaults */
	char *data_dir;
	struct gg_vault_key key; /* of what rests in it */
	_Atomic(char *) site;    /* its name; read by any thread, one that was stays readable */
	int lock_fd;
	struct gg_loop *control, *io, *north;
	struct gg_shard *shards[GG_MOST_SHARDS];
	unsigned shard_count;
	struct gg_journal *journal;
	struct gg_history *history;
	struct gg_catalog *catalog;
	struct gg_uplinks *engine;         /* of all uplinks */
	struct gg_host *drivers, *uplinks; /* lists, control thread */
	int64_t started_ns, ready_ns;      /* UTC; monotonic from start to ready */
	bool ready;
};

/* The one there is. */
extern struct gg_gateway gg_gateway;

/* ---- life (gateway.c). Thread: control ---- */

struct gg_gateway_options {
	const char *config_path; /* NULL: the built-in defaults */
	const char *data_dir;
	struct gg_config *config; /* taken over, also on failure */
};

/* Everything up to the drivers at work. Errors: with a text; what was begun has been ended. */
int gg_gateway_start(const struct gg_gateway_options *o, struct gg_error *e);
/* Runs the control loop until gg_gateway_end(). */
void gg_gateway_run(void);
/* Asks it to end. Thread: any; async-signal-safe it is not (use a signalfd). */
void gg_gateway_end(void);
void gg_gateway_stop(void);

/* ---- a new configuration (apply.c). Thread: control ---- */

/* Applies it whole or not at all; taken over in both cases. who and why go into the revision. */
int gg_gateway_apply(struct gg_config *fresh, const char *who, const char *why, struct gg_error *e);

/* ---- what changes without a restart of anything (tune.c). Thread: control ---- */

struct gg_gateway_tuner {
	/* Builds what the new configuration needs; -errno with a text refuses it. */
	int (*prepare)(const struct gg_config *fresh, struct gg_error *e);
	/* It is in force, or it is not; whatever prepare() built is used or thrown away. */
	void (*done)(const struct gg_config *fresh, bool applied);
};

/* One part of the program that wants to be told (the API). NULL: nobody. */
void gg_gateway_tune_with(const struct gg_gateway_tuner *t);
int gg_gateway_tune_prepare(const struct gg_config *fresh, struct gg_error *e);
void gg_gateway_tune(struct gg_gateway *g, const struct gg_config *fresh, bool applied);
void gg_gateway_tune_end(void);

/* Keeps the configuration in force as a revision; 0 when it could not be kept (logged). */
uint64_t gg_gateway_keep_revision(const struct gg_config *c, const char *who, const char *why);
/* Frees the configurations that were in force before; at the end of the process. */
void gg_gateway_free_retired(void);

/* ---- instances of drivers and uplinks (instances.c). Thread: control ---- */

int gg_instances_start(const struct gg_config *config, struct gg_error *e);
void gg_instances_stop(void);
/* From one configuration to the next: ends, starts and updates what changed. On failure all is as before. */
int gg_instances_change(const struct gg_config *old, const struct gg_config *fresh, struct gg_error *e);

/* An uplink's instance with its engine (uplink.c). */
int gg_gateway_start_uplink(struct gg_host *h, const struct gg_instance_config *c, struct gg_error *e);
void gg_gateway_end_uplink(struct gg_host *h);
/* Its common options have changed live; c lives as long as the instance or until the next change. */
void gg_gateway_change_uplink(struct gg_host *h, const struct gg_instance_config *c);
/* It is gone for good: what it had not read yet may go from the journal. */
void gg_gateway_unpin(struct gg_host *h);

/* ---- shards (shards.c) ---- */

int gg_shards_make(struct gg_gateway *g, struct gg_error *e);
int gg_shards_start(struct gg_gateway *g);
/* Builds the plans of a configuration, one per shard. plans has GG_MOST_SHARDS places. */
int gg_shards_plan(struct gg_gateway *g, const struct gg_config *c, uint64_t revision, struct gg_plan **plans,
	struct gg_error *e);
/* Puts them in place; the old ones are freed. */
void gg_shards_swap(struct gg_gateway *g, struct gg_plan **plans);
/* Soon after a swap: rules that begin anew take up the events that are open. */
void gg_shards_reconcile(struct gg_gateway *g);
void gg_shards_stop(struct gg_gateway *g);
void gg_shards_free(struct gg_gateway *g);
/* The journal has room again. Thread: any. */
void gg_shards_journal_room(struct gg_gateway *g);
/* Thread: any. */
struct gg_shard *gg_gateway_shard_of(uint32_t device);
/* The shard that derived a batch: that of the device its first signal was made from. */
struct gg_shard *gg_gateway_shard_of_derived(const struct gg_batch *b);

/* ---- the store's three (store.c). Thread: control ---- */

int gg_stores_open(struct gg_gateway *g, struct gg_error *e);
struct gg_journal_options;
/* What of the journal's options comes from the configuration. */
void gg_stores_journal_options(const struct gg_site_journal *c, struct gg_journal_options *o);
/* The rules of retention as the configuration has them now. */
void gg_stores_tune_history(struct gg_gateway *g, const struct gg_site *site);
int gg_stores_start(struct gg_gateway *g, struct gg_error *e);
void gg_stores_close(struct gg_gateway *g);

/* Brings what the stores know of themselves into the metrics (measure.c). */
void gg_gateway_measure(void);

/* ---- who may connect (login.c). Thread: control ---- */
struct gg_registry;
extern struct gg_registry gg_registry;
/* From and to the catalog (registry_store.c). */
extern char gg_scram_secret[]; /* behind the answers to names that are not in the registry */
int gg_registry_open(struct gg_catalog *c, struct gg_error *e);
void gg_registry_close(void);
/* After a change of the registry. */
void gg_gateway_forget_logins(void);
/* After a change of a registry entry: forgets logins, and has drivers end connections made under it. */
void gg_gateway_revoke(struct gg_str id);

/* ---- what `devices:` and `limits:` of the configuration say (site_devices.c, signal_limit.c) ---- */

void gg_gateway_disable_devices(const struct gg_site *site);
/* Ends the connections of devices that may less than before. */
void gg_gateway_revoke_lost_rights(const struct gg_site *was, const struct gg_site *is);
/* Most signals a driver's device may have. */
void gg_gateway_limit_signals(uint64_t per_device);
/* An event "signals-limit" of an earlier run is open. */
void gg_gateway_was_limited(struct gg_str device);

/* ---- time: UTC that never steps back (clock.c). Thread: any ---- */
int64_t gg_gateway_utc(void);
/* From here on it is not less. */
void gg_gateway_utc_from(int64_t least_ns);
/* For tests, before any thread: another clock, and all is forgotten. NULL: the machine's. */
void gg_gateway_utc_clock(const struct gg_clock *clock);

/* ---- which instances are alive (live.c). Thread: any ---- */
int gg_gateway_enter(struct gg_host *h);
void gg_gateway_leave(struct gg_host *h);
/* h itself when it is alive, else NULL. */
struct gg_host *gg_gateway_live(void *h);
struct gg_host *gg_gateway_find_live(bool (*fits)(const struct gg_host *h, void *arg), void *arg);
/* A shard or the journal has room again: drivers that were refused hear resume(). */
void gg_gateway_resume_drivers(void);

#endif
