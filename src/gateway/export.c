/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/export.h"

#include "base/clock.h"
#include "base/json.h"
#include "formats/parquet.h"
#include "gateway/query_text.h"

#include <math.h>
#include <stdatomic.h>

enum { PIECE = 64 << 10, BUFFER_MAX = 64 << 20, SIGNALS_MAX = 1 << 20, LOOK_EVERY = 4096 };
enum { SIGNAL, TIME, VALUE, TEXT, UNIT, QUALITY };

struct chosen {
	char *name, *unit;
};

struct run {
	const struct gg_export *x;
	const struct gg_sink *sink;
	struct chosen *signals;
	size_t count, cap, at;
	struct gg_buf out;
	struct gg_parquet *parquet;
	uint64_t samples;
	int status;
};

struct form {
	const char *name, *media;
	int (*begin)(struct run *r);
	void (*sample)(struct run *r, const struct gg_sample *s, struct gg_str text);
	int (*end)(struct run *r);
};

/* ---- values as text ---- */

/* Digits, true or false; "" when it is no number, or none that text has (NaN). */
static struct gg_str number_text(const struct gg_sample *s, char to[32])
{
	switch (s->type) {
	case GG_TYPE_BOOL:
		return s->v.b ? GG_STR("true") : GG_STR("false");
	case GG_TYPE_INT:
		return gg_str_n(to, gg_format_int(to, s->v.i));
	case GG_TYPE_UINT:
		return gg_str_n(to, (size_t)snprintf(to, 32, "%llu", (unsigned long long)s->v.u));
	case GG_TYPE_FLOAT:
		return isfinite(s->v.f) ? gg_str_n(to, gg_format_float(to, s->v.f)) : GG_STR("");
	default:
		return GG_STR("");
	}
}

/* ---- CSV ---- */

static int csv_begin(struct run *r)
{
	gg_buf_str(&r->out, GG_STR("signal,time,value,unit,quality\n"));
	return 0;
}

static void csv_sample(struct run *r, const struct gg_sample *s, struct gg_str text)
{
	char number[32], time[GG_TIME_TEXT];
	const struct chosen *c = &r->signals[r->at];
	gg_csv_put(&r->out, gg_str(c->name));
	gg_buf_char(&r->out, ',');
	gg_buf_add(&r->out, time, gg_time_format(time, s->time_ns));
	gg_buf_char(&r->out, ',');
	if (s->type == GG_TYPE_STRING)
		gg_csv_put(&r->out, text);
	else if (s->type == GG_TYPE_BYTES)
		gg_buf_hex(&r->out, text);
	else
		gg_buf_str(&r->out, number_text(s, number));
	gg_buf_char(&r->out, ',');
	gg_csv_put(&r->out, gg_str(c->unit));
	gg_buf_char(&r->out, ',');
	gg_buf_str(&r->out, gg_str(gg_quality_name(s->quality)));
	gg_buf_str(&r->out, GG_STR("\n"));
}

/* ---- JSON lines ---- */

static int nothing(GG_UNUSED struct run *r)
{
	return 0;
}

static void jsonl_sample(struct run *r, const struct gg_sample *s, struct gg_str text)
{
	char number[32];
	const struct chosen *c = &r->signals[r->at];
	struct gg_json_writer w = gg_json_writer(&r->out);
	struct gg_str digits = number_text(s, number);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "signal", gg_str(c->name));
	gg_json_put_time(&w, "time", s->time_ns);
	gg_json_key(&w, GG_STR("value"));
	if (s->type == GG_TYPE_STRING) {
		gg_json_string(&w, text);
	} else if (s->type == GG_TYPE_BYTES) {
		struct gg_buf hex GG_CLEANUP(gg_buf_done) = GG_BUF(BUFFER_MAX);
		gg_buf_hex(&hex, text);
		gg_json_string(&w, gg_buf_view(&hex));
	} else if (digits.len) {
		gg_json_raw(&w, digits);
	} else {
		gg_json_null(&w);
	}
	if (c->unit[0])
		gg_json_put_str(&w, "unit", gg_str(c->unit));
	gg_json_put_str(&w, "quality", gg_str(gg_quality_name(s->quality)));
	gg_json_end_object(&w);
	gg_buf_char(&r->out, '\n');
}

/* ---- Parquet ---- */

static int parquet_begin(struct run *r)
{
	static const struct gg_parquet_column columns[] = {{"signal", GG_PARQUET_WORD, false},
		{"time", GG_PARQUET_TIME, false}, {"value", GG_PARQUET_NUMBER, true},
		{"text", GG_PARQUET_TEXT, true}, {"unit", GG_PARQUET_WORD, true},
		{"quality", GG_PARQUET_WORD, false}};
	return gg_parquet_new(columns, GG_COUNT(columns), r->sink, &r->parquet);
}

static bool is_exact(const struct gg_sample *s)
{
	if (s->type == GG_TYPE_INT)
		return s->v.i >= -(1LL << 53) && s->v.i <= 1LL << 53;
	return s->type != GG_TYPE_UINT || s->v.u <= 1ULL << 53;
}

static void parquet_sample(struct run *r, const struct gg_sample *s, struct gg_str text)
{
	char number[32];
	const struct chosen *c = &r->signals[r->at];
	struct gg_buf hex GG_CLEANUP(gg_buf_done) = GG_BUF(BUFFER_MAX);
	gg_parquet_str(r->parquet, SIGNAL, gg_str(c->name));
	gg_parquet_time(r->parquet, TIME, s->time_ns);
	if (gg_type_is_number(s->type))
		gg_parquet_number(r->parquet, VALUE, gg_sample_number(s));
	if (s->type == GG_TYPE_STRING) {
		gg_parquet_str(r->parquet, TEXT, text);
	} else if (s->type == GG_TYPE_BYTES) {
		gg_buf_hex(&hex, text);
		gg_parquet_str(r->parquet, TEXT, gg_buf_view(&hex));
	} else if (!is_exact(s)) {
		gg_parquet_str(r->parquet, TEXT, number_text(s, number));
	}
	if (c->unit[0])
		gg_parquet_str(r->parquet, UNIT, gg_str(c->unit));
	gg_parquet_str(r->parquet, QUALITY, gg_str(gg_quality_name(s->quality)));
	r->status = gg_parquet_row(r->parquet);
}

static int parquet_end(struct run *r)
{
	return gg_parquet_finish(r->parquet);
}

static const struct form forms[] = {
	[GG_EXPORT_CSV] = {"csv", "text/csv; charset=utf-8", csv_begin, csv_sample, nothing},
	[GG_EXPORT_JSONL] = {"jsonl", "application/jsonl", nothing, jsonl_sample, nothing},
	[GG_EXPORT_PARQUET] = {"parquet", "application/vnd.apache.parquet", parquet_begin, parquet_sample,
		parquet_end},
};

int gg_export_format_of(struct gg_str name, enum gg_export_format *ret_format)
{
	for (size_t i = 0; i < GG_COUNT(forms); i++)
		if (gg_str_is(name, forms[i].name)) {
			*ret_format = (enum gg_export_format)i;
			return 0;
		}
	return -EINVAL;
}

const char *gg_export_media(enum gg_export_format format)
{
	return forms[format].media;
}

/* ---- the run ---- */

static bool fits(struct gg_str patterns, struct gg_str name)
{
	if (gg_str_trim(patterns).len == 0)
		return true;
	while (patterns.len)
		if (gg_glob(gg_str_trim(gg_str_cut(&patterns, ',')), name))
			return true;
	return false;
}

static bool choose(void *arg, struct gg_str name, struct gg_str unit, GG_UNUSED struct gg_str title)
{
	struct run *r = arg;
	if (!fits(r->x->select, name))
		return true;
	if (r->count == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct chosen *fresh = cap <= SIGNALS_MAX ? realloc(r->signals, cap * sizeof *fresh) : NULL;
		r->status = fresh ? 0 : -ENOMEM;
		if (!fresh)
			return false;
		r->signals = fresh;
		r->cap = cap;
	}
	struct chosen c = {gg_str_dup(name), gg_str_dup(unit)};
	r->signals[r->count++] = c;
	if (!c.name || !c.unit)
		r->status = -ENOMEM;
	return r->status == 0;
}

static bool give(void *arg, const struct gg_sample *s, struct gg_str text)
{
	struct run *r = arg;
	forms[r->x->format].sample(r, s, text);
	if (r->status == 0 && (r->out.len >= PIECE || r->out.error))
		r->status = gg_sink_flush(r->sink, &r->out);
	if (++r->samples % LOOK_EVERY == 0) {
		if (r->x->cancelled && atomic_load(r->x->cancelled))
			r->status = -ECANCELED;
		if (r->x->progress)
			r->x->progress(r->x->arg, r->samples, r->at, r->count);
	}
	return r->status == 0;
}

static int run_all(struct run *r, struct gg_history_reader *reader)
{
	const struct form *form = &forms[r->x->format];
	int rc = gg_history_signals(reader, GG_STR("*"), choose, r);
	if (rc == 0 && r->status == 0)
		r->status = form->begin(r);
	for (; r->at < r->count && rc == 0 && r->status == 0; r->at++)
		rc = gg_history_scan(reader, gg_str(r->signals[r->at].name), r->x->from, r->x->to, give, r);
	if (rc == 0 && r->status == 0)
		r->status = form->end(r);
	if (rc == 0 && r->status == 0)
		r->status = gg_sink_flush(r->sink, &r->out);
	return rc < 0 ? rc : r->status;
}

static void done(struct run *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->signals[i].name);
		free(r->signals[i].unit);
	}
	free(r->signals);
	gg_buf_done(&r->out);
	gg_parquet_free(r->parquet);
}

int gg_export_run(
	const struct gg_export *x, const struct gg_sink *sink, uint64_t *ret_samples, struct gg_error *e)
{
	struct run r = {.x = x, .sink = sink, .out = GG_BUF(BUFFER_MAX)};
	struct gg_history_reader *reader = NULL;
	int rc = x->history ? gg_history_reader_new(x->history, &reader, e)
			    : gg_history_reader_open(x->history_path, &reader, e);
	if (rc < 0)
		return rc;
	rc = run_all(&r, reader);
	gg_history_reader_free(reader);
	done(&r);
	*ret_samples = r.samples;
	if (rc == -ECANCELED)
		return gg_error_set(e, rc, "the export was cancelled");
	return rc < 0 ? gg_error_set(e, rc, "the export broke off: %s", strerror(-rc)) : 0;
}
