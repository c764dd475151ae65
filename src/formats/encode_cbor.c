/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR: the maps of the JSON form, keys in the order of RFC 8949 §4.2.1 (shorter first, then by bytes). */
#include "formats/cbor.h"
#include "formats/encode.h"

static void put_key(struct gg_buf *to, const char *key)
{
	gg_cbor_text(to, gg_str(key));
}

static void put_id(struct gg_buf *to, uint64_t id)
{
	put_key(to, "id");
	gg_cbor_uint(to, id);
}

static void begin(struct gg_encoding *e, struct gg_buf *to, uint64_t id, struct gg_str device)
{
	*e = (struct gg_encoding){.to = to, .device = device};
	gg_cbor_map(to, 3);
	put_id(to, id);
	put_key(to, "device");
	gg_cbor_text(to, device);
	put_key(to, "samples");
	e->mark = to->len;
}

static void put_value(struct gg_buf *to, const struct gg_batch *b, const struct gg_sample *s)
{
	switch (s->type) {
	case GG_TYPE_BOOL:
		gg_cbor_bool(to, s->v.b);
		break;
	case GG_TYPE_INT:
		gg_cbor_int(to, s->v.i);
		break;
	case GG_TYPE_UINT:
		gg_cbor_uint(to, s->v.u);
		break;
	case GG_TYPE_FLOAT:
		gg_cbor_float(to, s->v.f);
		break;
	case GG_TYPE_STRING:
		gg_cbor_text(to, gg_batch_text(b, s));
		break;
	case GG_TYPE_BYTES:
		gg_cbor_bytes(to, gg_batch_text(b, s));
		break;
	default:
		gg_cbor_null(to);
	}
}

static void add(struct gg_encoding *e, const struct gg_batch *b, const struct gg_sample *s)
{
	const char *unit;
	struct gg_str name = gg_encode_signal(s->signal, &unit);
	bool doubt = s->quality != GG_GOOD, reason = doubt && s->aux != GG_REASON_NONE;
	gg_cbor_map(e->to, 3U + (*unit != '\0') + doubt + reason);
	put_key(e->to, "time");
	gg_cbor_int(e->to, s->time_ns);
	if (*unit) {
		put_key(e->to, "unit");
		gg_cbor_text(e->to, gg_str(unit));
	}
	put_key(e->to, "value");
	put_value(e->to, b, s);
	if (reason) {
		put_key(e->to, "reason");
		gg_cbor_text(e->to, gg_str(gg_reason_text(s->aux)));
	}
	put_key(e->to, "signal");
	gg_cbor_text(e->to, name);
	if (doubt) {
		put_key(e->to, "quality");
		gg_cbor_text(e->to, gg_str(gg_quality_name(s->quality)));
	}
	e->count++;
}

static void end(struct gg_encoding *e)
{
	gg_cbor_array_around(e->to, e->mark, e->count);
}

static int event(struct gg_buf *to, uint64_t id, struct gg_str json)
{
	gg_cbor_map(to, 2);
	put_id(to, id);
	put_key(to, "event");
	return gg_cbor_json(to, json);
}

const struct gg_encoder gg_encoder_cbor = {
	"cbor", "application/cbor", "application/cbor", begin, add, end, event};
