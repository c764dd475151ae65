/* SPDX-License-Identifier: Apache-2.0 */
/* keys.json of a data folder: what was read must be written so that it reads as the same once more. */
#include "security/slots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gg_slots first, again;
	struct gg_error e = {0};
	int rc = gg_slots_read(gg_str_n(data, size), &first, &e);
	if (rc < 0) {
		if (!e.code || !e.text[0])
			abort();
		return 0;
	}
	struct gg_buf one = GG_BUF(GG_SLOTS_FILE), two = GG_BUF(GG_SLOTS_FILE);
	gg_slots_write(&first, &one);
	if (one.error || gg_slots_read(gg_buf_view(&one), &again, &e) < 0)
		abort();
	gg_slots_write(&again, &two);
	if (!gg_str_eq(gg_buf_view(&one), gg_buf_view(&two)))
		abort();
	gg_buf_done(&one);
	gg_buf_done(&two);
	return 0;
}
