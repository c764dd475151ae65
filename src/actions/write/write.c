/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write: sets signals of devices.
 *
 *   - write: { boiler/burner: off, press-$1/limit: "= {value} * 0.9" }
 *
 * A value is a template (see gg_trigger_text()); one that begins with '=' is a formula over it. What it means
 * follows from the signal's type: on, off, true, false for a switch, a number, or a text. All writes of a run
 * go out at once, and each stands for itself: a wrong formula, or a signal that is not there, keeps back its
 * own write and no other. The call ends when the last has been answered and names all that went wrong. A run
 * owns its memory and knows nothing of the instance, so an instance may go while writes are under way.
 * Everything of a run happens on one thread: the loop on which the rules are.
 */
#include "actions/write/write.h"

#include "base/buf.h"

enum { MOST = 64 };

struct target {
	const char *signal, *value;
};

struct write {
	struct gg_host *host;
	struct gg_many values; /* struct target */
};

struct one {
	struct gg_write write;
	struct gg_buf text; /* of its value */
	struct run *run;
	bool ready;
};

struct run {
	struct gg_call *call;
	size_t count;
	unsigned left, failed;
	int status; /* of the first that failed */
	char reason[400];
	struct one ones[];
};

static void run_free(struct run *r)
{
	for (size_t i = 0; i < r->count; i++)
		gg_buf_done(&r->ones[i].text);
	free(r);
}

static void note_failure(struct run *r, int status, const char *what)
{
	size_t len = strlen(r->reason);
	if (!r->status)
		r->status = status;
	snprintf(r->reason + len, sizeof r->reason - len, "%s%s", r->failed++ ? "; " : "", what);
}

static void finish_one(struct run *r, int status, const char *name, const char *reason)
{
	char what[300];
	if (status < 0) {
		snprintf(what, sizeof what, "%s: %s", name,
			reason && *reason ? reason : gg_error_name(status));
		note_failure(r, status, what);
	}
	if (--r->left)
		return;
	gg_call_done(r->call, r->status, r->status ? r->reason : NULL);
	run_free(r);
}

static void written(struct gg_write *w, int status, const char *reason)
{
	const struct gg_signal_info *info = gg_signal(w->signal);
	finish_one(GG_CONTAINER(w, struct one, write)->run, status, info ? info->name.p : "?", reason);
}

static int as_bool(struct gg_str s)
{
	static const char *const words[][2] = {{"off", "on"}, {"false", "true"}, {"0", "1"}, {"no", "yes"}};
	for (size_t i = 0; i < GG_COUNT(words); i++)
		for (int value = 0; value < 2; value++)
			if (gg_str_is(s, words[i][value]))
				return value;
	return -EINVAL;
}

static int set_number(struct gg_sample *v, uint8_t type, double f)
{
	/* 2^63 as a double: what a conversion could not hold */
	if ((type == GG_TYPE_INT && !(f >= -0x1p63 && f < 0x1p63)) ||
		(type == GG_TYPE_UINT && !(f > -1 && f < 0x1p64)))
		return -ERANGE;
	v->type = type;
	if (type == GG_TYPE_INT)
		v->v.i = (int64_t)f;
	else if (type == GG_TYPE_UINT)
		v->v.u = (uint64_t)f;
	else
		v->v.f = f;
	return 0;
}

int gg_write_value(struct gg_str text, uint8_t type, struct gg_sample *ret_value)
{
	struct gg_sample v = {0};
	double f = 0;
	int b = as_bool(text);
	bool number = gg_parse_float(text, &f) == 0;
	if (type == GG_TYPE_NONE)
		type = number ? GG_TYPE_FLOAT : b >= 0 ? GG_TYPE_BOOL : GG_TYPE_STRING;
	if (type == GG_TYPE_STRING || type == GG_TYPE_BYTES) {
		v.type = type;
		v.v.blob.len = (uint32_t)text.len;
	} else if (type == GG_TYPE_BOOL) {
		if (b < 0 && !number)
			return -EINVAL;
		v.type = type;
		v.v.b = b >= 0 ? b == 1 : f != 0;
	} else {
		if (!number && b < 0)
			return -EINVAL;
		int rc = set_number(&v, type, number ? f : b);
		if (rc < 0)
			return rc;
	}
	*ret_value = v;
	return 0;
}

/* The text of a target's value, into `to`. */
static int value_text(
	const struct target *t, const struct gg_trigger *by, struct gg_buf *to, struct gg_error *e)
{
	struct gg_str text = gg_str_trim(gg_str(t->value));
	if (!gg_str_starts(text, GG_STR("="))) {
		gg_trigger_text(to, text, by);
		return to->error;
	}
	double f = 0;
	char number[32];
	int rc = gg_trigger_number(by, gg_str_n(text.p + 1, text.len - 1), &f, e);
	if (rc < 0)
		return rc;
	gg_buf_add(to, number, gg_format_float(number, f));
	return to->error;
}

static int prepare(const struct target *t, const struct gg_trigger *by, struct one *one, struct gg_error *e)
{
	struct gg_write *w = &one->write;
	struct gg_buf name GG_CLEANUP(gg_buf_done) = GG_BUF(512);
	gg_trigger_text(&name, gg_str(t->signal), by);
	w->signal = gg_signal_find(gg_buf_view(&name));
	const struct gg_signal_info *info = w->signal == GG_NONE ? NULL : gg_signal(w->signal);
	if (!info)
		return gg_error_set(e, -ENOENT, "there is no signal '%s'", gg_buf_text(&name));
	one->text = GG_BUF(64 << 10);
	int rc = value_text(t, by, &one->text, e);
	if (rc == 0)
		rc = gg_write_value(gg_buf_view(&one->text), info->type, &w->value);
	if (rc < 0) {
		if (!e->text[0])
			gg_error_set(e, rc, "'%s' is no value for a %s", gg_buf_text(&one->text),
				gg_type_name(info->type));
		gg_error_prefix(e, "%s", gg_buf_text(&name));
		return rc;
	}
	w->value.signal = w->signal;
	w->value.time_ns = by->time_ns;
	w->text = gg_buf_view(&one->text);
	return 0;
}

/* What can't be prepared is noted and left out. */
static void prepare_all(struct run *r, const struct target *targets, const struct gg_trigger *by)
{
	for (size_t i = 0; i < r->count; i++) {
		struct gg_error e = {0};
		r->ones[i].run = r;
		int rc = prepare(&targets[i], by, &r->ones[i], &e);
		r->ones[i].ready = rc == 0;
		if (rc < 0)
			note_failure(r, rc, e.text[0] ? e.text : targets[i].signal);
	}
}

static void start(struct one *one, struct gg_loop *loop)
{
	one->write.loop = loop;
	one->write.done = written;
	int rc = gg_write_start(&one->write);
	if (rc < 0)
		finish_one(one->run, rc, gg_signal(one->write.signal)->name.p,
			rc == -EPERM    ? "it is not writable"
			: rc == -EACCES ? "its device is disabled"
					: NULL);
}

static int write_run(void *self, const struct gg_trigger *t, struct gg_call *call, struct gg_error *e)
{
	const struct write *w = self;
	struct gg_loop *loop = gg_host_loop(w->host);
	struct run *r = calloc(1, sizeof *r + w->values.count * sizeof r->ones[0]);
	if (!r)
		return gg_error_set(e, -ENOMEM, "out of memory");
	r->call = call;
	r->count = w->values.count;
	prepare_all(r, w->values.items, t);
	if (r->failed == r->count) {
		int rc = gg_error_set(e, r->status, "%s", r->reason);
		run_free(r);
		return rc;
	}
	/* One more than there are, so that the run stays until all have been started. */
	r->left = (unsigned)r->count - r->failed + 1;
	for (size_t i = 0; i < r->count; i++)
		if (r->ones[i].ready)
			start(&r->ones[i], loop);
	finish_one(r, 0, NULL, NULL);
	return 0;
}

static int write_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct write *w = self;
	w->host = host;
	if (w->values.count == 0 || w->values.count > MOST)
		return gg_error_set(
			e, -EINVAL, "wants 1 to %d signals, e.g. write: { boiler/burner: off }", MOST);
	return 0;
}

static const struct gg_option target_options[] = {
	GG_OPTION(struct target, signal, KEY, .help = "The signal; $1 is what the rule's first * stands for"),
	GG_OPTION(struct target, value, STRING, .flags = GG_REQUIRED | GG_MAIN,
		.help = "What to write: on, off, a number, a text; {value} is filled in; = begins a formula",
		.example = "off"),
	{0}};

static const struct gg_option options[] = {
	GG_OPTION(struct write, values, MAP, GG_SUB(target_options, struct target),
		.flags = GG_REQUIRED | GG_MAIN, .help = "What to write where",
		.example = "{ boiler/burner: off }"),
	{0}};

static const struct gg_action_ops ops = {.run = write_run};

const struct gg_component gg_action_write = {
	.name = "write",
	.title = "Write signals",
	.help = "Writes values to signals of devices.",
	.example = "- write: { boiler/burner: off }\n",
	.kind = GG_ACTION,
	.self_size = sizeof(struct write),
	.options = options,
	.init = write_init,
	.action = &ops,
};
