/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The action lua: a function of one's own decides what is done.
 *
 *   - lua: |
 *       function on_event(e)      -- e.rule e.severity e.title e.signal e.device e.value e.unit e.time
 *         if e.cleared then return end       -- e.event e.binding[1]
 *         return { write = { ["boiler/burner"] = false },
 *                  publish = { ["alarms/hot"] = "at " .. e.value }, text = "burner off" }
 *       end
 *
 * The function has no effects of its own: it says what it wants in the table it returns, and only when it has
 * ended well is that done. One that fails does nothing. It runs on the shard, within its budget of
 * instructions, so a box may not be used by two runs at once: a lock guards it, as rules of several shards
 * may share the action.
 *
 * Here and not among src/actions, because the box is the pipeline's.
 */
#include "pipeline/lua_action.h"

#include "base/buf.h"
#include "base/log.h"
#include "pipeline/expr.h"
#include "pipeline/lua_file.h"
#include "pipeline/lua_internal.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MOST = 16 };

struct lua_action {
	struct gg_lua_options lua; /* first */
	struct gg_host *host;
	pthread_mutex_t lock; /* guards box */
	struct gg_lua *box;
	bool begun;
};

/* One thing to do. */
struct effect {
	struct run *run;
	bool publishes;
	struct gg_write write;
	struct gg_publish publish;
	char *topic;
	struct gg_buf text;
};

struct run {
	struct gg_call *call;
	const struct gg_trigger *trigger; /* during run() only */
	_Atomic unsigned left;
	_Atomic int status;
	char text[200]; /* what the function said, then what went wrong */
	unsigned count;
	struct effect effects[MOST];
};

static void run_free(struct run *r)
{
	for (unsigned i = 0; i < r->count; i++) {
		free(r->effects[i].topic);
		gg_buf_done(&r->effects[i].text);
	}
	free(r);
}

static void finish_one(struct run *r, int status, const char *what, const char *reason)
{
	int none = 0;
	if (status < 0 && atomic_compare_exchange_strong(&r->status, &none, status))
		snprintf(r->text, sizeof r->text, "%s: %s", what,
			reason && *reason ? reason : gg_error_name(status));
	if (atomic_fetch_sub(&r->left, 1) != 1)
		return;
	gg_call_done(r->call, atomic_load(&r->status), r->text);
	run_free(r);
}

static void written(struct gg_write *w, int status, const char *reason)
{
	const struct gg_signal_info *info = gg_signal(w->signal);
	finish_one(GG_CONTAINER(w, struct effect, write)->run, status, info ? info->name.p : "?", reason);
}

static void published(struct gg_publish *p, int status, const char *reason)
{
	struct effect *f = GG_CONTAINER(p, struct effect, publish);
	finish_one(f->run, status, f->topic, reason);
}

/* ---- what the function sees ---- */

static void set_text(lua_State *L, const char *key, struct gg_str s)
{
	lua_pushlstring(L, s.p ? s.p : "", s.len);
	lua_setfield(L, -2, key);
}

static void push_value(lua_State *L, const struct gg_trigger *t)
{
	switch (t->sample.type) {
	case GG_TYPE_BOOL:
		lua_pushboolean(L, t->sample.v.b);
		break;
	case GG_TYPE_INT:
		lua_pushinteger(L, t->sample.v.i);
		break;
	case GG_TYPE_UINT:
	case GG_TYPE_FLOAT:
		lua_pushnumber(L, gg_sample_number(&t->sample));
		break;
	case GG_TYPE_STRING:
		lua_pushlstring(L, t->text.p, t->text.len);
		break;
	default:
		lua_pushnil(L);
	}
	lua_setfield(L, -2, "value");
}

static void push_trigger(lua_State *L, void *arg)
{
	static const char *const severities[] = {"information", "warning", "critical"};
	const struct gg_trigger *t = ((struct run *)arg)->trigger;
	const struct gg_signal_info *info = t->signal == GG_NONE ? NULL : gg_signal(t->signal);
	lua_createtable(L, 0, 16);
	set_text(L, "rule", t->rule);
	set_text(L, "title", t->title);
	set_text(L, "severity", gg_str(severities[t->severity]));
	if (info) {
		set_text(L, "signal", info->name);
		set_text(L, "device", gg_device_id(info->device));
		set_text(L, "unit", gg_str(info->unit));
		push_value(L, t);
	}
	lua_pushnumber(L, (double)t->time_ns / 1e9);
	lua_setfield(L, -2, "time");
	lua_pushinteger(L, (lua_Integer)t->event);
	lua_setfield(L, -2, "event");
	lua_pushboolean(L, t->clearing);
	lua_setfield(L, -2, "cleared");
	lua_newtable(L);
	for (unsigned i = 0; i < GG_EXPR_STARS && t->binding.len; i++) {
		struct gg_str part = gg_binding_part(t->binding, i);
		lua_pushlstring(L, part.p ? part.p : "", part.len);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfield(L, -2, "binding");
}

/* ---- what it wants ---- */

static struct effect *effect_new(lua_State *L, struct run *r)
{
	if (r->count == MOST)
		luaL_error(L, "more than %d things to do", MOST);
	struct effect *f = &r->effects[r->count++];
	f->run = r;
	f->text = GG_BUF(64 << 10);
	return f;
}

static void put_text(lua_State *L, struct effect *f, int at)
{
	size_t len = 0;
	const char *text = luaL_tolstring(L, at, &len);
	gg_buf_add(&f->text, text, len);
	lua_pop(L, 1);
	if (f->text.error)
		luaL_error(L, "out of memory");
}

/* key: the signal, -2; value: -1 */
static void want_write(lua_State *L, struct run *r)
{
	size_t len = 0;
	const char *name = luaL_checklstring(L, -2, &len);
	uint32_t signal = gg_signal_find(gg_str_n(name, len));
	if (signal == GG_NONE)
		luaL_error(L, "write: there is no signal '%s'", name);
	struct effect *f = effect_new(L, r);
	f->write = (struct gg_write){.signal = signal, .done = written};
	struct gg_sample *v = &f->write.value;
	v->signal = signal;
	v->time_ns = r->trigger->time_ns;
	if (lua_isboolean(L, -1)) {
		v->type = GG_TYPE_BOOL;
		v->v.b = lua_toboolean(L, -1);
	} else if (lua_isinteger(L, -1)) {
		v->type = GG_TYPE_INT;
		v->v.i = lua_tointeger(L, -1);
	} else if (lua_type(L, -1) == LUA_TNUMBER) {
		v->type = GG_TYPE_FLOAT;
		v->v.f = lua_tonumber(L, -1);
	} else if (lua_type(L, -1) == LUA_TSTRING) {
		v->type = GG_TYPE_STRING;
		put_text(L, f, -1);
		v->v.blob.len = (uint32_t)f->text.len;
	} else {
		luaL_error(L, "write: a %s can't be written", luaL_typename(L, -1));
	}
}

static void want_publish(lua_State *L, struct run *r)
{
	size_t len = 0;
	const char *topic = luaL_checklstring(L, -2, &len);
	if (len == 0 || strlen(topic) != len || strpbrk(topic, "+#"))
		luaL_error(L, "publish: '%s' is no topic to publish to", topic);
	struct effect *f = effect_new(L, r);
	f->publishes = true;
	f->topic = gg_str_dup(gg_str_n(topic, len));
	if (!f->topic)
		luaL_error(L, "out of memory");
	put_text(L, f, -1);
	f->publish = (struct gg_publish){.topic = gg_str(f->topic), .qos = 1, .done = published};
}

static void each(lua_State *L, const char *key, struct run *r, void (*want)(lua_State *L, struct run *r))
{
	if (lua_getfield(L, -1, key) == LUA_TTABLE) {
		for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
			want(L, r);
	} else if (!lua_isnil(L, -1)) {
		luaL_error(L, "%s: a table was expected", key);
	}
	lua_pop(L, 1);
}

static void take_wishes(lua_State *L, void *arg)
{
	struct run *r = arg;
	if (lua_type(L, -1) == LUA_TSTRING)
		gg_str_copy(r->text, sizeof r->text, gg_str(lua_tostring(L, -1)));
	if (!lua_istable(L, -1))
		return;
	each(L, "write", r, want_write);
	each(L, "publish", r, want_publish);
	if (lua_getfield(L, -1, "text") == LUA_TSTRING)
		gg_str_copy(r->text, sizeof r->text, gg_str(lua_tostring(L, -1)));
}

/* ---- doing it ---- */

static void start(struct effect *f, struct gg_loop *loop)
{
	f->write.loop = f->publish.loop = loop;
	f->write.text = f->publish.payload = gg_buf_view(&f->text);
	int rc = f->publishes ? gg_publish_start(&f->publish) : gg_write_start(&f->write);
	if (rc < 0)
		finish_one(f->run, rc, f->publishes ? f->topic : gg_signal(f->write.signal)->name.p,
			rc == -EPERM    ? "it is not writable"
			: rc == -EACCES ? "its device is disabled"
					: NULL);
}

static int lua_action_run(void *self, const struct gg_trigger *t, struct gg_call *call, struct gg_error *e)
{
	struct lua_action *a = self;
	struct gg_loop *loop = gg_host_loop(a->host);
	struct run *r = calloc(1, sizeof *r);
	if (!r)
		return gg_error_set(e, -ENOMEM, "out of memory");
	r->call = call;
	r->trigger = t;
	pthread_mutex_lock(&a->lock);
	gg_lua_set_now(a->box, t->time_ns);
	int rc = gg_lua_call(a->box, a->lua.function, push_trigger, take_wishes, r, e);
	pthread_mutex_unlock(&a->lock);
	r->trigger = NULL;
	if (rc < 0) {
		run_free(r);
		return rc;
	}
	unsigned count = r->count;
	atomic_store(&r->left, count + 1);
	for (unsigned i = 0; i < count; i++)
		start(&r->effects[i], loop);
	finish_one(r, 0, NULL, NULL);
	return 0;
}

static void say(void *arg, struct gg_str text)
{
	gg_log(GG_INFO, arg, "the function says", GG_SV("text", text));
}

static int lua_action_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct lua_action *a = self;
	a->host = host;
	pthread_mutex_init(&a->lock, NULL);
	a->begun = true;
	int rc = gg_lua_open(&a->lua, "code", &a->box, e);
	if (rc == 0)
		gg_lua_set_log(a->box, say, (void *)(uintptr_t) "lua");
	return rc;
}

static void lua_action_fini(void *self)
{
	struct lua_action *a = self;
	gg_lua_free(a->box);
	if (a->begun)
		pthread_mutex_destroy(&a->lock);
}

static const struct gg_option options[] = {GG_LUA_OPTIONS("on_event"), {0}};

static const struct gg_action_ops ops = {.run = lua_action_run};

const struct gg_component gg_action_lua = {
	.name = "lua",
	.title = "Function in Lua",
	.help = "Calls a function that says what is to be written and published.",
	.example = "- lua: |\n"
		   "    function on_event(e)\n"
		   "      return { write = { [\"boiler/burner\"] = e.cleared } }\n"
		   "    end\n",
	.kind = GG_ACTION,
	.self_size = sizeof(struct lua_action),
	.options = options,
	.init = lua_action_init,
	.fini = lua_action_fini,
	.action = &ops,
};
