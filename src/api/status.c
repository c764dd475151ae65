/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway at a glance: what it is, how much runs through it, what stayed here and what went north. */
#include "api/handlers.h"
#include "api/rates.h"
#include "core/signals.h"
#include "devices/registry.h"
#include "gateway/gateway.h"
#include "store/history.h"
#include "store/journal.h"
#include "uplinks/engine.h"

#include <sys/statvfs.h>
#include <unistd.h>

static void put_uint(struct gg_json_writer *w, const char *key, uint64_t v)
{
	gg_json_key(w, gg_str(key));
	gg_json_uint(w, v);
}

static void begin(struct gg_json_writer *w, const char *key)
{
	gg_json_key(w, gg_str(key));
	gg_json_begin_object(w);
}

static void put_samples(struct gg_json_writer *w)
{
	struct gg_totals t = gg_totals_now();
	struct gg_rates r = gg_rates_now();
	begin(w, "samples");
	put_uint(w, "in", t.samples_in);
	put_uint(w, "kept", t.samples_kept);
	put_uint(w, "dropped", t.samples_dropped);
	put_uint(w, "derived", t.samples_derived);
	put_uint(w, "sent", t.sent_samples);
	put_uint(w, "local", t.local_samples);
	gg_json_end_object(w);
	put_uint(w, "sent_bytes", t.sent_bytes);
	put_uint(w, "batches_refused", t.batches_refused);
	begin(w, "rates");
	gg_json_put_float(w, "samples_in", r.samples_in);
	gg_json_put_float(w, "samples_kept", r.samples_kept);
	gg_json_put_float(w, "samples_derived", r.samples_derived);
	gg_json_put_float(w, "sent_bytes", r.sent_bytes);
	gg_json_end_object(w);
}

static void put_devices(struct gg_json_writer *w)
{
	size_t healthy = 0, lost = 0;
	for (uint32_t i = 0; i < gg_device_count(); i++) {
		struct gg_health h = gg_health_get(i);
		healthy += h.known && h.healthy;
		lost += h.known && !h.healthy;
	}
	begin(w, "devices");
	put_uint(w, "known", gg_device_count());
	put_uint(w, "healthy", healthy);
	put_uint(w, "lost", lost);
	put_uint(w, "registered", gg_registry_count(&gg_registry));
	gg_json_end_object(w);
}

static void put_events(struct gg_json_writer *w)
{
	size_t critical = gg_events_open_count(GG_CRITICAL), warning = gg_events_open_count(GG_WARNING);
	begin(w, "open_events");
	put_uint(w, "critical", critical);
	put_uint(w, "warning", warning - critical);
	put_uint(w, "info", gg_events_open_count(GG_INFORMATION) - warning);
	gg_json_end_object(w);
}

static void put_journal(struct gg_json_writer *w)
{
	static const char *const states[] = {"ok", "full", "failed"};
	struct gg_journal_stats s = {0};
	gg_journal_get_stats(gg_gateway.journal, &s);
	begin(w, "journal");
	gg_json_put_str(w, "state", gg_str((size_t)s.state < GG_COUNT(states) ? states[s.state] : "failed"));
	put_uint(w, "samples", s.samples);
	put_uint(w, "written_bytes", s.bytes);
	put_uint(w, "disk_bytes", s.disk_bytes);
	put_uint(w, "queued_bytes", s.queued_bytes);
	put_uint(w, "lost_bytes", s.lost_bytes);
	put_uint(w, "syncs", s.syncs);
	gg_json_put_float(w, "sync_seconds_mean", s.syncs ? (double)s.sync_ns / 1e9 / (double)s.syncs : 0);
	gg_json_end_object(w);
}

static void put_history(struct gg_json_writer *w)
{
	struct gg_history_stats s = {0};
	if (!gg_gateway.history)
		return;
	gg_history_get_stats(gg_gateway.history, &s);
	begin(w, "history");
	put_uint(w, "samples", s.samples + s.open_samples);
	put_uint(w, "disk_bytes", s.disk_bytes);
	put_uint(w, "lag_bytes", s.lag_bytes);
	gg_json_end_object(w);
}

static uint64_t resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f && fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_machine(struct gg_json_writer *w)
{
	struct statvfs disk;
	begin(w, "memory");
	put_uint(w, "resident_bytes", resident_bytes());
	put_uint(w, "batch_bytes", gg_batch_memory());
	gg_json_end_object(w);
	if (statvfs(gg_gateway.data_dir, &disk) != 0)
		return;
	begin(w, "disk");
	put_uint(w, "free_bytes", (uint64_t)disk.f_bavail * disk.f_frsize);
	put_uint(w, "total_bytes", (uint64_t)disk.f_blocks * disk.f_frsize);
	gg_json_end_object(w);
}

static void put_backlog(struct gg_json_writer *w)
{
	uint64_t bytes = 0;
	int64_t age_ns = 0;
	size_t count = 0, ready = 0;
	for (const struct gg_host *h = gg_gateway.uplinks; h; h = h->next) {
		struct gg_uplink_state s = {0};
		if (h->engine)
			gg_uplink_get_state(h->engine, &s);
		bytes = s.backlog_bytes > bytes ? s.backlog_bytes : bytes;
		age_ns = s.backlog_age_ns > age_ns ? s.backlog_age_ns : age_ns;
		ready += s.ready;
		count++;
	}
	begin(w, "uplinks");
	put_uint(w, "count", count);
	put_uint(w, "ready", ready);
	put_uint(w, "backlog_bytes", bytes);
	gg_json_put_float(w, "backlog_seconds", (double)age_ns / 1e9);
	gg_json_end_object(w);
}

void gg_api_status_json(struct gg_json_writer *w)
{
	int64_t now = gg_gateway_utc();
	gg_json_begin_object(w);
	gg_json_put_str(w, "site", gg_str(gg_gateway.config->site.name));
	gg_json_put_str(w, "version", GG_STR(GG_VERSION));
	gg_json_put_bool(w, "ready", gg_api_not_ready() == NULL);
	gg_json_put_time(w, "time", now);
	gg_json_put_time(w, "started", gg_gateway.started_ns);
	gg_json_put_float(w, "uptime_seconds", (double)(now - gg_gateway.started_ns) / 1e9);
	put_uint(w, "revision", gg_gateway.revision);
	put_uint(w, "signals", gg_signal_count());
	put_devices(w);
	put_events(w);
	put_samples(w);
	put_backlog(w);
	put_journal(w);
	put_history(w);
	put_machine(w);
	gg_json_end_object(w);
}

void gg_api_status(struct gg_api_call *c)
{
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_api_status_json(&a.w);
	gg_answer_send(c, 200, &a);
}

/* ---- what the page asks of its server first ---- */

void gg_api_whoami(struct gg_api_call *c)
{
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_put_str(&a.w, "name", gg_str(c->who));
	gg_json_put_str(&a.w, "role", gg_str(gg_role_name(c->role)));
	gg_json_end_object(&a.w);
	gg_answer_send(c, 200, &a);
}

struct lines {
	struct gg_json_writer *w;
};

static void put_line(void *arg, struct gg_str json_line)
{
	struct lines *l = arg;
	gg_json_raw(l->w, gg_str_trim(json_line));
}

void gg_api_log(struct gg_api_call *c)
{
	struct gg_answer a;
	uint64_t limit;
	if (!gg_api_number(c, "limit", 1, 1000, 200, &limit))
		return;
	gg_answer_begin(&a);
	struct lines l = {&a.w};
	gg_json_begin_object(&a.w);
	gg_json_key(&a.w, GG_STR("lines"));
	gg_json_begin_array(&a.w);
	gg_log_recent(limit, put_line, &l);
	gg_json_end_array(&a.w);
	gg_json_end_object(&a.w);
	gg_answer_send(c, 200, &a);
}
