/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dictionary of a segment, both ways.
 *
 *   NAMES   entry, entry, ...
 *   entry   u8 1: a device     varint length, id
 *           u8 2: a signal     varint device's number, varint length, name, u8 type, u8 flags, unit, title,
 *                              varint period ns, [low, high as doubles if flag RANGE]
 *
 * Titles and units are here so that a gateway that has lost its configuration, or a colleague's laptop, can
 * still say what the numbers are.
 */
#include "store/journal_format.h"
#include "store/varint.h"

enum {
	ENTRY_DEVICE = 1,
	ENTRY_SIGNAL = 2,
	FLAG_WRITABLE = 1,
	FLAG_RANGE = 2,
	WORST_SAMPLE = 40,
	WORST_HEAD = 64
};

/* ---- writing ---- */

void gg_dictionary_done(struct gg_dictionary *d)
{
	free(d->signals);
	free(d->told);
	free(d->devices);
	*d = (struct gg_dictionary){.names = d->names};
}

void gg_dictionary_forget(struct gg_dictionary *d)
{
	if (d->signals)
		memset(d->signals, 0, d->signals_cap * sizeof *d->signals);
	if (d->devices)
		memset(d->devices, 0, d->devices_cap * sizeof *d->devices);
}

void gg_dictionary_clear(struct gg_dictionary *d)
{
	gg_dictionary_forget(d);
	d->signal_count = d->device_count = 0;
}

static int make_room(uint32_t **array, size_t *cap, uint32_t index)
{
	if (index < *cap)
		return 0;
	if (index >= GG_LEXICON_MAX)
		return -E2BIG;
	size_t want = gg_max_size(*cap * 2, 256);
	while (want <= index)
		want *= 2;
	uint32_t *fresh = realloc(*array, want * sizeof *fresh);
	if (!fresh)
		return -ENOMEM;
	memset(fresh + *cap, 0, (want - *cap) * sizeof *fresh);
	*array = fresh;
	*cap = want;
	return 0;
}

/* Grows what was told before the numbers, so that it is never the shorter one. */
static int make_signal_room(struct gg_dictionary *d, uint32_t signal)
{
	size_t want = gg_max_size(d->signals_cap * 2, 256);
	if (signal < d->signals_cap || signal >= GG_LEXICON_MAX)
		return make_room(&d->signals, &d->signals_cap, signal);
	while (want <= signal)
		want *= 2;
	const struct gg_signal_info **fresh = realloc(d->told, want * sizeof(const struct gg_signal_info *));
	if (!fresh)
		return -ENOMEM;
	d->told = fresh; /* read only where there is a number */
	return make_room(&d->signals, &d->signals_cap, signal);
}

static void add_text(struct gg_buf *to, struct gg_str s)
{
	uint8_t head[10];
	gg_buf_add(to, head, (size_t)(gg_put_varint(head, s.len) - head));
	gg_buf_str(to, s);
}

static void add_varint(struct gg_buf *to, uint64_t v)
{
	uint8_t bytes[10];
	gg_buf_add(to, bytes, (size_t)(gg_put_varint(bytes, v) - bytes));
}

static int announce_device(struct gg_dictionary *d, uint32_t device, struct gg_buf *to)
{

	int status = make_room(&d->devices, &d->devices_cap, device);
	if (status < 0 || d->devices[device])
		return status;
	gg_buf_char(to, ENTRY_DEVICE);
	add_text(to, d->names->device(d->names->arg, device));
	d->devices[device] = ++d->device_count;
	return to->error;
}

static int announce_signal(struct gg_dictionary *d, uint32_t signal, struct gg_buf *to)
{
	static const struct gg_signal_info nobody = {.unit = "", .title = ""};
	const struct gg_signal_info *info = d->names->signal(d->names->arg, signal);
	if (!info)
		info = &nobody;
	int status = make_signal_room(d, signal);
	if (status == 0)
		status = announce_device(d, info->device, to);
	if (status < 0)
		return status;
	bool range = info->low < info->high;
	gg_buf_char(to, ENTRY_SIGNAL);
	add_varint(to, d->devices[info->device] - 1);
	add_text(to, info->signal);
	gg_buf_char(to, (char)info->type);
	gg_buf_char(to, (char)((info->writable ? FLAG_WRITABLE : 0) | (range ? FLAG_RANGE : 0)));
	add_text(to, gg_str(info->unit));
	add_text(to, gg_str(info->title));
	add_varint(to, (uint64_t)info->period_ns);
	if (range) {
		uint8_t bounds[16];
		struct gg_writer w = gg_writer(bounds, sizeof bounds);
		gg_write_le_double(&w, info->low);
		gg_write_le_double(&w, info->high);
		gg_buf_add(to, bounds, sizeof bounds);
	}
	d->signals[signal] = ++d->signal_count;
	d->told[signal] = info;
	return to->error;
}

/* Numbers are not unlimited: who changes all the time keeps the description it has until the next segment. */
static bool is_told(const struct gg_dictionary *d, uint32_t signal)
{
	if (signal >= d->signals_cap || !d->signals[signal])
		return false;
	const struct gg_signal_info *info = d->names->signal(d->names->arg, signal);
	return d->told[signal] == info || !info || d->signal_count > GG_LEXICON_MAX / 2;
}

int gg_dictionary_announce(
	struct gg_dictionary *d, const struct gg_batch *b, struct gg_buf *names, size_t *ret_max)
{
	size_t strings = 0;
	int status = b->device == GG_NONE ? 0 : announce_device(d, b->device, names);
	for (uint32_t i = 0; i < b->count && status == 0; i++) {
		const struct gg_sample *s = &b->samples[i];
		if (s->type >= GG_TYPE_STRING)
			strings += s->v.blob.len;
		if (!is_told(d, s->signal))
			status = announce_signal(d, s->signal, names);
	}
	if (status < 0)
		return status;
	if (strings > GG_BATCH_TAIL || b->count > GG_BATCH_SAMPLES)
		return -E2BIG;
	*ret_max = WORST_HEAD + (size_t)b->count * WORST_SAMPLE + strings;
	return 0;
}

/* ---- reading ---- */

void gg_lexicon_done(struct gg_lexicon *l)
{
	free(l->signals);
	free(l->devices);
	*l = (struct gg_lexicon){.names = l->names};
}

void gg_lexicon_clear(struct gg_lexicon *l)
{
	l->signal_count = l->device_count = 0;
}

static int add_index(uint32_t **array, uint32_t *count, uint32_t *cap, uint32_t index)
{
	if (*count >= GG_LEXICON_MAX)
		return -EINVAL;
	if (*count == *cap) {
		uint32_t want = *cap ? *cap * 2 : 256;
		uint32_t *fresh = realloc(*array, want * sizeof *fresh);
		if (!fresh)
			return -ENOMEM;
		*array = fresh;
		*cap = want;
	}
	(*array)[(*count)++] = index;
	return 0;
}

static struct gg_str read_text(struct gg_reader *r)
{
	uint64_t len = gg_take_varint(r);
	return gg_read_str(r, len > gg_reader_left(r) ? SIZE_MAX : (size_t)len);
}

static int read_device(struct gg_lexicon *l, struct gg_reader *r)
{
	uint32_t index = GG_NONE;
	struct gg_str id = read_text(r);
	if (r->failed)
		return -EINVAL;
	if (id.len > 0 && l->names->find_device(l->names->arg, id, &index) < 0)
		index = GG_NONE;
	return add_index(&l->devices, &l->device_count, &l->devices_cap, index);
}

static int read_signal(struct gg_lexicon *l, uint64_t position, struct gg_reader *r)
{
	uint64_t device = gg_take_varint(r);
	struct gg_str name = read_text(r);
	uint8_t type = gg_read_u8(r), flags = gg_read_u8(r);
	struct gg_str unit_text = read_text(r), title_text = read_text(r);
	struct gg_signal_spec spec = {.type = type, .writable = flags & FLAG_WRITABLE};
	spec.period_ns = (int64_t)gg_take_varint(r);
	if (flags & FLAG_RANGE) {
		spec.low = gg_read_le_double(r);
		spec.high = gg_read_le_double(r);
	}
	if (r->failed || device >= l->device_count)
		return -EINVAL;
	char unit[128], title[512];
	gg_str_copy(unit, sizeof unit, unit_text);
	gg_str_copy(title, sizeof title, title_text);
	spec.unit = unit[0] ? unit : NULL;
	spec.title = title[0] ? title : NULL;
	uint32_t index = GG_NONE, place = l->devices[device];
	if (place == GG_NONE || name.len == 0 || type > GG_TYPE_BYTES ||
		l->names->find_signal(l->names->arg, place, name, &spec, position, &index) < 0)
		index = GG_NONE;
	return add_index(&l->signals, &l->signal_count, &l->signals_cap, index);
}

int gg_lexicon_read(struct gg_lexicon *l, uint64_t position, struct gg_str content)
{
	struct gg_reader r = gg_reader(content.p, content.len);
	int status = 0;
	while (status == 0 && gg_reader_left(&r) > 0) {
		uint8_t entry = gg_read_u8(&r);
		status = entry == ENTRY_DEVICE   ? read_device(l, &r)
			 : entry == ENTRY_SIGNAL ? read_signal(l, position, &r)
						 : -EINVAL;
	}
	return status;
}
