/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and clearing: limits, the event with its trace, the actions. The trace holds all that made the
 * decision: the rule's text, the configuration's revision, since when the condition held, and the latest
 * sample of every signal it names.
 */
#include "base/json.h"
#include "pipeline/rule_call.h"
#include "pipeline/rule_internal.h"

/* ---- what is said ---- */

static struct gg_sample sample_of(const struct gg_expr_last *l, struct gg_str *ret_text)
{
	struct gg_sample s = {.time_ns = l->time_ns,
		.signal = l->signal,
		.type = l->type,
		.quality = l->quality,
		.aux = l->aux};
	*ret_text = GG_STR("");
	switch (l->type) {
	case GG_TYPE_BOOL:
		s.v.b = l->number != 0;
		break;
	case GG_TYPE_INT:
		s.v.i = (int64_t)l->number;
		break;
	case GG_TYPE_UINT:
		s.v.u = (uint64_t)l->number;
		break;
	case GG_TYPE_STRING:
		*ret_text = gg_str_n(l->text, l->text_len);
		break;
	default:
		s.v.f = l->number;
	}
	return s;
}

static void trace_sample(struct gg_json_writer *w, const struct gg_expr_last *l)
{
	const struct gg_signal_info *info = gg_signal(l->signal);
	gg_json_begin_object(w);
	gg_json_put_str(w, "signal", info ? info->name : GG_STR(""));
	if (l->flags & GG_LAST_SEEN) {
		gg_json_put_time(w, "time", l->time_ns);
		if (l->type == GG_TYPE_STRING)
			gg_json_put_str(w, "value", gg_str_n(l->text, l->text_len));
		else if (l->type == GG_TYPE_BOOL)
			gg_json_put_bool(w, "value", l->number != 0);
		else if (l->type != GG_TYPE_NONE)
			gg_json_put_float(w, "value", l->number);
		if (info && *info->unit)
			gg_json_put_str(w, "unit", gg_str(info->unit));
		gg_json_put_str(w, "quality", gg_str(gg_quality_name(l->quality)));
		if (l->aux)
			gg_json_put_str(w, "reason", gg_str(gg_reason_text(l->aux)));
	}
	gg_json_end_object(w);
}

static void trace_binding(struct gg_json_writer *w, const struct instance *in, unsigned stars)
{
	gg_json_key(w, GG_STR("binding"));
	gg_json_begin_array(w);
	for (unsigned i = 0; i < stars; i++)
		gg_json_string(w, gg_binding_part(gg_str(in->binding), i));
	gg_json_end_array(w);
}

static void trace_by_event(struct gg_json_writer *w, const struct gg_event_report *by)
{
	gg_json_key(w, GG_STR("event"));
	gg_json_begin_object(w);
	gg_json_put_str(w, "kind", gg_str(by->kind));
	gg_json_put_str(w, "key", by->key);
	gg_json_put_str(w, "title", by->title);
	gg_json_end_object(w);
}

static struct gg_str trace(struct gg_ruleset *rs, const struct instance *in, const struct gg_trigger *t,
	bool clearing, const struct gg_event_report *by)
{
	const struct rule *r = &rs->rules[in->rule];
	struct gg_json_writer w = gg_json_writer(&rs->scratch);
	gg_buf_clear(&rs->scratch);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "rule", gg_str(options_of(r)->name));
	gg_json_put_int(&w, "revision", (int64_t)rs->setup.revision);
	gg_json_put_time(&w, "decided", t->time_ns);
	if (clearing)
		gg_json_put_bool(&w, "cleared", true);
	if (by)
		trace_by_event(&w, by);
	if (r->when) {
		gg_json_put_str(&w, clearing && r->clear ? "clear_when" : "when",
			gg_str(clearing && r->clear ? options_of(r)->clear_when : options_of(r)->when));
		if (in->since_ns)
			gg_json_put_time(&w, "first_true", in->since_ns);
		if (r->stars)
			trace_binding(&w, in, r->stars);
		gg_json_key(&w, GG_STR("samples"));
		gg_json_begin_array(&w);
		for (uint32_t i = 0; i < r->ref_count; i++)
			if (in->slots[i] != GG_NONE)
				trace_sample(&w, &rs->lasts[in->slots[i]]);
		gg_json_end_array(&w);
	}
	gg_json_end_object(&w);
	return rs->scratch.error ? GG_STR("") : gg_buf_view(&rs->scratch);
}

struct gg_str gg_rule_key(struct gg_ruleset *rs, const struct instance *in)
{
	const struct rule *r = &rs->rules[in->rule];
	gg_buf_clear(&rs->key);
	gg_buf_str(&rs->key, gg_str(options_of(r)->name));
	if (in->binding) {
		gg_buf_char(&rs->key, '/');
		for (const char *p = in->binding; *p; p++)
			gg_buf_char(&rs->key, *p == GG_BINDING_SEPARATOR ? ',' : *p);
	}
	return gg_buf_view(&rs->key);
}

static void set_title(
	struct gg_ruleset *rs, const struct rule *r, struct gg_trigger *t, const struct gg_event_report *by)
{
	const struct gg_site_rule *o = options_of(r);
	gg_buf_clear(&rs->title);
	if (o->title)
		gg_trigger_text(&rs->title, gg_str(o->title), t);
	else if (by)
		gg_buf_printf(&rs->title, "%s: %.*s", o->name, GG_STR_ARG(by->title));
	else
		gg_trigger_text(&rs->title, GG_STR("{rule}: {signal} is {value} {unit}"), t);
	t->title = gg_str_trim(gg_buf_view(&rs->title));
}

static void set_message(struct gg_ruleset *rs, const struct rule *r, struct gg_trigger *t)
{
	if (!options_of(r)->message)
		return;
	gg_buf_clear(&rs->message);
	gg_trigger_text(&rs->message, gg_str(options_of(r)->message), t);
	t->message = gg_str_trim(gg_buf_view(&rs->message));
}

/* ---- limits ---- */

static bool too_often(const struct gg_site_rule *o, struct rule *r, const struct instance *in, int64_t now_ns)
{
	if (o->pause_ns && in->opened_ns && now_ns - in->opened_ns < o->pause_ns)
		return true;
	if (!o->per_hour)
		return false;
	if (!r->in_window || now_ns - r->window_ns >= 3600 * GG_NS_PER_S) {
		r->window_ns = now_ns;
		r->in_window = 0;
	}
	return r->in_window >= o->per_hour;
}

/* ---- doing it ---- */

static void run_actions(
	struct gg_ruleset *rs, const struct gg_rule_action *actions, size_t count, const struct gg_trigger *t)
{
	for (size_t i = 0; i < count; i++) {
		rs->stats.action_runs++;
		if (!gg_rule_call(rs->setup.ops, rs->setup.ctx, &actions[i], (unsigned)i, t))
			rs->stats.action_refusals++;
	}
}

static struct gg_trigger trigger(struct gg_ruleset *rs, const struct instance *in, uint32_t cause,
	int64_t now_ns, const struct gg_event_report *by)
{
	const struct rule *r = &rs->rules[in->rule];
	const struct gg_site_rule *o = options_of(r);
	struct gg_trigger t = {.rule = gg_str(o->name),
		.severity = (enum gg_severity)o->severity,
		.signal = GG_NONE,
		.time_ns = now_ns,
		.binding = gg_str(in->binding),
		.text = GG_STR("")};
	if (cause == GG_NONE && r->when) /* time did it: speak of the first signal of the condition */
		cause = in->slots[0];
	if (cause != GG_NONE) {
		t.sample = sample_of(&rs->lasts[cause], &t.text);
		t.signal = t.sample.signal;
	} else if (by) {
		t.signal = by->signal;
	}
	set_title(rs, r, &t, by);
	set_message(rs, r, &t);
	return t;
}

static uint64_t tell(struct gg_ruleset *rs, const struct instance *in, const struct gg_trigger *t, bool clear,
	const struct gg_event_report *by)
{
	const struct gg_signal_info *info = t->signal == GG_NONE ? NULL : gg_signal(t->signal);
	const struct gg_event_report report = {.kind = "rule",
		.key = gg_rule_key(rs, in),
		.severity = t->severity,
		.clear = clear,
		.title = t->title,
		.message = t->message,
		.device = info ? info->device
			  : by ? by->device
			       : GG_NONE,
		.signal = t->signal,
		.trace_json = trace(rs, in, t, clear, by),
		.time_ns = t->time_ns};
	return rs->setup.ops->event(rs->setup.ctx, &report);
}

void gg_rule_tell_open(struct gg_ruleset *rs, struct instance *in, uint32_t cause, int64_t now_ns,
	const struct gg_event_report *by)
{
	const struct gg_rule *c = rs->rules[in->rule].config;
	struct gg_trigger t = trigger(rs, in, cause, now_ns, by);
	in->event = t.event = tell(rs, in, &t, false, by);
	run_actions(rs, c->actions, c->action_count, &t);
}

void gg_rule_open(struct gg_ruleset *rs, struct instance *in, uint32_t cause, int64_t now_ns,
	const struct gg_event_report *by)
{
	struct rule *r = &rs->rules[in->rule];
	in->open = true;
	in->clear_since_ns = 0;
	in->event = 0;
	in->muted = too_often(options_of(r), r, in, now_ns);
	if (in->muted) {
		rs->stats.muted++;
		return;
	}
	r->in_window++;
	in->opened_ns = now_ns;
	rs->stats.opened++;
	if (!rs->live) {
		if (rs->setup.ops->known)
			in->event = rs->setup.ops->known(rs->setup.ctx, "rule", gg_rule_key(rs, in));
		return;
	}
	gg_rule_tell_open(rs, in, cause, now_ns, by);
}

void gg_rule_clear(struct gg_ruleset *rs, struct instance *in, uint32_t cause, int64_t now_ns,
	const struct gg_event_report *by)
{
	const struct rule *r = &rs->rules[in->rule];
	bool muted = in->muted;
	in->open = in->muted = false;
	in->clear_since_ns = 0;
	if (muted)
		return;
	rs->stats.cleared++;
	if (!rs->live)
		return;
	struct gg_trigger t = trigger(rs, in, cause, now_ns, by);
	t.clearing = true;
	t.event = in->event;
	tell(rs, in, &t, true, by);
	run_actions(rs, r->config->on_clear, r->config->on_clear_count, &t);
	in->event = 0;
}

/* ---- rules on events ---- */

static bool follows(const struct gg_site_rule *o, const struct gg_event_report *e)
{
	if (!gg_str_is(gg_str(o->on.event), e->kind) || !gg_glob(gg_str(o->on.key), e->key))
		return false;
	if (!e->clear && (int)e->severity < o->on.severity)
		return false;
	/* its own failing action must not set it off again */
	struct gg_str name = gg_str(o->name);
	return !gg_str_is(gg_str(e->kind), "action-failed") || !gg_str_starts(e->key, name) ||
	       e->key.len <= name.len || e->key.p[name.len] != '/';
}

void gg_ruleset_event(struct gg_ruleset *rs, const struct gg_event_report *e, int64_t now_ns)
{
	if (gg_str_is(gg_str(e->kind), "rule") || e->key.len >= GG_BINDING)
		return;
	for (uint32_t i = 0; i < rs->rule_count; i++) {
		const struct gg_site_rule *o = options_of(&rs->rules[i]);
		if (rs->rules[i].when || !follows(o, e))
			continue;
		struct instance *in = gg_rule_instance(rs, i, e->key, !e->clear);
		if (!in)
			continue;
		if (!e->clear)
			gg_rule_open(rs, in, GG_NONE, now_ns, e);
		else if (in->open)
			gg_rule_clear(rs, in, GG_NONE, now_ns, e);
	}
}
