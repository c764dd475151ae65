/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/modbus/modbus_memory.h"

#include "base/bytes.h"

enum { VERSION = 1, NO_SINGLE_WRITE = 1, NO_MASK_WRITE = 2, BARRIER = 1, REFUSED = 2, NAME_BYTES = 255 };

/* ---- the layout: FNV-1a, the same on every machine ---- */

static void sum_bytes(uint64_t *h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i < len; i++)
		*h = (*h ^ p[i]) * 0x100000001b3ULL;
}

static void sum(uint64_t *h, uint32_t v)
{
	const uint8_t bytes[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
	sum_bytes(h, bytes, sizeof bytes);
}

static uint64_t layout_of(const struct gg_modbus_device *d, struct gg_str connect)
{
	uint64_t h = 0xcbf29ce484222325ULL;
	sum_bytes(&h, connect.p, connect.len);
	sum(&h, (uint32_t)d->o.unit << 1 | d->o.broadcast);
	sum(&h, d->o.limits.max_gap);
	sum(&h, (uint32_t)d->o.limits.max_registers << 16 | d->o.limits.max_bits);
	for (uint32_t g = 0; g < d->group_count; g++) {
		const struct gg_modbus_plan *p = &d->groups[g].plan;
		sum(&h, p->item_count);
		for (uint32_t i = 0; i < p->item_count; i++) {
			sum(&h, (uint32_t)p->items[i].table << 16 | p->items[i].file);
			sum(&h, (uint32_t)p->items[i].address << 16 | p->items[i].count);
		}
	}
	return h;
}

/* ---- writing ---- */

static size_t packed(uint32_t items)
{
	return ((size_t)items + 3) / 4;
}

static size_t size_of(const struct gg_modbus_device *d, size_t name_len)
{
	size_t size = 1 + 2 + name_len + 8 + 1 + 2;
	for (uint32_t g = 0; g < d->group_count; g++)
		size += 2 * 4 + 4 + packed(d->groups[g].plan.item_count);
	return size;
}

static void write_group(const struct gg_modbus_plan *p, struct gg_writer *w)
{
	for (size_t k = 0; k < GG_COUNT(p->lengths); k++) {
		gg_write_be16(w, p->lengths[k].taken);
		gg_write_be16(w, p->lengths[k].refused);
	}
	gg_write_be32(w, p->item_count);
	for (uint32_t i = 0; i < p->item_count; i += 4) {
		unsigned byte = 0;
		for (uint32_t k = i; k < i + 4 && k < p->item_count; k++) {
			unsigned bits =
				(p->items[k].barrier ? BARRIER : 0U) | (p->items[k].refused ? REFUSED : 0U);
			byte |= bits << 2 * (k - i);
		}
		gg_write_u8(w, (uint8_t)byte);
	}
}

int gg_modbus_memory_write(const struct gg_modbus_device *d, struct gg_str connect, struct gg_buf *to)
{
	struct gg_str name = gg_str_n(d->o.name, gg_min_size(strlen(d->o.name), NAME_BYTES));
	size_t size = size_of(d, name.len);
	uint8_t *room = malloc(size);
	if (!room)
		return -ENOMEM;
	struct gg_writer w = gg_writer(room, size);
	gg_write_u8(&w, VERSION);
	gg_write_be16(&w, (uint16_t)name.len);
	gg_write_bytes(&w, name.p, name.len);
	gg_write_be64(&w, layout_of(d, connect));
	gg_write_u8(&w, (uint8_t)((d->no_single_write ? NO_SINGLE_WRITE : 0) |
				  (d->no_mask_write ? NO_MASK_WRITE : 0)));
	gg_write_be16(&w, (uint16_t)d->group_count);
	for (uint32_t g = 0; g < d->group_count; g++)
		write_group(&d->groups[g].plan, &w);
	gg_buf_add(to, room, gg_writer_len(&w));
	free(room);
	return gg_writer_ok(&w) ? to->error : -E2BIG;
}

/* ---- reading ---- */

struct gg_str gg_modbus_memory_name(struct gg_str record)
{
	struct gg_reader r = gg_reader(record.p, record.len);
	if (gg_read_u8(&r) != VERSION)
		return GG_STR("");
	return gg_read_str(&r, gg_read_be16(&r));
}

/* Does it fit this plan? Moves on behind the group. */
static bool group_fits(const struct gg_modbus_plan *p, struct gg_reader *r)
{
	for (size_t k = 0; k < GG_COUNT(p->lengths); k++) {
		uint16_t taken = gg_read_be16(r), refused = gg_read_be16(r);
		if (refused && refused <= taken)
			return false;
	}
	return gg_read_be32(r) == p->item_count && gg_read_bytes(r, packed(p->item_count));
}

static int read_group(struct gg_modbus_plan *p, struct gg_reader *r)
{
	for (size_t k = 0; k < GG_COUNT(p->lengths); k++) {
		struct gg_modbus_length *l = &p->lengths[k];
		*l = (struct gg_modbus_length){.taken = gg_read_be16(r)};
		l->settled = l->taken;
		l->refused = gg_read_be16(r);
	}
	gg_read_be32(r);
	const uint8_t *bits = gg_read_bytes(r, packed(p->item_count));
	for (uint32_t i = 0; bits && i < p->item_count; i++) {
		unsigned of_item = bits[i / 4] >> 2 * (i % 4);
		p->items[i].barrier = (of_item & BARRIER) != 0;
		p->items[i].refused = (of_item & REFUSED) != 0;
	}
	return gg_modbus_plan_rebuild(p);
}

int gg_modbus_memory_read(struct gg_modbus_device *d, struct gg_str connect, struct gg_str record)
{
	struct gg_reader r = gg_reader(record.p, record.len);
	struct gg_str name = gg_modbus_memory_name(record);
	gg_read_bytes(&r, 3 + name.len);
	uint64_t layout = gg_read_be64(&r);
	uint8_t functions = gg_read_u8(&r);
	uint16_t groups = gg_read_be16(&r);
	if (r.failed || name.len == 0)
		return -EBADMSG;
	if (!gg_str_is(name, d->o.name) || layout != layout_of(d, connect) || groups != d->group_count)
		return -ESTALE;
	struct gg_reader again = r;
	for (uint32_t g = 0; g < groups; g++)
		if (!group_fits(&d->groups[g].plan, &r))
			return -EBADMSG;
	if (gg_reader_left(&r) || r.failed)
		return -EBADMSG;
	int rc = 0;
	d->refused = 0;
	for (uint32_t g = 0; g < groups && rc == 0; g++) {
		rc = read_group(&d->groups[g].plan, &again);
		d->refused += gg_modbus_plan_refused(&d->groups[g].plan);
	}
	d->no_single_write = functions & NO_SINGLE_WRITE;
	d->no_mask_write = functions & NO_MASK_WRITE;
	return rc;
}
