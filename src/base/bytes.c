/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

uint64_t gg_read_varint(struct gg_reader *r)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = gg_read_u8(r);
		if (r->failed || (shift == 63 && b > 1))
			break;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
	r->failed = true;
	r->p = r->end;
	return 0;
}

void gg_write_varint(struct gg_writer *w, uint64_t v)
{
	while (v >= 0x80) {
		gg_write_u8(w, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	gg_write_u8(w, (uint8_t)v);
}
