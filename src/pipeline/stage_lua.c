/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lua: a function of one's own, called with each sample.
 *
 *   - lua:
 *       outputs: [power]
 *       code: |
 *         function on_sample(s)        -- s.signal s.device s.value s.time s.quality s.unit
 *           state.last = s.value
 *           return { value = s.value * 2, power = s.value ^ 2 }
 *         end
 *
 * It returns nothing (the sample ends here), a value (in place of the sample's), or a table: `value` replaces
 * the sample's value, and each declared output becomes <pipeline>/<signal>.<output>. A call that fails lets
 * its sample go, or pass unchanged with `on_error: pass`; it is counted, and an event tells of the first.
 * That event clears when a hundred calls in a row have gone well.
 */
#include "pipeline/lua_file.h"
#include "pipeline/lua_internal.h"
#include "pipeline/pipeline.h"
#include "pipeline/stage_kit.h"
#include "pipeline/stages.h"

#include <math.h>

enum { MOST_OUTPUTS = 32, WELL_AGAIN = 100 };

enum { ON_ERROR_DROP, ON_ERROR_PASS };

struct lua_slot {
	const struct gg_signal_info *info;
	char unit[64]; /* as it comes out of the stage before */
	uint32_t slots[MOST_OUTPUTS], signals[MOST_OUTPUTS];
};

struct lua_stage {
	struct gg_lua_options lua; /* first */
	struct gg_strings outputs;
	int on_error;
	struct gg_lua *box;
	struct gg_slots slots;
	bool reported;
	unsigned well; /* calls in a row since the last that failed */
};

/* One call: what push() shows and take() fills. */
struct turn {
	struct lua_stage *stage;
	struct gg_flow *flow;
	const struct lua_slot *slot;
	struct gg_sample *sample;
	bool goes_on;
};

static int lua_stage_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct lua_stage *s = self;
	(void)host;
	if (s->outputs.count > MOST_OUTPUTS)
		return gg_error_set(e, -EINVAL, "outputs: at most %d are possible", MOST_OUTPUTS);
	return gg_lua_open(&s->lua, "code", &s->box, e);
}

static int lua_stage_add_slot(
	void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e)
{
	struct lua_stage *s = self;
	struct lua_slot *at = GG_SLOT_ADD(&s->slots, slot->slot, struct lua_slot);
	const struct gg_signal_spec spec = {.type = GG_TYPE_NONE, .unit = ""};
	if (!at)
		return gg_error_set(e, -ENOMEM, "out of memory");
	at->info = gg_signal(slot->signal);
	gg_str_copy(at->unit, sizeof at->unit, gg_str(slot->info->unit));
	for (size_t i = 0; i < s->outputs.count; i++) {
		char suffix[80];
		snprintf(suffix, sizeof suffix, ".%s", s->outputs.items[i]);
		int rc = gg_stage_output(p, slot, suffix, &spec, &at->slots[i], &at->signals[i]);
		if (rc < 0)
			return gg_error_set(e, rc, "output '%s' can't be", s->outputs.items[i]);
	}
	return 0;
}

static void push_value(lua_State *L, const struct gg_flow *flow, const struct gg_sample *s)
{
	struct gg_str text;
	switch (s->quality == GG_BAD ? GG_TYPE_NONE : s->type) {
	case GG_TYPE_BOOL:
		lua_pushboolean(L, s->v.b);
		return;
	case GG_TYPE_INT:
		lua_pushinteger(L, s->v.i);
		return;
	case GG_TYPE_UINT:
		if (s->v.u <= INT64_MAX)
			lua_pushinteger(L, (lua_Integer)s->v.u);
		else
			lua_pushnumber(L, (double)s->v.u);
		return;
	case GG_TYPE_FLOAT:
		lua_pushnumber(L, s->v.f);
		return;
	case GG_TYPE_STRING:
	case GG_TYPE_BYTES:
		text = gg_flow_text(flow, s);
		lua_pushlstring(L, text.p, text.len);
		return;
	default:
		lua_pushnil(L);
	}
}

static void push_sample(lua_State *L, void *arg)
{
	const struct turn *t = arg;
	const struct gg_signal_info *info = t->slot->info;
	lua_createtable(L, 0, 8);
	if (info) {
		struct gg_str device = gg_device_id(info->device);
		lua_pushlstring(L, info->name.p, info->name.len);
		lua_setfield(L, -2, "signal");
		lua_pushlstring(L, device.p, device.len);
		lua_setfield(L, -2, "device");
	}
	lua_pushstring(L, t->slot->unit);
	lua_setfield(L, -2, "unit");
	push_value(L, t->flow, t->sample);
	lua_setfield(L, -2, "value");
	lua_pushnumber(L, (double)t->sample->time_ns / 1e9);
	lua_setfield(L, -2, "time");
	lua_pushstring(L, gg_quality_name(t->sample->quality));
	lua_setfield(L, -2, "quality");
}

/* The value on top of the stack into a sample. */
static void to_sample(lua_State *L, struct gg_flow *flow, struct gg_sample *s)
{
	size_t len = 0;
	const char *text;
	switch (lua_type(L, -1)) {
	case LUA_TBOOLEAN:
		s->type = GG_TYPE_BOOL;
		s->v.b = lua_toboolean(L, -1);
		break;
	case LUA_TNUMBER:
		s->type = lua_isinteger(L, -1) ? GG_TYPE_INT : GG_TYPE_FLOAT;
		if (s->type == GG_TYPE_INT)
			s->v.i = lua_tointeger(L, -1);
		else
			s->v.f = lua_tonumber(L, -1);
		break;
	case LUA_TSTRING:
		text = lua_tolstring(L, -1, &len);
		if (gg_flow_put_text(flow, s, gg_str_n(text, len)) < 0)
			luaL_error(L, "too much text in one run");
		break;
	default:
		luaL_error(L, "a value is a number, true or false, or a text; this is a %s",
			luaL_typename(L, -1));
	}
	s->quality = s->quality == GG_BAD ? GG_GOOD : s->quality;
	s->aux = s->quality == GG_GOOD ? GG_REASON_NONE : s->aux;
	if (s->type == GG_TYPE_FLOAT && !isfinite(s->v.f)) {
		s->quality = GG_BAD;
		s->aux = GG_REASON_NOT_A_NUMBER;
	}
}

static void take_outputs(lua_State *L, struct turn *t)
{
	for (size_t i = 0; i < t->stage->outputs.count; i++) {
		struct gg_sample s = {.time_ns = t->sample->time_ns, .signal = t->slot->signals[i]};
		lua_getfield(L, -1, t->stage->outputs.items[i]);
		if (!lua_isnil(L, -1)) {
			to_sample(L, t->flow, &s);
			gg_flow_emit(t->flow, t->slot->slots[i], &s);
		}
		lua_pop(L, 1);
	}
}

static void take_result(lua_State *L, void *arg)
{
	struct turn *t = arg;
	struct gg_sample fresh = *t->sample;
	if (lua_isnil(L, -1))
		return;
	if (!lua_istable(L, -1)) {
		to_sample(L, t->flow, &fresh);
	} else {
		take_outputs(L, t);
		lua_getfield(L, -1, "value");
		if (lua_isnil(L, -1))
			return;
		to_sample(L, t->flow, &fresh);
	}
	*t->sample = fresh;
	t->goes_on = true;
}

static void report(struct lua_stage *s, struct gg_flow *flow, const struct gg_error *e)
{
	char key[160], title[GG_ERROR_TEXT + 80];
	bool clear = e == NULL;
	s->well = clear ? s->well : 0;
	if (clear == !s->reported)
		return;
	s->reported = !clear;
	snprintf(key, sizeof key, "%s/%s", gg_pipeline_name(flow->pipeline), s->lua.function);
	snprintf(title, sizeof title, "Function %s in pipeline %s %s%s", s->lua.function,
		gg_pipeline_name(flow->pipeline), clear ? "works again" : "fails: ", clear ? "" : e->text);
	gg_flow_report(flow, &(struct gg_event_report){.kind = "function-failed",
				     .key = gg_str(key),
				     .severity = GG_WARNING,
				     .clear = clear,
				     .title = gg_str(title),
				     .device = GG_NONE,
				     .signal = GG_NONE,
				     .time_ns = flow->now_ns});
}

static bool call(struct lua_stage *s, struct gg_flow *flow, uint32_t at)
{
	struct gg_error e = {0};
	struct turn t = {
		s, flow, GG_SLOT(&s->slots, flow->slots[at], struct lua_slot), &flow->samples[at], false};
	if (gg_lua_call(s->box, s->lua.function, push_sample, take_result, &t, &e) == 0) {
		if (s->reported && ++s->well >= WELL_AGAIN)
			report(s, flow, NULL);
		return t.goes_on;
	}
	report(s, flow, &e);
	if (s->on_error == ON_ERROR_DROP)
		gg_flow_dropped(flow, GG_DROP_BAD, 1);
	return s->on_error == ON_ERROR_PASS;
}

static void lua_stage_process(void *self, struct gg_flow *flow)
{
	struct lua_stage *s = self;
	uint32_t n = 0;
	gg_lua_set_now(s->box, flow->now_ns);
	for (uint32_t i = 0; i < flow->count; i++)
		if (call(s, flow, i))
			gg_flow_move(flow, n++, i);
	flow->count = n;
}

static void lua_stage_save(const void *self, struct gg_buf *to)
{
	/* a state that can't be saved (a function in it) is left out: the stage is then as new */
	gg_lua_save(((const struct lua_stage *)self)->box, to);
}

static int lua_stage_load(void *self, struct gg_reader *from)
{
	if (gg_reader_left(from) == 0)
		return 0;
	return gg_lua_load(((struct lua_stage *)self)->box, from);
}

static void lua_stage_fini(void *self)
{
	struct lua_stage *s = self;
	gg_lua_free(s->box);
	gg_slots_done(&s->slots);
}

static const char *const on_errors[] = {"drop", "pass", NULL};

static const struct gg_option options[] = {GG_LUA_OPTIONS("on_sample"),
	GG_OPTION(struct lua_stage, outputs, STRINGS, .example = "[power]",
		.help = "Signals it makes beside: fields of the table that it returns"),
	GG_OPTION(struct lua_stage, on_error, CHOICE, .choices = on_errors, .def = "drop",
		.help = "What becomes of a sample whose call failed"),
	{0}};

static const struct gg_stage_ops ops = {
	.add_slot = lua_stage_add_slot,
	.process = lua_stage_process,
	.save = lua_stage_save,
	.load = lua_stage_load,
	.state_version = 1,
};

const struct gg_component gg_stage_lua = {
	.name = "lua",
	.title = "Function in Lua",
	.help = "Calls a function with each sample, within bounds of time and memory.",
	.example = "- lua: \"function on_sample(s) return s.value * 2 end\"\n",
	.kind = GG_STAGE,
	.self_size = sizeof(struct lua_stage),
	.options = options,
	.init = lua_stage_init,
	.fini = lua_stage_fini,
	.stage = &ops,
};
