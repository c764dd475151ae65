/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what encode.h describes. */
#include "formats/encode.h"
#include "ganglion/host.h"

struct gg_str gg_encode_signal(uint32_t signal, const char **ret_unit)
{
	const struct gg_signal_info *info = gg_signal(signal);
	*ret_unit = info ? info->unit : "";
	return info ? info->signal : GG_STR("");
}

size_t gg_encode_id(char *to, uint64_t id)
{
	return (size_t)snprintf(to, 17, "%016llx", (unsigned long long)id);
}

static void put_id(struct gg_json_writer *w, uint64_t id)
{
	char text[17];
	size_t n = gg_encode_id(text, id);
	gg_json_put_str(w, "id", gg_str_n(text, n));
}

static void begin(struct gg_encoding *e, struct gg_buf *to, uint64_t id, struct gg_str device)
{
	*e = (struct gg_encoding){.to = to, .json = gg_json_writer(to), .device = device};
	gg_json_begin_object(&e->json);
	put_id(&e->json, id);
	gg_json_put_str(&e->json, "device", device);
	gg_json_key(&e->json, GG_STR("samples"));
	gg_json_begin_array(&e->json);
}

static void add(struct gg_encoding *e, const struct gg_batch *b, const struct gg_sample *s)
{
	struct gg_json_writer *w = &e->json;
	const char *unit;
	struct gg_str name = gg_encode_signal(s->signal, &unit);
	gg_json_begin_object(w);
	gg_json_put_str(w, "signal", name);
	gg_json_put_time(w, "time", s->time_ns);
	gg_json_key(w, GG_STR("value"));
	gg_sample_json(w, s, s->type >= GG_TYPE_STRING ? gg_batch_text(b, s) : GG_STR(""));
	if (*unit)
		gg_json_put_str(w, "unit", gg_str(unit));
	if (s->quality != GG_GOOD) {
		gg_json_put_str(w, "quality", gg_str(gg_quality_name(s->quality)));
		if (s->aux != GG_REASON_NONE)
			gg_json_put_str(w, "reason", gg_str(gg_reason_text(s->aux)));
	}
	gg_json_end_object(w);
	e->count++;
}

static void end(struct gg_encoding *e)
{
	gg_json_end_array(&e->json);
	gg_json_end_object(&e->json);
}

int gg_encode_event_json(struct gg_buf *to, uint64_t id, struct gg_str event)
{
	struct gg_json_reader r = gg_json_reader(event);
	enum gg_json_token first = gg_json_next(&r);
	if (first != GG_JSON_OBJECT || !gg_json_skip(&r, first))
		return -EINVAL;
	struct gg_json_writer w = gg_json_writer(to);
	gg_json_begin_object(&w);
	put_id(&w, id);
	gg_json_key(&w, GG_STR("event"));
	gg_json_raw(&w, event);
	gg_json_end_object(&w);
	return 0;
}

const struct gg_encoder gg_encoder_json = {
	"json", "application/json", "application/json", begin, add, end, gg_encode_event_json};
