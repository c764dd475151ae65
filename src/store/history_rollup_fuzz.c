/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a row of rollups, with right CRCs put in; what can be read can be written and read again. */
#include "base/crc32c.h"
#include "store/history_rollup.h"
#include "store/varint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Seals the blocks of a row, so that what is behind the CRC is reached. */
static void seal(uint8_t *bytes, size_t size)
{
	struct gg_reader r = gg_reader(bytes, size);
	gg_read_u8(&r);
	gg_read_u8(&r);
	while (!r.failed && gg_reader_left(&r) > 0) {
		uint64_t len = gg_take_varint(&r);
		uint8_t *block = bytes + (size - gg_reader_left(&r));
		if (len < 5 || len > gg_reader_left(&r))
			return;
		uint32_t crc = GG_LE32(gg_crc32c(0, block + 5, (size_t)len - 5));
		memcpy(block + 1, &crc, sizeof crc);
		gg_read_bytes(&r, (size_t)len);
	}
}

static struct gg_rollup rows, built;

/* The same rows joined in from the end, each twice: as many, in order, each with twice the count. */
static void build_again(void)
{
	built.count = 0;
	for (unsigned turn = 0; turn < 2; turn++)
		for (uint32_t i = rows.count; i-- > 0;)
			if (gg_rollup_join(&built, rows.items[i].start, &rows.items[i].sum) < 0)
				return;
	for (uint32_t i = 1; i < built.count; i++)
		if (built.items[i].start <= built.items[i - 1].start)
			abort();
	if (built.count > rows.count ||
		gg_rollup_add(&built, INT64_MAX, &(struct gg_summary){.count = 1}) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gg_block_coder *coder;
	struct gg_buf bytes = GG_BUF(16 << 20);
	uint8_t *copy = malloc(size + 1);
	if (!coder) {
		coder = gg_block_coder_new();
		gg_rollup_init(&rows);
		gg_rollup_init(&built);
	}
	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	seal(copy, size);
	if (gg_rollup_decode(coder, &rows, gg_str_n(copy, size)) == 0) {
		uint32_t count = rows.count;
		build_again();
		if (gg_rollup_encode(coder, &rows, &bytes) < 0 ||
			gg_rollup_decode(coder, &rows, gg_buf_view(&bytes)) < 0 || rows.count != count)
			abort();
	}
	gg_buf_done(&bytes);
	free(copy);
	return 0;
}
