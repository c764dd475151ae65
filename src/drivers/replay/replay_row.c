/* SPDX-License-Identifier: Apache-2.0 */
/* A row's cells to samples: its time, its device, its values. */
#include "drivers/replay/replay.h"

#include <math.h>
#include <time.h>

enum { TYPE_AUTO, TYPE_FLOAT, TYPE_INT, TYPE_BOOL, TYPE_STRING };

/* ---- time ---- */

/* ".25" or ",25" behind the seconds; anything else is an error. */
static int fraction_ns(const char *text, int64_t *ret_ns)
{
	int64_t ns = 0, place = GG_NS_PER_S / 10;
	if (*text == '\0') {
		*ret_ns = 0;
		return 0;
	}
	if (*text != '.' && *text != ',')
		return -EINVAL;
	for (text++; *text >= '0' && *text <= '9'; text++, place /= 10)
		ns += (*text - '0') * place;
	if (*text)
		return -EINVAL;
	*ret_ns = ns;
	return 0;
}

int gg_replay_time(struct gg_str text, const char *format, int64_t *ret_utc_ns)
{
	static const char *const units[] = {"s", "ms", "us", "ns"};
	if (!format || strcmp(format, "auto") == 0)
		return gg_decode_time(text, GG_TIME_AUTO, ret_utc_ns);
	for (unsigned i = 0; i < GG_COUNT(units); i++)
		if (strcmp(format, units[i]) == 0)
			return gg_decode_time(text, (enum gg_time_unit)(GG_TIME_S + i), ret_utc_ns);
	char copy[80];
	struct tm tm = {.tm_mday = 1};
	int64_t ns = 0;
	if (gg_str_copy(copy, sizeof copy, text) >= sizeof copy)
		return -EINVAL;
	const char *rest = strptime(copy, format, &tm);
	if (!rest || fraction_ns(rest, &ns) < 0)
		return -EINVAL;
	int64_t seconds = (int64_t)timegm(&tm) - tm.tm_gmtoff;
	if (__builtin_mul_overflow(seconds, GG_NS_PER_S, &seconds))
		return -EINVAL;
	*ret_utc_ns = seconds + ns;
	return 0;
}

static const struct gg_replay_cell *cell_of(const struct gg_replay *r, enum gg_replay_role role)
{
	for (size_t i = 0; i < r->row->count; i++)
		if (r->reader.columns[r->row->cells[i].column].role == role)
			return &r->row->cells[i];
	return NULL;
}

int gg_replay_row_time(struct gg_replay *r, int64_t *ret_utc_ns)
{
	if (r->every) {
		*ret_utc_ns = (int64_t)r->round_rows * r->every;
		return 0;
	}
	const struct gg_replay_cell *c = cell_of(r, GG_ROLE_TIME);
	return c ? gg_replay_time(c->text, r->time_format, ret_utc_ns) : -EINVAL;
}

/* ---- devices ---- */

static int make_signal(void *arg, uint32_t device, struct gg_str name, uint32_t *ret_signal)
{
	static const uint8_t types[] = {
		GG_TYPE_NONE, GG_TYPE_FLOAT, GG_TYPE_INT, GG_TYPE_BOOL, GG_TYPE_STRING};
	struct gg_replay *r = arg;
	struct gg_signal_spec spec = {.type = GG_TYPE_NONE};
	const struct gg_replay_signal *signals = r->signals.items;
	for (size_t i = 0; i < r->signals.count; i++) {
		if (gg_str_is(name, signals[i].name)) {
			spec.unit = signals[i].unit;
			spec.title = signals[i].title;
			spec.type = types[signals[i].type];
		}
	}
	return gg_host_signal(r->host, device, name, &spec, ret_signal);
}

static int source_new(struct gg_replay *r, struct gg_str id, struct gg_replay_source **ret_source)
{
	if (r->by_device.count >= GG_REPLAY_DEVICES)
		return -EDQUOT;
	uint32_t device = GG_NONE;
	int rc = gg_host_device(r->host, id, &device);
	if (rc < 0)
		return rc;
	struct gg_replay_source *s = calloc(1, sizeof *s);
	if (!s || gg_map_put_ptr(&r->by_device, id, s) < 0) {
		free(s);
		return -ENOMEM;
	}
	s->decoder = (struct gg_decoder){.device = device, .signal = make_signal, .arg = r};
	memset(s->signals, 0xff, sizeof s->signals); /* GG_NONE */
	s->next = r->sources;
	r->sources = s;
	gg_host_device_health(r->host, device, true, "");
	*ret_source = s;
	return 0;
}

int gg_replay_row_source(struct gg_replay *r, struct gg_replay_source **ret_source)
{
	const struct gg_replay_cell *c = r->device_column ? cell_of(r, GG_ROLE_DEVICE) : NULL;
	struct gg_str id = c ? c->text : gg_str(r->device);
	if (id.len == 0)
		return -EINVAL;
	if (r->current && gg_str_eq(gg_device_id(r->current->decoder.device), id)) {
		*ret_source = r->current;
		return 0;
	}
	struct gg_replay_source *known = gg_map_get_ptr(&r->by_device, id);
	if (!known)
		return source_new(r, id, ret_source);
	*ret_source = known;
	return 0;
}

void gg_replay_sources_done(struct gg_replay *r)
{
	for (struct gg_replay_source *s = r->sources, *next; s; s = next) {
		next = s->next;
		gg_decoder_done(&s->decoder);
		free(s);
	}
	r->sources = NULL;
	r->current = NULL;
	gg_map_done(&r->by_device);
}

/* ---- values ---- */

static bool is_missing(const struct gg_replay_cell *c)
{
	static const char *const words[] = {"", "-", "null", "NULL", "NA", "N/A", "n/a", "None"};
	for (size_t i = 0; i < GG_COUNT(words); i++)
		if (!c->quoted && gg_str_is(c->text, words[i]))
			return true;
	return false;
}

static int number(const struct gg_replay *r, struct gg_str text, double *ret_value)
{
	char copy[64];
	if (r->decimal_comma && text.len < sizeof copy && gg_str_find(text, ',') < text.len) {
		memcpy(copy, text.p, text.len);
		copy[gg_str_find(text, ',')] = '.';
		return gg_parse_float(gg_str_n(copy, text.len), ret_value);
	}
	return gg_parse_float(text, ret_value);
}

static int as_bool(struct gg_str text, bool *ret_value)
{
	static const char *const yes[] = {"true", "True", "TRUE", "on", "ON", "yes", "1"};
	static const char *const no[] = {"false", "False", "FALSE", "off", "OFF", "no", "0"};
	for (size_t i = 0; i < GG_COUNT(yes); i++) {
		if (gg_str_is(text, yes[i]) || gg_str_is(text, no[i])) {
			*ret_value = gg_str_is(text, yes[i]);
			return 0;
		}
	}
	return -EINVAL;
}

/* What a cell says, by the type that is wanted; strings are left to the caller (type STRING, no bytes). */
static void value_of(const struct gg_replay *r, const struct gg_replay_cell *c,
	const struct gg_replay_signal *g, struct gg_sample *s)
{
	int type = g ? g->type : TYPE_AUTO;
	bool may_guess = type == TYPE_AUTO && !c->quoted;
	double d = 0;
	bool b = false;
	if ((type == TYPE_FLOAT || may_guess) && number(r, c->text, &d) == 0) {
		s->type = GG_TYPE_FLOAT;
		s->v.f = g ? d * g->scale + g->offset : d;
		if (!isfinite(s->v.f)) {
			s->quality = GG_BAD;
			s->aux = GG_REASON_NOT_A_NUMBER;
		}
	} else if (type == TYPE_INT && gg_parse_int(c->text, &s->v.i) == 0) {
		s->type = GG_TYPE_INT;
	} else if ((type == TYPE_BOOL || (may_guess && c->text.len > 1)) && as_bool(c->text, &b) == 0) {
		s->type = GG_TYPE_BOOL;
		s->v.b = b;
	} else if (type == TYPE_STRING || type == TYPE_AUTO) {
		s->type = GG_TYPE_STRING;
	} else {
		s->type = GG_TYPE_NONE;
		s->quality = GG_BAD;
		s->aux = GG_REASON_WRONG_TYPE;
	}
}

static int take_cell(struct gg_replay *r, const struct gg_replay_cell *c, uint32_t signal,
	const struct gg_replay_signal *g, int64_t time_ns)
{
	struct gg_sample s = {.time_ns = time_ns, .signal = signal};
	value_of(r, c, g, &s);
	if (s.type == GG_TYPE_STRING)
		return gg_decode_add_text(&r->batch, signal, time_ns, c->text);
	return gg_decode_add(&r->batch, &s);
}

/* A signal and a value in two columns. */
static int take_long(struct gg_replay *r, int64_t time_ns)
{
	const struct gg_replay_cell *name = cell_of(r, GG_ROLE_SIGNAL), *value = cell_of(r, GG_ROLE_VALUE);
	uint32_t signal = GG_NONE;
	const struct gg_replay_signal *signals = r->signals.items, *g = NULL;
	if (!name || !value || is_missing(value))
		return 0;
	struct gg_str text = name->text;
	for (size_t i = 0; i < r->signals.count && !g; i++)
		if (gg_str_is(text, signals[i].column ? signals[i].column : signals[i].name))
			g = &signals[i];
	if (r->signals.count && !g)
		return 0;
	int rc = gg_decoder_signal(&r->current->decoder, g ? gg_str(g->name) : text, &signal);
	return rc < 0 ? rc : take_cell(r, value, signal, g, time_ns);
}

int gg_replay_row_take(struct gg_replay *r, int64_t time_ns)
{
	if (r->signal_column)
		return take_long(r, time_ns);
	for (size_t i = 0; i < r->row->count; i++) {
		const struct gg_replay_cell *c = &r->row->cells[i];
		const struct gg_replay_column *column = &r->reader.columns[c->column];
		if (column->role != GG_ROLE_DATA || is_missing(c))
			continue;
		uint32_t *signal = &r->current->signals[c->column];
		int rc = 0;
		if (*signal == GG_NONE)
			rc = gg_decoder_signal(&r->current->decoder,
				gg_str(column->signal ? column->signal->name : column->name), signal);
		if (rc == 0)
			rc = take_cell(r, c, *signal, column->signal, time_ns);
		if (rc == -ENOMEM || rc == -E2BIG)
			return rc;
	}
	return 0;
}
