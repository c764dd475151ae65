/* SPDX-License-Identifier: Apache-2.0 */
/* Any payload: the batch gets samples or stays as it was, and every text lies in its tail. */
#include "formats/decode.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int make_signal(void *arg, uint32_t device, struct gg_str name, uint32_t *ret_signal)
{
	(void)arg;
	assert(device == 1 && name.len && name.len < GG_SIGNAL_NAME);
	*ret_signal = (uint32_t)name.len;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct gg_pick picks[] = {{"a", "/a"}, {"b", "/b/0"}};
	struct gg_format_options o = {.format = GG_FORMAT_JSON, .time = "/t", .signal = "value"};
	struct gg_format_rule rule;
	unsigned mode = size ? data[0] : 0;
	struct gg_str payload = gg_str_n(size ? data + 1 : data, size ? size - 1 : 0);
	if (mode & 1)
		o.time = NULL;
	if (mode & 2)
		o.signals = (struct gg_many){(void *)picks, GG_COUNT(picks)};
	if (mode & 4)
		o.format = GG_FORMAT_PLAIN;
	if ((mode >> 4 & 3) == 1 && o.time)
		o.time = "/a~1b/t~0";
	o.time_unit = (int)(mode >> 6);
	struct gg_error e = {0};
	const struct gg_format_options wrong = {.time = "t"};
	assert(gg_format_rule_make(&wrong, &rule, &e) < 0 && e.text[0]);
	struct gg_decoder d = {.device = 1, .signal = make_signal};
	struct gg_batch *batch = gg_batch_new(2, 8);
	if (!batch || gg_format_rule_make(&o, &rule, NULL) < 0)
		return 0;
	struct gg_str name = mode & 8 ? GG_STR("pump") : gg_str_n("", 0);
	int rc = gg_decode(&d, &rule, name, payload, 1, &batch);
	assert(rc == 0 || batch->count == 0);
	for (uint32_t i = 0; i < batch->count; i++)
		if (batch->samples[i].type == GG_TYPE_STRING)
			assert(batch->samples[i].v.blob.off + batch->samples[i].v.blob.len <=
				batch->tail_len);
	gg_decoder_done(&d);
	gg_batch_unref(batch);
	return 0;
}
