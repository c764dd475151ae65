/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a block of a file, as what is behind a block's CRC, and as a column of integers; what can be
 * read must read the same once written again.
 */
#include "store/block_coder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gg_block_coder *coder;
static struct gg_block first, second;

/* The same block, built sample by sample from its end: sorted it is the same but for the order of those of
 * one time, and sums of halves join to the sum. */
static void check_building(void)
{
	struct gg_summary whole = {0}, left = {0}, right = {0};
	uint32_t middle = first.count / 2;
	gg_block_clear(&second);
	for (uint32_t i = first.count; i-- > 0;) {
		struct gg_sample s = gg_block_sample(&first, i);
		struct gg_str text = s.type >= GG_TYPE_STRING ? gg_block_text(&first, i) : GG_STR("");
		if (gg_block_add(&second, &s, text) < 0)
			return;
	}
	if (gg_block_sort(&second) < 0)
		return;
	for (uint32_t i = 0; i < first.count; i++)
		if (first.times[i] != second.times[i])
			abort();
	if (first.count && first.times[gg_block_at(&first, first.times[middle])] != first.times[middle])
		abort();
	gg_summary_block(&whole, &first, 0, first.count);
	gg_summary_block(&left, &first, 0, middle);
	gg_summary_block(&right, &first, middle, first.count);
	gg_summary_join(&left, &right);
	if (left.count != whole.count || (first.count && gg_block_memory(&second) == 0))
		abort();
}

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
	check_building();
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
