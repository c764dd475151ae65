/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/instance.h"
#include "base/log.h"
#include "core/loop.h"

enum { OPTIONS_MEMORY = 64 << 20 };

static int fill(struct gg_host *h, void *self, const struct gg_value *options, struct gg_error *e)
{
	struct gg_problems problems = {0};
	if (gg_options_fill(h->component->options, self, options, &h->arena, &problems) == 0)
		return 0;
	if (e)
		*e = problems.items[0];
	gg_problems_done(&problems);
	return -EINVAL;
}

static void make_metrics(struct gg_host *h)
{
	char labels[200];
	snprintf(labels, sizeof labels, "%s=\"%.150s\"", gg_kind_name(h->component->kind), h->name);
	if (h->component->kind != GG_DRIVER)
		return;
	h->batches = gg_metric_counter("driver_batches_total", labels, "Batches a driver brought");
	h->samples = gg_metric_counter("driver_samples_total", labels, "Samples a driver brought");
	h->refused =
		gg_metric_counter("driver_refused_total", labels, "Batches refused because a shard was full");
	h->left_out = gg_metric_counter(
		"driver_disabled_total", labels, "Samples left out: their device is disabled");
	h->kept = gg_metric_counter("driver_kept_total", labels, "Records a driver kept in the journal");
}

int gg_instance_new(const char *name, const struct gg_component *component, const struct gg_value *options,
	struct gg_loop *loop, struct gg_host **ret_host, struct gg_error *e)
{
	struct gg_host *h = calloc(1, sizeof *h);
	if (!h)
		return gg_error_set(e, -ENOMEM, "out of memory");
	h->component = component;
	h->loop = loop;
	h->arena = GG_ARENA(OPTIONS_MEMORY);
	h->name = gg_str_dup(gg_str(name));
	h->self = calloc(1, component->self_size ? component->self_size : 1);
	int rc = h->name && h->self ? 0 : gg_error_set(e, -ENOMEM, "out of memory");
	if (rc == 0 && component->options)
		rc = fill(h, h->self, options, e);
	if (rc == 0) {
		make_metrics(h);
		if (component->init)
			rc = component->init(h->self, h, e);
	}
	if (rc < 0) {
		gg_instance_free(h);
		return rc;
	}
	*ret_host = h;
	return 0;
}

struct step {
	struct gg_host *host;
	const void *fresh;
	struct gg_error *error;
	int rc;
};

static void do_start(void *arg, int64_t number)
{
	struct step *s = arg;
	(void)number;
	s->rc = s->host->component->start(s->host->self, s->error);
}

int gg_instance_start(struct gg_host *h, struct gg_error *e)
{
	struct step s = {h, NULL, &h->error, 0};
	if (h->component->start)
		gg_loop_call(h->loop, do_start, &s, 0);
	atomic_store(&h->state, s.rc < 0 ? GG_INSTANCE_FAILED : GG_INSTANCE_RUNNING);
	if (s.rc < 0 && e)
		*e = h->error;
	return s.rc;
}

static void do_update(void *arg, int64_t number)
{
	struct step *s = arg;
	(void)number;
	s->rc = s->host->component->update(s->host->self, s->fresh, s->error);
}

int gg_instance_update(struct gg_host *h, const struct gg_value *options, struct gg_error *e)
{
	if (!h->component->update)
		return -ENOTSUP;
	void *fresh = gg_arena_alloc(&h->arena, h->component->self_size);
	if (!fresh)
		return gg_error_set(e, -ENOMEM, "out of memory");
	struct step s = {h, fresh, e, fill(h, fresh, options, e)};
	if (s.rc == 0)
		gg_loop_call(h->loop, do_update, &s, 0);
	return s.rc;
}

static void do_close(void *arg, int64_t number)
{
	struct gg_host *h = arg;
	(void)number;
	h->component->close(h->self);
}

void gg_instance_end(struct gg_host *h)
{
	if (atomic_load(&h->state) == GG_INSTANCE_RUNNING) {
		if (h->component->close)
			gg_loop_call(h->loop, do_close, h, 0);
		if (h->component->stop)
			h->component->stop(h->self);
	}
	atomic_store(&h->state, GG_INSTANCE_ENDED);
}

static void do_fini(void *arg, int64_t number)
{
	struct gg_host *h = arg;
	(void)number;
	h->component->fini(h->self);
}

/* fini on the loop too: what it takes down (timers, watches) shares the loop with others. */
struct gg_host *gg_instance_free(struct gg_host *h)
{
	if (!h)
		return NULL;
	if (h->self && h->component->fini && h->loop)
		gg_loop_call(h->loop, do_fini, h, 0);
	else if (h->self && h->component->fini)
		h->component->fini(h->self);
	gg_arena_done(&h->arena);
	free(h->self);
	free(h->name);
	free(h);
	return NULL;
}
