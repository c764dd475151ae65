/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/query_text.h"

#include "base/json.h"

enum { PIECE = 64 << 10, OUT_MAX = 64 << 20, NAMES_MAX = 1 << 20 };

static const struct {
	const char *name, *media;
} forms[] = {[GG_QUERY_CSV] = {"csv", "text/csv; charset=utf-8"},
	[GG_QUERY_JSON] = {"json", "application/json"},
	[GG_QUERY_JSONL] = {"jsonl", "application/jsonl"}};

int gg_query_format_of(struct gg_str name, enum gg_query_format *ret_format)
{
	for (size_t i = 0; i < GG_COUNT(forms); i++)
		if (gg_str_is(name, forms[i].name)) {
			*ret_format = (enum gg_query_format)i;
			return 0;
		}
	return -EINVAL;
}

const char *gg_query_media(enum gg_query_format format)
{
	return forms[format].media;
}

void gg_csv_put(struct gg_buf *to, struct gg_str s)
{
	bool quote = false;
	for (size_t i = 0; i < s.len && !quote; i++)
		quote = s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r';
	if (!quote) {
		gg_buf_str(to, s);
		return;
	}
	gg_buf_char(to, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"')
			gg_buf_char(to, '"');
		gg_buf_char(to, s.p[i]);
	}
	gg_buf_char(to, '"');
}

static void columns(void *arg, const char *const *names, unsigned count)
{
	struct gg_query_text *t = arg;
	for (unsigned i = 0; i < count; i++) {
		gg_buf_add(&t->names, names[i], strlen(names[i]) + 1);
		if (t->format != GG_QUERY_CSV)
			continue;
		if (i)
			gg_buf_char(&t->out, ',');
		gg_csv_put(&t->out, gg_str(names[i]));
	}
	if (t->format == GG_QUERY_CSV)
		gg_buf_char(&t->out, '\n');
	else if (t->format == GG_QUERY_JSON)
		gg_buf_char(&t->out, '[');
}

static void csv_value(struct gg_buf *to, const struct gg_query_value *v)
{
	char text[32];
	if (v->type == GG_QUERY_INT)
		gg_buf_add(to, text, gg_format_int(text, v->i));
	else if (v->type == GG_QUERY_FLOAT)
		gg_buf_add(to, text, gg_format_float(text, v->f));
	else if (v->type == GG_QUERY_TEXT)
		gg_csv_put(to, v->s);
	else if (v->type == GG_QUERY_BYTES)
		gg_buf_base64(to, v->s, /* url= */ false);
}

static void json_value(struct gg_json_writer *w, const struct gg_query_value *v)
{
	if (v->type == GG_QUERY_INT)
		gg_json_int(w, v->i);
	else if (v->type == GG_QUERY_FLOAT)
		gg_json_float(w, v->f);
	else if (v->type == GG_QUERY_TEXT)
		gg_json_string(w, v->s);
	else if (v->type == GG_QUERY_BYTES) {
		gg_json_raw(w, GG_STR("\""));
		gg_buf_base64(w->to, v->s, /* url= */ false);
		gg_buf_char(w->to, '"');
	} else {
		gg_json_null(w);
	}
}

static void json_row(struct gg_query_text *t, const struct gg_query_value *values, unsigned count)
{
	struct gg_json_writer w = gg_json_writer(&t->out);
	const char *name = t->names.p;
	if (t->format == GG_QUERY_JSON && t->rows)
		gg_buf_str(&t->out, GG_STR(",\n"));
	gg_json_begin_object(&w);
	for (unsigned i = 0; i < count; i++) {
		gg_json_key(&w, gg_str(name));
		json_value(&w, &values[i]);
		name += strlen(name) + 1;
	}
	gg_json_end_object(&w);
	if (t->format == GG_QUERY_JSONL)
		gg_buf_char(&t->out, '\n');
}

static bool row(void *arg, const struct gg_query_value *values, unsigned count)
{
	struct gg_query_text *t = arg;
	if (t->names.error) {
		t->status = t->names.error;
		return false;
	}
	if (t->format == GG_QUERY_CSV) {
		for (unsigned i = 0; i < count; i++) {
			if (i)
				gg_buf_char(&t->out, ',');
			csv_value(&t->out, &values[i]);
		}
		gg_buf_char(&t->out, '\n');
	} else {
		json_row(t, values, count);
	}
	t->rows++;
	if (t->out.len >= PIECE || t->out.error)
		t->status = gg_sink_flush(t->sink, &t->out);
	return t->status == 0;
}

void gg_query_text_begin(struct gg_query_text *t, enum gg_query_format format, const struct gg_sink *sink,
	struct gg_query_output *o)
{
	*t = (struct gg_query_text){
		.format = format, .sink = sink, .out = GG_BUF(OUT_MAX), .names = GG_BUF(NAMES_MAX)};
	*o = (struct gg_query_output){t, columns, row};
}

int gg_query_text_end(struct gg_query_text *t)
{
	if (t->format == GG_QUERY_JSON)
		gg_buf_str(&t->out, GG_STR("]\n"));
	if (t->status == 0)
		t->status = gg_sink_flush(t->sink, &t->out);
	return t->status;
}

void gg_query_text_done(struct gg_query_text *t)
{
	gg_buf_done(&t->out);
	gg_buf_done(&t->names);
}
