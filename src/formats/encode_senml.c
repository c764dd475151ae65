/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SenML JSON (RFC 8428): base name and base time in the first record, times of the others as seconds after
 * it.
 *
 *   [{"bn":"boiler/","bt":1700000000,"n":"temperature","u":"Cel","v":21.5},{"n":"burner","t":0.25,"vb":true}]
 *
 * Units are those of SenML's registry (§12.1); what we call by another name or scale is converted, and a unit
 * it does not know is left out. Names keep to §4.5.1: other bytes become '_'.
 */
#include "formats/encode.h"

#include <math.h>

struct unit {
	const char *ours, *senml;
	double factor, offset; /* SenML's value = ours * factor + offset */
};

static const struct unit units[] = {
	{"degC", "Cel", 1, 0},
	{"celsius", "Cel", 1, 0},
	{"degF", "Cel", 5.0 / 9, -160.0 / 9},
	{"K", "K", 1, 0},
	{"kelvin", "K", 1, 0},
	{"m", "m", 1, 0},
	{"mm", "m", 1e-3, 0},
	{"cm", "m", 1e-2, 0},
	{"km", "m", 1e3, 0},
	{"kg", "kg", 1, 0},
	{"g", "g", 1, 0},
	{"s", "s", 1, 0},
	{"ms", "s", 1e-3, 0},
	{"min", "s", 60, 0},
	{"h", "s", 3600, 0},
	{"A", "A", 1, 0},
	{"mA", "A", 1e-3, 0},
	{"V", "V", 1, 0},
	{"mV", "V", 1e-3, 0},
	{"kV", "V", 1e3, 0},
	{"W", "W", 1, 0},
	{"kW", "W", 1e3, 0},
	{"MW", "W", 1e6, 0},
	{"J", "J", 1, 0},
	{"Wh", "J", 3600, 0},
	{"kWh", "J", 3.6e6, 0},
	{"Hz", "Hz", 1, 0},
	{"kHz", "Hz", 1e3, 0},
	{"Pa", "Pa", 1, 0},
	{"hPa", "Pa", 100, 0},
	{"mbar", "Pa", 100, 0},
	{"kPa", "Pa", 1e3, 0},
	{"bar", "Pa", 1e5, 0},
	{"MPa", "Pa", 1e6, 0},
	{"N", "N", 1, 0},
	{"kN", "N", 1e3, 0},
	{"ohm", "Ohm", 1, 0},
	{"lux", "lx", 1, 0},
	{"lx", "lx", 1, 0},
	{"m/s", "m/s", 1, 0},
	{"m s-1", "m/s", 1, 0},
	{"km/h", "m/s", 1 / 3.6, 0},
	{"m3", "m3", 1, 0},
	{"l", "l", 1, 0},
	{"m3/s", "m3/s", 1, 0},
	{"m3/h", "m3/s", 1.0 / 3600, 0},
	{"l/s", "l/s", 1, 0},
	{"l/min", "l/s", 1.0 / 60, 0},
	{"rpm", "1/min", 1, 0},
	{"1/min", "1/min", 1, 0},
	{"1/s", "1/s", 1, 0},
	{"%", "/", 0.01, 0},
	{"percent", "/", 0.01, 0},
	{"1", "/", 1, 0},
	{"deg", "rad", 3.14159265358979323846 / 180, 0},
	{"rad", "rad", 1, 0},
	{"dB", "dB", 1, 0},
};

static const struct unit *unit_of(const char *name)
{
	for (size_t i = 0; *name && i < GG_COUNT(units); i++)
		if (strcmp(units[i].ours, name) == 0)
			return &units[i];
	return NULL;
}

/* Seconds with as many decimals as there are, exactly. */
static void put_seconds(struct gg_encoding *e, const char *key, int64_t ns)
{
	char text[40], sign[2] = {ns < 0 ? '-' : '\0', '\0'};
	uint64_t abs_ns = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	int n = snprintf(text, sizeof text, "%s%llu.%09llu", sign, (unsigned long long)(abs_ns / 1000000000U),
		(unsigned long long)(abs_ns % 1000000000U));
	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	gg_json_key(&e->json, gg_str(key));
	gg_json_raw(&e->json, gg_str_n(text, (size_t)n));
}

static void put_name(struct gg_encoding *e, const char *key, struct gg_str name, const char *behind)
{
	char text[300];
	size_t n = gg_min_size(name.len, sizeof text - 2);
	for (size_t i = 0; i < n; i++) {
		char c = name.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		/* -, :, ., / and _ may stand anywhere but at the beginning */
		text[i] = letter || (strchr("-:./_", c) && c) ? c : '_';
		if (i == 0 && !letter && *behind)
			text[i] = 'x';
	}
	gg_str_copy(text + n, 2, gg_str(behind));
	gg_json_put_str(&e->json, key, gg_str_n(text, n + strlen(behind)));
}

static void begin(struct gg_encoding *e, struct gg_buf *to, uint64_t id, struct gg_str device)
{
	(void)id;
	*e = (struct gg_encoding){.to = to, .json = gg_json_writer(to), .device = device};
	gg_json_begin_array(&e->json);
}

static void put_value(
	struct gg_encoding *e, const struct gg_batch *b, const struct gg_sample *s, const struct unit *u)
{
	struct gg_json_writer *w = &e->json;
	if (s->type == GG_TYPE_BOOL) {
		gg_json_put_bool(w, "vb", s->v.b);
	} else if (s->type == GG_TYPE_STRING) {
		gg_json_put_str(w, "vs", gg_batch_text(b, s));
	} else if (s->type == GG_TYPE_BYTES) {
		gg_json_key(w, GG_STR("vd"));
		gg_json_raw(w, GG_STR("\""));
		gg_buf_base64(w->to, gg_batch_text(b, s), /* url= */ true);
		gg_buf_char(w->to, '"');
	} else if (s->type == GG_TYPE_INT && !u) {
		gg_json_put_int(w, "v", s->v.i);
	} else if (s->type == GG_TYPE_UINT && !u) {
		gg_json_key(w, GG_STR("v"));
		gg_json_uint(w, s->v.u);
	} else {
		double v = gg_sample_number(s);
		gg_json_put_float(w, "v", u ? v * u->factor + u->offset : v);
	}
}

static void add(struct gg_encoding *e, const struct gg_batch *b, const struct gg_sample *s)
{
	const char *ours;
	struct gg_str name = gg_encode_signal(s->signal, &ours);
	if (s->quality == GG_BAD || s->type == GG_TYPE_NONE ||
		(s->type == GG_TYPE_FLOAT && !isfinite(s->v.f)))
		return;
	const struct unit *u = unit_of(ours);
	gg_json_begin_object(&e->json);
	if (e->count == 0) {
		e->base_ns = s->time_ns - s->time_ns % GG_NS_PER_S;
		put_name(e, "bn", e->device, "/");
		put_seconds(e, "bt", e->base_ns);
	}
	put_name(e, "n", name, "");
	if (u)
		gg_json_put_str(&e->json, "u", gg_str(u->senml));
	if (s->time_ns != e->base_ns)
		put_seconds(e, "t", s->time_ns - e->base_ns);
	put_value(e, b, s, u);
	gg_json_end_object(&e->json);
	e->count++;
}

static void end(struct gg_encoding *e)
{
	gg_json_end_array(&e->json);
}

const struct gg_encoder gg_encoder_senml = {
	"senml", "application/senml+json", "application/json", begin, add, end, gg_encode_event_json};
