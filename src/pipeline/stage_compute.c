/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compute: signals made of others by the language of expressions (docs/internals/expressions.md).
 *
 *   compute: { power: a/u * a/i, mean: { formula: (x/1 + x/2) / 2, unit: bar } }
 *
 * gives <pipeline>/power and <pipeline>/mean. An output is worked out each time one of its signals brings a
 * sample, once all of them have brought one, and carries that sample's time. With wildcards there is an
 * output for each binding, and its name must say so: `press-$1/power`.
 *
 * A formula is read at init to find mistakes and names; it is compiled again when the last of its signals
 * joins, as only then types and units are known. When the result is not known (a signal is bad, a division by
 * zero), a bad sample says so. Only the outputs go on to the next stage.
 */
#include "pipeline/expr.h"
#include "pipeline/stage_kit.h"
#include "pipeline/stages.h"

enum { MOST_INSTANCES = 4096 };

struct output {
	const char *name, *formula, *unit;
};

/* One output for one binding. */
struct computed {
	uint32_t output, found; /* found: how many of its signals have joined */
	char *binding;
	uint32_t *lasts;              /* by ref: place in compute.lasts, GG_NONE = not there yet */
	struct gg_expr_signal *known; /* by ref */
	struct gg_arena arena;
	struct gg_expr *expr; /* NULL until all have joined */
	uint32_t slot, signal;
	struct gg_expr_linear into; /* the unit asked for */
};

struct source {
	uint32_t last;
};

/* Who is to be worked out when a signal brings a sample. */
struct watch {
	struct computed **items;
	uint32_t count, cap;
};

struct compute {
	struct gg_many outputs; /* struct output */
	struct gg_arena arena;
	struct gg_expr **drafts; /* by output: what init compiled, for its refs */
	struct computed **items;
	uint32_t item_count, item_cap;
	struct gg_expr_last *lasts;
	struct watch *watches; /* beside lasts */
	uint32_t last_count, last_cap, watch_cap;
	struct gg_slots sources; /* struct source */
};

static const struct output *output_at(const struct compute *c, uint32_t i)
{
	return &((const struct output *)c->outputs.items)[i];
}

static int check_draft(const struct output *o, const struct gg_expr *x, struct gg_error *e)
{
	if (x->ref_count == 0)
		return gg_error_set(e, -EINVAL, "names no signal");
	if (x->uses_time || x->uses_change)
		return gg_error_set(e, -EINVAL, "age() and changed() are for the conditions of rules");
	if (x->stars && !strchr(o->name, '$'))
		return gg_error_set(e, -EINVAL,
			"has wildcards, so its name must say what they stand for, e.g. press-$1/power");
	if (o->unit && !gg_unit_known(o->unit))
		return gg_error_set(e, -EINVAL, "unit '%s' is not known", o->unit);
	return 0;
}

static int compute_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct compute *c = self;
	(void)host;
	c->arena = GG_ARENA(4 << 20);
	c->drafts = gg_arena_alloc(&c->arena, gg_max_size(c->outputs.count, 1) * sizeof(struct gg_expr *));
	if (!c->drafts)
		return gg_error_set(e, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < c->outputs.count; i++) {
		const struct output *o = output_at(c, i);
		int rc = gg_expr_compile(gg_str(o->formula), NULL, NULL, &c->arena, &c->drafts[i], e);
		if (rc == 0)
			rc = check_draft(o, c->drafts[i], e);
		if (rc < 0) {
			gg_error_prefix(e, "output %s (column %u)", o->name, e && e->column ? e->column : 1);
			if (e)
				e->column = 0;
			return rc;
		}
	}
	return 0;
}

/* ---- signals join ---- */

static void computed_free(struct computed *x)
{
	if (!x)
		return;
	gg_arena_done(&x->arena);
	free(x->binding);
	free(x->lasts);
	free(x->known);
	free(x);
}

static struct computed *computed_at(struct compute *c, uint32_t output, struct gg_str binding)
{
	for (uint32_t i = 0; i < c->item_count; i++)
		if (c->items[i]->output == output && gg_str_is(binding, c->items[i]->binding))
			return c->items[i];
	if (c->item_count >= MOST_INSTANCES ||
		gg_grow(&c->items, c->item_count, &c->item_cap, sizeof *c->items) < 0)
		return NULL;
	size_t refs = c->drafts[output]->ref_count;
	struct computed *x = calloc(1, sizeof *x);
	if (!x)
		return NULL;
	x->output = output;
	x->arena = GG_ARENA(256 << 10);
	x->binding = gg_str_dup(binding);
	x->lasts = malloc(refs * sizeof *x->lasts);
	x->known = calloc(refs, sizeof *x->known);
	if (!x->binding || !x->lasts || !x->known) {
		computed_free(x);
		return NULL;
	}
	memset(x->lasts, 0xff, refs * sizeof *x->lasts);
	return c->items[c->item_count++] = x;
}

struct resolver {
	const struct gg_expr *draft;
	const struct computed *computed;
};

static int find_known(const void *ctx, struct gg_str name, struct gg_expr_signal *ret_signal)
{
	const struct resolver *r = ctx;
	for (unsigned i = 0; i < r->draft->ref_count; i++) {
		if (!gg_str_eq(name, r->draft->refs[i].name))
			continue;
		*ret_signal = r->computed->known[i];
		return 0;
	}
	return -ENOENT;
}

/* "press-$1/power" */
static void output_name(const struct output *o, const struct computed *x, struct gg_buf *to)
{
	for (const char *p = o->name; *p; p++) {
		if (p[0] == '$' && p[1] >= '1' && p[1] <= '4') {
			gg_buf_str(to, gg_binding_part(gg_str(x->binding), (unsigned)(*++p - '1')));
			continue;
		}
		gg_buf_char(to, *p);
	}
}

static int watch_all(struct compute *c, struct computed *x)
{
	for (unsigned i = 0; i < x->expr->ref_count; i++) {
		struct watch *w = &c->watches[x->lasts[i]];
		if (w->count && w->items[w->count - 1] == x)
			continue;
		if (gg_grow(&w->items, w->count, &w->cap, sizeof(struct computed *)) < 0)
			return -ENOMEM;
		w->items[w->count++] = x;
	}
	return 0;
}

/* All signals are there: types and units are known now. */
static int complete(struct compute *c, struct computed *x, struct gg_pipeline *p, struct gg_error *e)
{
	static const uint8_t types[] = {[GG_EXPR_ANY] = GG_TYPE_NONE,
		[GG_EXPR_BOOL] = GG_TYPE_BOOL,
		[GG_EXPR_NUMBER] = GG_TYPE_FLOAT,
		[GG_EXPR_STRING] = GG_TYPE_STRING};
	const struct output *o = output_at(c, x->output);
	const struct resolver r = {c->drafts[x->output], x};
	const struct gg_expr_names names = {.ctx = &r, .find = find_known};
	struct gg_buf name GG_CLEANUP(gg_buf_done) = GG_BUF(512);
	struct gg_expr *expr = NULL;
	x->into = (struct gg_expr_linear){1, 0};
	int rc = gg_expr_compile(gg_str(o->formula), &names, NULL, &x->arena, &expr, e);
	if (rc == 0 && o->unit && *expr->unit && strcmp(o->unit, expr->unit) != 0) {
		rc = gg_unit_linear(expr->unit, o->unit, &x->into);
		if (rc < 0)
			gg_error_set(e, rc, "its result is in '%s', which can't be converted to '%s'",
				expr->unit, o->unit);
	}
	if (rc < 0) {
		gg_error_prefix(e, "output %s", o->name);
		return rc;
	}
	struct gg_signal_spec spec = {.type = types[expr->type], .unit = o->unit ? o->unit : expr->unit};
	output_name(o, x, &name);
	rc = name.error ? -EINVAL : gg_stage_output_named(p, gg_buf_view(&name), &spec, &x->slot, &x->signal);
	if (rc < 0)
		return gg_error_set(e, rc, "output %s: the name '%s' can't be", o->name, gg_buf_text(&name));
	x->expr = expr;
	return watch_all(c, x) < 0 ? gg_error_set(e, -ENOMEM, "out of memory") : 0;
}

/* The signal is ref `ref` of an output. */
static int join(struct compute *c, uint32_t output, unsigned ref, struct gg_str binding, uint32_t last,
	const struct gg_signal_info *info)
{
	struct computed *x = computed_at(c, output, binding);
	if (!x)
		return -ENOMEM;
	if (x->lasts[ref] != GG_NONE)
		return 0;
	x->lasts[ref] = last;
	x->known[ref] = (struct gg_expr_signal){.type = info->type, .unit = info->unit};
	x->found++;
	return 0;
}

/* Names without wildcards in an output with some belong to every binding. */
static int join_output(struct compute *c, uint32_t output, uint32_t last, const struct gg_signal_info *info)
{
	const struct gg_expr *draft = c->drafts[output];
	char binding[GG_BINDING];
	for (unsigned i = 0; i < draft->ref_count; i++) {
		const struct gg_expr_ref *ref = &draft->refs[i];
		int n = gg_expr_bind(ref->name, info->name, binding, sizeof binding);
		if (n < 0)
			continue;
		int rc = 0;
		if (ref->wild || !draft->stars)
			rc = join(c, output, i, gg_str_n(binding, (size_t)n), last, info);
		for (uint32_t k = 0; rc == 0 && !ref->wild && k < c->item_count; k++)
			if (c->items[k]->output == output)
				rc = join(c, output, i, gg_str(c->items[k]->binding), last, info);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A binding that came later than a plain name: take that over. */
static void join_plain(struct compute *c, struct computed *x)
{
	const struct gg_expr *draft = c->drafts[x->output];
	for (unsigned i = 0; i < draft->ref_count; i++) {
		if (draft->refs[i].wild || x->lasts[i] != GG_NONE)
			continue;
		for (uint32_t k = 0; k < c->last_count; k++) {
			const struct gg_signal_info *info = gg_signal(c->lasts[k].signal);
			if (info && gg_str_eq(info->name, draft->refs[i].name))
				join(c, x->output, i, gg_str(x->binding), k, info);
		}
	}
}

static int compute_add_slot(
	void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e)
{
	struct compute *c = self;
	struct source *s = GG_SLOT_ADD(&c->sources, slot->slot, struct source);
	if (!s || gg_grow(&c->lasts, c->last_count, &c->last_cap, sizeof *c->lasts) < 0 ||
		gg_grow(&c->watches, c->last_count, &c->watch_cap, sizeof *c->watches) < 0)
		return gg_error_set(e, -ENOMEM, "out of memory");
	c->watches[c->last_count] = (struct watch){0};
	s->last = c->last_count;
	c->lasts[c->last_count++] = (struct gg_expr_last){.signal = slot->info->index};
	for (uint32_t i = 0; i < c->outputs.count; i++) {
		int rc = join_output(c, i, s->last, slot->info);
		if (rc < 0)
			return gg_error_set(e, rc, "output %s: too many", output_at(c, i)->name);
	}
	for (uint32_t i = 0; i < c->item_count; i++) {
		struct computed *x = c->items[i];
		if (x->expr)
			continue;
		join_plain(c, x);
		int rc = x->found == c->drafts[x->output]->ref_count ? complete(c, x, p, e) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- samples ---- */

static bool all_seen(const struct compute *c, const struct computed *x)
{
	for (unsigned i = 0; i < x->expr->ref_count; i++)
		if (!(c->lasts[x->lasts[i]].flags & GG_LAST_SEEN))
			return false;
	return true;
}

static void give(
	const struct computed *x, struct gg_flow *flow, const struct gg_sample *by, struct gg_expr_value v)
{
	struct gg_sample s = {.time_ns = by->time_ns, .signal = x->signal, .type = GG_TYPE_FLOAT};
	int rc = 0;
	if (!v.known) {
		s.quality = GG_BAD;
		s.aux = by->quality == GG_BAD ? by->aux : GG_REASON_INCOMPLETE;
		s.type = GG_TYPE_NONE;
	} else if (v.type == GG_EXPR_BOOL) {
		s.type = GG_TYPE_BOOL;
		s.v.b = v.v.b;
	} else if (v.type == GG_EXPR_STRING) {
		rc = gg_flow_put_text(flow, &s, v.v.s);
	} else {
		s.v.f = v.v.f * x->into.scale + x->into.offset;
	}
	if (rc == 0)
		gg_flow_emit(flow, x->slot, &s);
	else
		gg_flow_dropped(flow, GG_DROP_ROOM, 1);
}

static void compute_process(void *self, struct gg_flow *flow)
{
	struct compute *c = self;
	for (uint32_t i = 0; i < flow->count; i++) {
		const struct gg_sample *s = &flow->samples[i];
		uint32_t last = GG_SLOT(&c->sources, flow->slots[i], struct source)->last;
		struct gg_str text = {"", 0};
		if (s->type == GG_TYPE_STRING)
			text = gg_flow_text(flow, s);
		gg_expr_last_set(&c->lasts[last], s, text, flow->now_ns);
		const struct watch *w = &c->watches[last];
		for (uint32_t k = 0; k < w->count; k++) {
			const struct computed *x = w->items[k];
			if (!all_seen(c, x))
				continue;
			struct gg_expr_env env = {.lasts = c->lasts,
				.slots = x->lasts,
				.cause = last,
				.now_ns = flow->now_ns,
				.due_ns = INT64_MAX};
			give(x, flow, s, gg_expr_eval(x->expr, &env));
		}
	}
	flow->count = 0;
}

static void compute_save_slot(const void *self, uint32_t slot, struct gg_buf *to)
{
	const struct compute *c = self;
	const struct source *s = GG_SLOT_FIND(&c->sources, slot, struct source);
	if (s && c->lasts[s->last].flags & GG_LAST_SEEN)
		gg_expr_last_save(&c->lasts[s->last], to);
}

static int compute_load_slot(void *self, uint32_t slot, struct gg_reader *from)
{
	struct compute *c = self;
	const struct source *s = GG_SLOT_FIND(&c->sources, slot, struct source);
	return s ? gg_expr_last_load(&c->lasts[s->last], from) : -EINVAL;
}

static void compute_fini(void *self)
{
	struct compute *c = self;
	for (uint32_t i = 0; i < c->item_count; i++)
		computed_free(c->items[i]);
	for (uint32_t i = 0; i < c->last_count; i++) {
		gg_expr_last_done(&c->lasts[i]);
		free(c->watches[i].items);
	}
	free(c->items);
	free(c->lasts);
	free(c->watches);
	gg_slots_done(&c->sources);
	gg_arena_done(&c->arena);
}

static const struct gg_option output_options[] = {
	GG_OPTION(struct output, name, KEY, .help = "Name of the output: the signal <pipeline>/<name>"),
	GG_OPTION(struct output, formula, STRING, .flags = GG_REQUIRED | GG_MAIN, .example = "a/u * a/i",
		.help = "How it is worked out"),
	GG_OPTION(struct output, unit, STRING, .help = "Its unit; absent: what the formula gives"), {0}};

static const struct gg_option options[] = {
	GG_OPTION(struct compute, outputs, MAP, GG_SUB(output_options, struct output),
		.flags = GG_REQUIRED | GG_MAIN, .help = "Name and formula of each",
		.example = "{ power: a/u * a/i }"),
	{0}};

static const struct gg_stage_ops ops = {
	.flags = GG_STAGE_REPLACES,
	.add_slot = compute_add_slot,
	.process = compute_process,
	.save_slot = compute_save_slot,
	.load_slot = compute_load_slot,
	.state_version = 1,
};

const struct gg_component gg_stage_compute = {
	.name = "compute",
	.title = "Compute",
	.help = "Makes signals of others by formulas; only they go on.",
	.example = "- compute: { power: a/u * a/i }\n",
	.kind = GG_STAGE,
	.self_size = sizeof(struct compute),
	.options = options,
	.init = compute_init,
	.fini = compute_fini,
	.stage = &ops,
};
