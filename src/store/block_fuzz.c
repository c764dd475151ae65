/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a compressed block; what can be read must read the same once written again. */
#include "store/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gg_block first, second;
	struct gg_buf bytes = GG_BUF(64 << 20);
	struct gg_summary sum = {0};
	if (!first.text.max) {
		gg_block_init(&first);
		gg_block_init(&second);
	}
	if (gg_block_decode(&first, gg_str_n(data, size)) == 0 && gg_block_sort(&first) == 0) {
		gg_summary_block(&sum, &first, 0, first.count);
		if (gg_block_encode(&first, &bytes) < 0 ||
			gg_block_decode(&second, gg_buf_view(&bytes)) < 0 || first.count != second.count)
			abort();
		for (uint32_t i = 0; i < first.count; i++) {
			struct gg_str a = gg_block_text(&first, i), b = gg_block_text(&second, i);
			if (first.times[i] != second.times[i] || first.marks[i] != second.marks[i] ||
				!gg_str_eq(a, b))
				abort();
			if ((uint8_t)first.marks[i] < GG_TYPE_STRING && first.values[i] != second.values[i])
				abort();
		}
	}
	gg_buf_done(&bytes);
	return 0;
}
