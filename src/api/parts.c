/* SPDX-License-Identifier: Apache-2.0 */
/* What is at work: pipelines with what went through each stage, drivers, uplinks. */
#include "api/handlers.h"
#include "core/metrics.h"
#include "core/signals.h"
#include "gateway/gateway.h"
#include "uplinks/engine.h"

static void put_uint(struct gg_json_writer *w, const char *key, uint64_t v)
{
	gg_json_key(w, gg_str(key));
	gg_json_uint(w, v);
}

static void put_count(struct gg_json_writer *w, const char *key, const struct gg_counter *counter)
{
	put_uint(w, key, counter ? atomic_load_explicit(&counter->value, memory_order_relaxed) : 0);
}

static void put_texts(struct gg_json_writer *w, const char *key, const struct gg_strings *texts)
{
	gg_json_key(w, gg_str(key));
	gg_json_begin_array(w);
	for (size_t i = 0; i < texts->count; i++)
		gg_json_string(w, gg_str(texts->items[i]));
	gg_json_end_array(w);
}

static void begin_list(struct gg_answer *a, const char *key)
{
	gg_answer_begin(a);
	gg_json_begin_object(&a->w);
	gg_json_key(&a->w, gg_str(key));
	gg_json_begin_array(&a->w);
}

static void send_list(struct gg_api_call *c, struct gg_answer *a)
{
	gg_json_end_array(&a->w);
	gg_json_end_object(&a->w);
	gg_answer_send(c, 200, a);
}

/* ---- pipelines ---- */

/* The second stage of a name is "deadband-2" in the metrics. */
static unsigned ordinal_of(const struct gg_instances *stages, size_t at)
{
	unsigned n = 0;
	for (size_t i = 0; i < at; i++)
		n += strcmp(stages->items[i].name, stages->items[at].name) == 0;
	return n;
}

static void put_stage(
	struct gg_json_writer *w, const char *pipeline, const struct gg_instances *stages, size_t at)
{
	static const char *const causes[] = {"filter", "late", "type", "bad", "room"};
	char labels[400], number[16] = "";
	unsigned ordinal = ordinal_of(stages, at);
	const char *name =
		stages->items[at].component ? stages->items[at].component->name : stages->items[at].name;
	if (ordinal)
		snprintf(number, sizeof number, "-%u", ordinal + 1);
	int n = snprintf(
		labels, sizeof labels, "pipeline=\"%.128s\",stage=\"%.64s%s\"", pipeline, name, number);
	gg_json_begin_object(w);
	gg_json_put_str(w, "stage", gg_str(name));
	put_uint(w, "in", (uint64_t)gg_metrics_value("pipeline_in_total", labels));
	put_uint(w, "out", (uint64_t)gg_metrics_value("pipeline_out_total", labels));
	gg_json_key(w, GG_STR("dropped"));
	gg_json_begin_object(w);
	for (size_t i = 0; i < GG_COUNT(causes); i++) {
		snprintf(labels + n, sizeof labels - (size_t)n, ",cause=\"%s\"", causes[i]);
		put_uint(w, causes[i], (uint64_t)gg_metrics_value("pipeline_dropped_total", labels));
	}
	gg_json_end_object(w);
	gg_json_end_object(w);
}

static void put_pipeline(struct gg_json_writer *w, const struct gg_site_pipeline *p)
{
	char label[200];
	snprintf(label, sizeof label, "pipeline=\"%.128s\"", p->name);
	gg_json_begin_object(w);
	gg_json_put_str(w, "name", gg_str(p->name));
	if (p->title && p->title[0])
		gg_json_put_str(w, "title", gg_str(p->title));
	gg_json_put_bool(w, "enabled", p->enabled);
	put_texts(w, "select", &p->select);
	put_texts(w, "exclude", &p->exclude);
	put_uint(w, "lost", (uint64_t)gg_metrics_value("pipeline_lost_total", label));
	gg_json_key(w, GG_STR("stages"));
	gg_json_begin_array(w);
	for (size_t i = 0; i < p->stages.count; i++)
		put_stage(w, p->name, &p->stages, i);
	gg_json_end_array(w);
	gg_json_end_object(w);
}

void gg_api_pipelines(struct gg_api_call *c)
{
	struct gg_answer a;
	const struct gg_many *all = &gg_gateway.config->site.pipelines;
	const struct gg_site_pipeline *p = all->items;
	begin_list(&a, "pipelines");
	for (size_t i = 0; i < all->count; i++)
		put_pipeline(&a.w, &p[i]);
	send_list(c, &a);
}

/* ---- drivers ---- */

static void put_instance(struct gg_json_writer *w, const struct gg_host *h)
{
	static const char *const states[] = {"new", "running", "failed", "ended"};
	int state = atomic_load(&h->state);
	gg_json_put_str(w, "name", gg_str(h->name));
	gg_json_put_str(w, "component", gg_str(h->component->name));
	gg_json_put_str(w, "state", gg_str(states[(size_t)state < GG_COUNT(states) ? state : 3]));
	if (state == GG_INSTANCE_FAILED)
		gg_json_put_str(w, "error", gg_str(h->error.text));
}

static uint32_t devices_of(const struct gg_host *h)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < gg_device_count(); i++)
		n += gg_device_owner(i) == h;
	return n;
}

void gg_api_drivers(struct gg_api_call *c)
{
	struct gg_answer a;
	begin_list(&a, "drivers");
	for (const struct gg_host *h = gg_gateway.drivers; h; h = h->next) {
		gg_json_begin_object(&a.w);
		put_instance(&a.w, h);
		put_uint(&a.w, "devices", devices_of(h));
		put_count(&a.w, "batches", h->batches);
		put_count(&a.w, "samples", h->samples);
		put_count(&a.w, "refused", h->refused);
		gg_json_put_bool(&a.w, "waiting", atomic_load(&h->waiting));
		gg_json_end_object(&a.w);
	}
	send_list(c, &a);
}

/* ---- uplinks ---- */

static void put_uplink_state(struct gg_json_writer *w, const struct gg_uplink_state *s)
{
	gg_json_put_bool(w, "ready", s->ready);
	if (!s->ready && s->reason[0])
		gg_json_put_str(w, "reason", gg_str(s->reason));
	if (s->since_ns)
		gg_json_put_time(w, "since", s->since_ns);
	put_uint(w, "cursor", s->cursor);
	put_uint(w, "backlog_bytes", s->backlog_bytes);
	gg_json_put_float(w, "backlog_seconds", (double)s->backlog_age_ns / 1e9);
	put_uint(w, "parcels", s->parcels);
	put_uint(w, "samples", s->samples);
	put_uint(w, "bytes", s->bytes);
	put_uint(w, "local_samples", s->local_samples);
	put_uint(w, "retries", s->retries);
	put_uint(w, "dropped", s->dropped);
	put_uint(w, "reconnects", s->reconnects);
	put_uint(w, "under_way", s->under_way);
}

void gg_api_uplinks_json(struct gg_json_writer *w)
{
	gg_json_begin_array(w);
	for (const struct gg_host *h = gg_gateway.uplinks; h; h = h->next) {
		struct gg_uplink_state state = {0};
		if (h->engine)
			gg_uplink_get_state(h->engine, &state);
		gg_json_begin_object(w);
		put_instance(w, h);
		put_uplink_state(w, &state);
		gg_json_end_object(w);
	}
	gg_json_end_array(w);
}

void gg_api_uplinks(struct gg_api_call *c)
{
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_key(&a.w, GG_STR("uplinks"));
	gg_api_uplinks_json(&a.w);
	gg_json_end_object(&a.w);
	gg_answer_send(c, 200, &a);
}
