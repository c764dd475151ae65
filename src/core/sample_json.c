/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "ganglion/sample.h"

static void put_bytes(struct gg_json_writer *w, struct gg_str bytes)
{
	gg_json_begin_object(w);
	gg_json_key(w, GG_STR("base64"));
	gg_json_raw(w, GG_STR("\""));
	gg_buf_base64(w->to, bytes, /* url= */ false);
	gg_buf_char(w->to, '"');
	gg_json_end_object(w);
}

void gg_sample_json(struct gg_json_writer *w, const struct gg_sample *s, struct gg_str text)
{
	switch (s->type) {
	case GG_TYPE_BOOL:
		gg_json_bool(w, s->v.b);
		break;
	case GG_TYPE_INT:
		gg_json_int(w, s->v.i);
		break;
	case GG_TYPE_UINT:
		gg_json_uint(w, s->v.u);
		break;
	case GG_TYPE_FLOAT:
		gg_json_float(w, s->v.f);
		break;
	case GG_TYPE_STRING:
		gg_json_string(w, text);
		break;
	case GG_TYPE_BYTES:
		put_bytes(w, text);
		break;
	default:
		gg_json_null(w);
	}
}
