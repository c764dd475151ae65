/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of segments and records, and the encoding of a batch. A byte saved here is a byte less on flash,
 * and a sample should take some 20 ns, so: one control byte per sample that says most of it, exact decimals
 * in place of doubles, and nothing that needs a second pass.
 *
 *   batch   varint device + 1 (0 = none), varint count, varint bytes of strings, zigzag (received - first
 * time), le64 first time, samples sample  [0x0f quality, varint reason]  when not good control: low 4 bits
 * the code of type and form, then 2 bits signal, 2 bits time signal: 0 = varint number, 1 = as before, 2 =
 * the one before + 1 time:   0 = zigzag varint to the time before, 1 = as before, 2 = the same step as before
 *           value
 *
 * Doubles come from instruments that print decimals: 21.37 is 2137 / 100. If a double is exactly m / 10^k,
 * k <= 3 (tested by dividing), m is written as a zigzag varint; otherwise it takes four bytes if a float
 * holds it and eight if not. Every double, NaN with its bits included, reads back bit by bit.
 */
#include "base/crc32c.h"
#include "store/journal_format.h"
#include "store/varint.h"

#include <math.h>

enum code {
	CODE_NONE,
	CODE_FALSE,
	CODE_TRUE,
	CODE_INT,
	CODE_UINT,
	CODE_DOUBLE,
	CODE_FLOAT,
	CODE_STRING,
	CODE_BYTES,
	CODE_DECIMAL0, /* and 1, 2, 3 digits behind the point */
	CODE_DECIMAL3 = CODE_DECIMAL0 + 3,
	CODE_QUALITY = 15,
};

enum { SAME = 1, NEXT = 2 };

static const double powers[4] = {1, 10, 100, 1000};

static uint32_t record_crc(uint64_t position, uint32_t length, uint8_t kind, const uint8_t *content)
{
	uint8_t head[16];
	struct gg_writer w = gg_writer(head, sizeof head);
	gg_write_le64(&w, position);
	gg_write_le32(&w, length);
	gg_write_u8(&w, kind);
	return gg_crc32c(gg_crc32c(0, head, gg_writer_len(&w)), content, length);
}

void gg_record_finish(uint8_t *record, uint64_t position, uint8_t kind, uint32_t length)
{
	struct gg_writer w = gg_writer(record, GG_RECORD_HEADER);
	gg_write_le32(&w, length);
	gg_write_le32(&w, record_crc(position, length, kind, record + GG_RECORD_HEADER));
	gg_write_u8(&w, kind);
}

struct gg_record_header gg_record_header_decode(const uint8_t from[GG_RECORD_HEADER])
{
	struct gg_reader r = gg_reader(from, GG_RECORD_HEADER);
	struct gg_record_header h = {.length = gg_read_le32(&r), .crc = gg_read_le32(&r)};
	h.kind = gg_read_u8(&r);
	return h;
}

bool gg_record_header_plausible(const struct gg_record_header *h)
{
	return h->kind >= GG_RECORD_INPUT && h->kind <= GG_RECORD_MARK && h->length <= GG_RECORD_MAX;
}

bool gg_record_intact(const struct gg_record_header *h, uint64_t position, const uint8_t *content)
{
	return record_crc(position, h->length, h->kind, content) == h->crc;
}

/* ---- writing ---- */

static uint8_t *put_float(uint8_t *p, double v, uint8_t *ret_code)
{
	if (fabs(v) < 4e12 && !(v == 0 && signbit(v))) {
		double scaled = v * 1000;
		int64_t m = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
		if ((double)m / 1000 == v) {
			uint8_t digits = 3;
			for (; digits > 0 && m % 10 == 0; digits--)
				m /= 10;
			*ret_code = (uint8_t)(CODE_DECIMAL0 + digits);
			return gg_put_varint(p, gg_zigzag(m));
		}
	}
	float f = fabs(v) <= (double)3.4028234663852886e38f ? (float)v : 0;
	if ((double)f == v && f != 0) {
		uint32_t bits;
		memcpy(&bits, &f, sizeof bits);
		bits = GG_LE32(bits);
		memcpy(p, &bits, sizeof bits);
		*ret_code = CODE_FLOAT;
		return p + sizeof bits;
	}
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	bits = GG_LE64(bits);
	memcpy(p, &bits, sizeof bits);
	*ret_code = CODE_DOUBLE;
	return p + sizeof bits;
}

static uint8_t *put_value(uint8_t *p, const struct gg_batch *b, const struct gg_sample *s, uint8_t *ret_code)
{
	switch (s->type) {
	case GG_TYPE_FLOAT:
		return put_float(p, s->v.f, ret_code);
	case GG_TYPE_BOOL:
		*ret_code = s->v.b ? CODE_TRUE : CODE_FALSE;
		return p;
	case GG_TYPE_INT:
		*ret_code = CODE_INT;
		return gg_put_varint(p, gg_zigzag(s->v.i));
	case GG_TYPE_UINT:
		*ret_code = CODE_UINT;
		return gg_put_varint(p, s->v.u);
	case GG_TYPE_STRING:
	case GG_TYPE_BYTES:
		*ret_code = s->type == GG_TYPE_STRING ? CODE_STRING : CODE_BYTES;
		p = gg_put_varint(p, s->v.blob.len);
		if (s->v.blob.len)
			memcpy(p, b->tail + s->v.blob.off, s->v.blob.len);
		return p + s->v.blob.len;
	default:
		*ret_code = CODE_NONE;
		return p;
	}
}

size_t gg_batch_encode(const struct gg_dictionary *d, const struct gg_batch *b, uint8_t *to)
{
	uint64_t strings = 0;
	for (uint32_t i = 0; i < b->count; i++)
		if (b->samples[i].type >= GG_TYPE_STRING)
			strings += b->samples[i].v.blob.len;
	int64_t time = b->count ? b->samples[0].time_ns : 0;
	uint64_t step = 0;
	uint32_t number = GG_NONE - 1;
	uint8_t *p = gg_put_varint(to, b->device == GG_NONE ? 0 : d->devices[b->device]);
	p = gg_put_varint(p, b->count);
	p = gg_put_varint(p, strings);
	p = gg_put_varint(p, gg_zigzag((int64_t)((uint64_t)b->received_ns - (uint64_t)time)));
	uint64_t first = GG_LE64((uint64_t)time);
	memcpy(p, &first, sizeof first);
	p += sizeof first;
	for (const struct gg_sample *s = b->samples, *end = s + b->count; s < end; s++) {
		if (s->quality != GG_GOOD || s->aux != 0) {
			*p++ = CODE_QUALITY;
			*p++ = s->quality;
			p = gg_put_varint(p, s->aux);
		}
		uint8_t *control = p++;
		unsigned bits = 0;
		uint32_t mine = d->signals[s->signal] - 1;
		if (mine == number)
			bits |= SAME << 4;
		else if (mine == number + 1)
			bits |= NEXT << 4;
		else
			p = gg_put_varint(p, mine);
		number = mine;
		uint64_t ahead = (uint64_t)s->time_ns - (uint64_t)time;
		if (ahead == 0)
			bits |= SAME << 6;
		else if (ahead == step)
			bits |= NEXT << 6;
		else
			p = gg_put_varint(p, gg_zigzag((int64_t)(step = ahead)));
		time = s->time_ns;
		uint8_t code = 0;
		p = put_value(p, b, s, &code);
		*control = (uint8_t)(bits | code);
	}
	return (size_t)(p - to);
}

/* ---- reading ---- */

struct decoding {
	struct gg_reader r;
	const struct gg_lexicon *lexicon;
	struct gg_batch *b;
	int64_t time;
	uint64_t step;
	uint32_t number;
};

static bool read_blob(struct decoding *d, struct gg_sample *s, uint8_t type)
{
	uint64_t len = gg_take_varint(&d->r);
	const uint8_t *bytes = len <= GG_BATCH_TAIL ? gg_read_bytes(&d->r, (size_t)len) : NULL;
	if (!bytes || len > d->b->tail_cap - d->b->tail_len)
		return false;
	s->type = type;
	s->v.blob.off = d->b->tail_len;
	s->v.blob.len = (uint32_t)len;
	if (len)
		memcpy(d->b->tail + d->b->tail_len, bytes, (size_t)len);
	d->b->tail_len += (uint32_t)len;
	return true;
}

static bool read_value(struct decoding *d, unsigned code, struct gg_sample *s)
{
	switch (code) {
	case CODE_NONE:
		return true;
	case CODE_FALSE:
	case CODE_TRUE:
		s->type = GG_TYPE_BOOL;
		s->v.b = code == CODE_TRUE;
		return true;
	case CODE_INT:
		s->type = GG_TYPE_INT;
		s->v.i = gg_unzigzag(gg_take_varint(&d->r));
		return true;
	case CODE_UINT:
		s->type = GG_TYPE_UINT;
		s->v.u = gg_take_varint(&d->r);
		return true;
	case CODE_DOUBLE:
		s->type = GG_TYPE_FLOAT;
		s->v.f = gg_read_le_double(&d->r);
		return true;
	case CODE_FLOAT: {
		uint32_t bits = gg_read_le32(&d->r);
		float f;
		memcpy(&f, &bits, sizeof f);
		s->type = GG_TYPE_FLOAT;
		s->v.f = (double)f;
		return true;
	}
	case CODE_STRING:
	case CODE_BYTES:
		return read_blob(d, s, code == CODE_STRING ? GG_TYPE_STRING : GG_TYPE_BYTES);
	default:
		if (code < CODE_DECIMAL0 || code > CODE_DECIMAL3)
			return false;
		s->type = GG_TYPE_FLOAT;
		s->v.f = (double)gg_unzigzag(gg_take_varint(&d->r)) / powers[code - CODE_DECIMAL0];
		return true;
	}
}

/* Zeros are where samples were that were deleted (journal_erase.c). */
static bool ends_in_zeros(struct gg_reader *r)
{
	uint8_t any = 0;
	while (gg_reader_left(r) > 0)
		any |= gg_read_u8(r);
	return any == 0;
}

/* Appends the next sample to the batch, or leaves it out when its signal has no index. */
static bool read_sample(struct decoding *d)
{
	struct gg_sample *s = &d->b->samples[d->b->count];
	*s = (struct gg_sample){0};
	uint8_t control = gg_read_u8(&d->r);
	if (control == CODE_QUALITY) {
		s->quality = gg_read_u8(&d->r);
		s->aux = (uint16_t)gg_take_varint(&d->r);
		control = gg_read_u8(&d->r);
	}
	unsigned signal = (control >> 4) & 3, time = control >> 6;
	if (signal == 0)
		d->number = (uint32_t)gg_take_varint(&d->r);
	else if (signal == NEXT)
		d->number++;
	if (time == 0)
		d->step = (uint64_t)gg_unzigzag(gg_take_varint(&d->r));
	if (time != SAME)
		d->time = (int64_t)((uint64_t)d->time + d->step);
	s->time_ns = d->time;
	if (signal == 3 || time == 3 || d->number >= d->lexicon->signal_count || s->quality > GG_BAD)
		return false;
	s->signal = d->lexicon->signals[d->number];
	if (!read_value(d, control & 15, s) || d->r.failed)
		return false;
	if (s->signal != GG_NONE)
		d->b->count++;
	return true;
}

int gg_batch_decode(
	const struct gg_lexicon *l, struct gg_str content, uint8_t kind, struct gg_batch **ret_batch)
{
	struct decoding d = {.r = gg_reader(content.p, content.len), .lexicon = l, .number = GG_NONE - 1};
	uint64_t device = gg_take_varint(&d.r), count = gg_take_varint(&d.r), strings = gg_take_varint(&d.r);
	int64_t received = gg_unzigzag(gg_take_varint(&d.r));
	d.time = (int64_t)gg_read_le64(&d.r);
	size_t left = gg_reader_left(&d.r);
	if (d.r.failed || device > l->device_count || count > GG_BATCH_SAMPLES || count > left ||
		strings > left || strings > GG_BATCH_TAIL)
		return -EINVAL;
	d.b = gg_batch_new_urgent((uint32_t)count, (uint32_t)strings);
	if (!d.b)
		return -ENOMEM;
	d.b->device = device ? l->devices[device - 1] : (uint32_t)GG_NONE;
	d.b->kind = kind == GG_RECORD_DERIVED ? GG_BATCH_DERIVED : GG_BATCH_INPUT;
	d.b->received_ns = (int64_t)((uint64_t)received + (uint64_t)d.time);
	bool good = d.b->capacity >= count && d.b->tail_cap >= strings;
	for (uint64_t i = 0; i < count && good; i++)
		good = read_sample(&d);
	if (!good || !ends_in_zeros(&d.r)) {
		gg_batch_unref(d.b);
		return -EINVAL;
	}
	gg_batch_freeze(d.b);
	*ret_batch = d.b;
	return 0;
}
