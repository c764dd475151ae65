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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gg_block_coder *coder;
	static struct gg_rollup rows;
	struct gg_buf bytes = GG_BUF(16 << 20);
	uint8_t *copy = malloc(size + 1);
	if (!coder) {
		coder = gg_block_coder_new();
		gg_rollup_init(&rows);
	}
	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	seal(copy, size);
	if (gg_rollup_decode(coder, &rows, gg_str_n(copy, size)) == 0) {
		uint32_t count = rows.count;
		if (gg_rollup_encode(coder, &rows, &bytes) < 0 ||
			gg_rollup_decode(coder, &rows, gg_buf_view(&bytes)) < 0 || rows.count != count)
			abort();
	}
	gg_buf_done(&bytes);
	free(copy);
	return 0;
}
