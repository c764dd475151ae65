/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/plan.h"
#include "base/log.h"
#include "core/config.h"

enum { PLAN_MEMORY = 256 << 20 };

/* ---- which signals a pipeline carries: its patterns, less what it excludes, of devices with its labels ----
 */

struct selection {
	const struct gg_site *site;
	const struct gg_site_pipeline *pipeline;
	void (*event)(void *arg, const struct gg_event_report *r);
	void *event_arg;
};

static const struct gg_site_device *site_device(const struct gg_site *site, struct gg_str id)
{
	const struct gg_site_device *devices = site->devices.items;
	for (size_t i = 0; i < site->devices.count; i++)
		if (gg_str_is(id, devices[i].id))
			return &devices[i];
	return NULL;
}

static bool has_label(const struct gg_site_device *d, const struct gg_label *wanted)
{
	const struct gg_label *labels = d->labels.items;
	for (size_t i = 0; i < d->labels.count; i++)
		if (strcmp(labels[i].name, wanted->name) == 0)
			return strcmp(labels[i].value, wanted->value) == 0;
	return false;
}

static bool matches(const void *arg, struct gg_str pattern, const struct gg_signal_info *info)
{
	const struct selection *s = arg;
	const struct gg_label *wanted = s->pipeline->labels.items;
	if (!gg_glob(pattern, info->name))
		return false;
	for (size_t i = 0; i < s->pipeline->exclude.count; i++)
		if (gg_glob(gg_str(s->pipeline->exclude.items[i]), info->name))
			return false;
	if (s->pipeline->labels.count == 0)
		return true;
	const struct gg_site_device *d = site_device(s->site, gg_device_id(info->device));
	for (size_t i = 0; d && i < s->pipeline->labels.count; i++)
		if (!has_label(d, &wanted[i]))
			return false;
	return d != NULL;
}

static void report(void *arg, const struct gg_event_report *r)
{
	const struct selection *s = arg;
	if (s->event)
		s->event(s->event_arg, r);
}

/* ---- building ---- */

static int fill_step(
	struct gg_plan *p, const struct gg_instance_config *c, void **ret_self, struct gg_error *e)
{
	struct gg_problems problems = {0};
	void *self = gg_arena_alloc(&p->arena, c->component->self_size);
	if (!self)
		return gg_error_set(e, -ENOMEM, "out of memory");
	if (c->component->options &&
		gg_options_fill(c->component->options, self, c->value, &p->arena, &problems)) {
		if (e)
			*e = problems.items[0];
		gg_problems_done(&problems);
		return -EINVAL;
	}
	*ret_self = self;
	return 0;
}

static int add_pipeline(struct gg_plan *p, const struct gg_plan_options *o, const struct gg_site_pipeline *c,
	struct gg_error *e)
{
	struct gg_pipeline_stage stages[GG_PIPELINE_STAGES] = {0};
	struct selection *selection = GG_NEW(&p->arena, struct selection);
	if (!selection)
		return gg_error_set(e, -ENOMEM, "out of memory");
	*selection = (struct selection){o->site, c, o->event, o->event_arg};
	if (c->stages.count > GG_PIPELINE_STAGES)
		return gg_error_set(e, -E2BIG, "pipeline %s has %zu stages; the most is %d", c->name,
			c->stages.count, GG_PIPELINE_STAGES);
	for (size_t i = 0; i < c->stages.count; i++) {
		stages[i].component = c->stages.items[i].component;
		stages[i].at = c->stages.items[i].place;
		int rc = fill_step(p, &c->stages.items[i], &stages[i].self, e);
		if (rc < 0)
			return rc;
	}
	struct gg_pipeline_config config = {.name = c->name,
		.select = c->select,
		.stages = stages,
		.stage_count = c->stages.count,
		.matches = matches,
		.event = report,
		.arg = selection};
	int rc = gg_pipeline_new(&config, &p->pipelines[p->pipeline_count], e);
	if (rc == 0)
		p->pipeline_count++;
	return rc;
}

static int add_pipelines(struct gg_plan *p, const struct gg_plan_options *o, struct gg_error *e)
{
	const struct gg_site_pipeline *pipelines = o->site->pipelines.items;
	p->pipelines =
		gg_arena_alloc(&p->arena, (o->site->pipelines.count + 1) * sizeof(struct gg_pipeline *));
	if (!p->pipelines)
		return gg_error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < o->site->pipelines.count; i++) {
		int rc = pipelines[i].enabled ? add_pipeline(p, o, &pipelines[i], e) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

int gg_plan_new(const struct gg_plan_options *o, struct gg_plan **ret_plan, struct gg_error *e)
{
	struct gg_plan *p = calloc(1, sizeof *p);
	if (!p)
		return gg_error_set(e, -ENOMEM, "out of memory");
	p->arena = GG_ARENA(PLAN_MEMORY);
	int rc = add_pipelines(p, o, e);
	if (rc == 0 && o->rules)
		rc = gg_plan_add_rules(p, o, e);
	if (rc < 0) {
		gg_plan_free(p);
		return rc;
	}
	*ret_plan = p;
	return 0;
}

void gg_plan_free(struct gg_plan *p)
{
	if (!p)
		return;
	gg_plan_free_rules(p);
	for (size_t i = 0; i < p->pipeline_count; i++)
		gg_pipeline_free(p->pipelines[i]);
	for (size_t i = 0; i < p->held_count; i++)
		gg_batch_unref(p->held[i]);
	free(p->held);
	gg_arena_done(&p->arena);
	free(p);
}

/* ---- derived batches wait until their input has gone to the rules and the journal ---- */

void gg_plan_hold(void *plan, struct gg_batch *b)
{
	struct gg_plan *p = plan;
	if (p->held_count == p->held_cap) {
		size_t cap = p->held_cap ? p->held_cap * 2 : 16;
		struct gg_batch **held = realloc(p->held, cap * sizeof *held);
		if (!held) {
			gg_batch_unref(b);
			return;
		}
		p->held = held;
		p->held_cap = cap;
	}
	p->held[p->held_count++] = b;
}

void gg_plan_release(struct gg_plan *p, void (*to)(void *arg, struct gg_batch *b), void *arg)
{
	for (size_t i = 0; i < p->held_count; i++)
		to(arg, p->held[i]);
	p->held_count = 0;
}

/* ---- state: a record per pipeline and one for the rules, each with its name and length ---- */

static void save_part(struct gg_buf *to, struct gg_str name, struct gg_str state)
{
	uint8_t head[16];
	struct gg_writer w = gg_writer(head, sizeof head);
	gg_write_le32(&w, (uint32_t)name.len);
	gg_write_le32(&w, (uint32_t)state.len);
	gg_buf_add(to, head, gg_writer_len(&w));
	gg_buf_str(to, name);
	gg_buf_str(to, state);
}

void gg_plan_save(const struct gg_plan *p, struct gg_buf *to)
{
	struct gg_buf part GG_CLEANUP(gg_buf_done) = GG_BUF(to->max);
	for (size_t i = 0; i < p->pipeline_count; i++) {
		gg_buf_clear(&part);
		gg_pipeline_save(p->pipelines[i], &part);
		if (!part.error)
			save_part(to, gg_str(gg_pipeline_name(p->pipelines[i])), gg_buf_view(&part));
	}
	gg_buf_clear(&part);
	gg_plan_save_rules(p, &part);
	if (!part.error && part.len)
		save_part(to, GG_STR(""), gg_buf_view(&part));
}

static int load_part(struct gg_plan *p, struct gg_str name, struct gg_str state)
{
	struct gg_reader r = gg_reader(state.p, state.len);
	if (name.len == 0)
		return gg_plan_load_rules(p, &r);
	for (size_t i = 0; i < p->pipeline_count; i++)
		if (gg_str_is(name, gg_pipeline_name(p->pipelines[i])))
			return gg_pipeline_load(p->pipelines[i], &r);
	return 0; /* of a pipeline that is gone */
}

static bool next_part(struct gg_reader *from, struct gg_str *ret_name, struct gg_str *ret_state)
{
	uint32_t name_len = gg_read_le32(from), state_len = gg_read_le32(from);
	*ret_name = gg_read_str(from, name_len);
	*ret_state = gg_read_str(from, state_len);
	return gg_reader_ok(from);
}

int gg_plan_load(struct gg_plan *p, struct gg_reader *from)
{
	struct gg_reader whole = *from;
	struct gg_str name, state;
	while (gg_reader_left(&whole))
		if (!next_part(&whole, &name, &state))
			return -EINVAL;
	while (gg_reader_left(from) && next_part(from, &name, &state))
		if (load_part(p, name, state) < 0)
			gg_log(GG_WARN, name.len ? "pipeline" : "rules",
				"saved state can't be taken over, it begins anew", GG_SV("name", name));
	return 0;
}

int64_t gg_plan_due(const struct gg_plan *p)
{
	int64_t due = gg_plan_rules_due(p);
	for (size_t i = 0; i < p->pipeline_count; i++) {
		int64_t at = gg_pipeline_due(p->pipelines[i]);
		due = at < due ? at : due;
	}
	return due;
}
