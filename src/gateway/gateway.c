/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start and end. The order of start: lock the data folder, limits, workers, stores, shards with their plans,
 * the journal, state as it was, then the loops, then uplinks and drivers; the end is the same backwards, so
 * that what a driver has acknowledged is in the journal before the journal closes.
 */
#include "gateway/gateway.h"
#include "core/loop.h"
#include "core/signals.h"
#include "core/work.h"
#include "gateway/recover.h"
#include "store/journal.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAILBOX = 16384, WORKERS = 2 };

struct gg_gateway gg_gateway = {.lock_fd = -1};

static int make_dirs(const char *path)
{
	char part[4096];
	if (gg_str_copy(part, sizeof part, gg_str(path)) >= sizeof part)
		return -ENAMETOOLONG;
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, 0750) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(part, 0750) < 0 && errno != EEXIST ? -errno : 0;
}

static int lock_data(struct gg_gateway *g, struct gg_error *e)
{
	char path[4096];
	int rc = make_dirs(g->data_dir);
	if (rc < 0)
		return gg_error_set(e, rc, "data folder %s: %s", g->data_dir, strerror(-rc));
	snprintf(path, sizeof path, "%s/lock", g->data_dir);
	g->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (g->lock_fd < 0)
		return gg_error_set(e, -errno, "%s: %s", path, strerror(errno));
	if (flock(g->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return gg_error_set(e, -EBUSY,
			"another gateway is at work in %s; end it, or give another folder with --data",
			g->data_dir);
	return 0;
}

static int make_loops(struct gg_gateway *g, struct gg_error *e)
{
	g->control = gg_loop_new("control", MAILBOX);
	g->io = gg_loop_new("io", MAILBOX);
	g->north = gg_loop_new("uplinks", MAILBOX);
	if (!g->control || !g->io || !g->north)
		return gg_error_set(e, -ENOMEM, "no memory or descriptors for the loops");
	/* When the processor is busy, what reacts goes first: drivers and shards; then what keeps and tells.
	 */
	gg_loop_set_prompt(g->io);
	gg_loop_set_nice(g->control, 5);
	gg_loop_set_nice(g->north, 3);
	int rc = gg_work_start(WORKERS);
	return rc < 0 ? gg_error_set(e, rc, "workers: %s", strerror(-rc)) : 0;
}

static void set_limits(const struct gg_site *site)
{
	gg_signals_limit((uint32_t)site->limits.devices, (uint32_t)site->limits.signals);
	gg_gateway_limit_signals(site->limits.signals_per_device);
	gg_batch_set_budget(site->limits.batch_memory);
	gg_gateway_disable_devices(site);
}

/* A journal that can't be read does not keep the gateway from working: what it lacks is the past. */
static void recover(struct gg_gateway *g)
{
	struct gg_recovered r = {0};
	int rc = gg_gateway_recover(g, &r);
	if (rc < 0)
		gg_log(GG_ERROR, "recovery",
			"the journal can't be read to its end, continuing with what was found",
			GG_S("reason", strerror(-rc)));
	if (r.inputs || r.ticks)
		gg_log(GG_INFO, "gateway", "state is as it was", GG_I("inputs", r.inputs),
			GG_I("samples", r.samples), GG_F("seconds", (double)r.took_ns / 1e9));
}

static int start_threads(struct gg_gateway *g, struct gg_error *e)
{
	int rc = gg_shards_start(g);
	if (rc == 0)
		rc = gg_loop_start(g->io);
	if (rc == 0)
		rc = gg_loop_start(g->north);
	return rc < 0 ? gg_error_set(e, rc, "threads: %s", strerror(-rc)) : 0;
}

/* OpenSSL starts with its first use, and crashes with the next when it found no memory. */
static int start_crypto(struct gg_error *e)
{
	return OSSL_LIB_CTX_get0_global_default() ? 0 : gg_error_set(e, -ENOMEM, "OpenSSL: out of memory");
}

static int start_all(struct gg_gateway *g, struct gg_error *e)
{
	struct gg_plan *plans[GG_MOST_SHARDS] = {0};
	int rc = start_crypto(e);
	if (rc == 0)
		rc = lock_data(g, e);
	if (rc == 0)
		rc = make_loops(g, e);
	set_limits(&g->config->site);
	if (rc == 0)
		rc = gg_stores_open(g, e);
	if (rc == 0)
		g->revision = gg_gateway_keep_revision(g->config, "start", "in force at start");
	if (rc == 0)
		rc = gg_events_start();
	if (rc == 0)
		rc = gg_shards_make(g, e);
	if (rc == 0)
		rc = gg_shards_plan(g, g->config, g->revision, plans, e);
	if (rc == 0) {
		gg_shards_swap(g, plans);
		rc = gg_stores_start(g, e);
	}
	if (rc == 0) {
		recover(g);
		set_limits(
			&g->config
				 ->site); /* once more, for the events that were open and the devices known */
		rc = start_threads(g, e);
	}
	if (rc == 0)
		rc = gg_instances_start(g->config, e);
	if (rc == 0)
		gg_events_old_start();
	return rc;
}

int gg_gateway_start(const struct gg_gateway_options *o, struct gg_error *e)
{
	struct gg_gateway *g = &gg_gateway;
	int64_t began = gg_clock_monotonic(&gg_clock_system);
	g->config = o->config;
	g->config_path = o->config_path ? gg_str_dup(gg_str(o->config_path)) : NULL;
	g->data_dir = gg_str_dup(gg_str(o->data_dir));
	g->started_ns = gg_gateway_utc();
	g->generation = 1;
	atomic_store(&g->site, gg_str_dup(gg_str(g->config->site.name)));
	int rc = g->data_dir && g->site ? start_all(g, e) : gg_error_set(e, -ENOMEM, "out of memory");
	if (rc < 0) {
		gg_gateway_stop();
		return rc;
	}
	g->ready_ns = gg_clock_monotonic(&gg_clock_system) - began;
	g->ready = true;
	return 0;
}

void gg_gateway_run(void)
{
	gg_loop_run(gg_gateway.control);
}

void gg_gateway_end(void)
{
	gg_loop_end(gg_gateway.control);
}

static void end_loop(struct gg_loop *loop)
{
	if (!loop)
		return;
	gg_loop_end(loop);
	gg_loop_join(loop);
}

void gg_gateway_stop(void)
{
	struct gg_gateway *g = &gg_gateway;
	g->ready = false;
	gg_events_old_stop();
	gg_instances_stop();
	gg_shards_stop(g);
	end_loop(g->io);
	end_loop(g->north);
	gg_work_stop();
	gg_shards_free(g);
	gg_events_stop();
	gg_stores_close(g);
	gg_loop_free(g->io);
	gg_loop_free(g->north);
	gg_loop_free(g->control);
	gg_gateway_free_retired();
	gg_config_free(g->config);
	if (g->lock_fd >= 0)
		close(g->lock_fd);
	OPENSSL_cleanse(&g->key, sizeof g->key);
	free(g->config_path);
	free(g->data_dir);
	free(atomic_load(&g->site));
	gg_gateway_tune_end();
	*g = (struct gg_gateway){.lock_fd = -1};
}
