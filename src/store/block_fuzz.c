/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a block of a file, as what is behind a block's CRC, and as a column of integers; what can be
 * read must read the same once written again.
 */
#include "store/block_coder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gg_block_coder *coder;
static struct gg_block first, second;

static void check_block(void)
{
	struct gg_buf bytes = GG_BUF(64 << 20);
	struct gg_summary sum = {0};
	if (gg_block_sort(&first) < 0)
		return;
	gg_summary_block(&sum, &first, 0, first.count);
	int status = gg_block_encode(coder, &first, &bytes);
	if (status < 0 && status != -E2BIG)
		abort();
	if (status == 0) {
		if (gg_block_decode(coder, &second, gg_buf_view(&bytes)) < 0 || first.count != second.count)
			abort();
		for (uint32_t i = 0; i < first.count; i++)
			if (!gg_block_same(&first, i, &second, i))
				abort();
	}
	gg_block_unique(&first);
	gg_buf_done(&bytes);
}

static void check_column(const uint8_t *data, size_t size)
{
	uint64_t v[300], back[300];
	uint8_t bytes[300 * 10 + GG_INTS_ROOM];
	uint32_t n = (uint32_t)(size % GG_COUNT(v)) + 1;
	struct gg_reader r = gg_reader(data, size);
	if (gg_block_coder_reserve(coder, n) < 0 || !gg_ints_take(coder, &r, v, n))
		return;
	uint8_t *end = gg_ints_put(coder, bytes, v, n);
	if (end > bytes + sizeof bytes)
		abort();
	r = gg_reader(bytes, (size_t)(end - bytes));
	if (!gg_ints_take(coder, &r, back, n) || gg_reader_left(&r) > 0 ||
		memcmp(v, back, n * sizeof *v) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!coder) {
		coder = gg_block_coder_new();
		gg_block_init(&first);
		gg_block_init(&second);
	}
	if (gg_block_decode(coder, &first, gg_str_n(data, size)) == 0)
		check_block();
	if (gg_block_decode_content(coder, &first, gg_str_n(data, size)) == 0)
		check_block();
	check_column(data, size);
	return 0;
}
