/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as line protocol: never more than the batch can hold, no name beyond its maximum. */
#include "formats/decode_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t signals;

static int signal_of(void *arg, uint32_t device, struct gg_str name, uint32_t *ret_signal)
{
	(void)arg, (void)device;
	if (name.len == 0 || name.len > GG_SIGNAL_NAME)
		abort();
	*ret_signal = signals++;
	return 0;
}

struct sink {
	struct gg_decoder decoder;
	struct gg_batch *batch;
};

static int device_of(
	void *arg, struct gg_str id, struct gg_decoder **ret_decoder, struct gg_batch ***ret_batch)
{
	struct sink *s = arg;
	if (id.len == 0)
		abort();
	if (!s->batch)
		s->batch = gg_batch_new(8, 64);
	if (!s->batch)
		return -ENOMEM;
	*ret_decoder = &s->decoder;
	*ret_batch = &s->batch;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sink s = {.decoder = {.signal = signal_of}};
	struct gg_line_sink sink = {&s, device_of};
	struct gg_line_rule rule = {GG_STR("device"), GG_TIME_AUTO, 1};
	struct gg_error e;
	gg_decode_lines(gg_str_n(data, size), &rule, &sink, &e);
	for (uint32_t i = 0; s.batch && i < s.batch->count; i++)
		if (s.batch->samples[i].type == GG_TYPE_STRING &&
			s.batch->samples[i].v.blob.off + s.batch->samples[i].v.blob.len > s.batch->tail_len)
			abort();
	gg_batch_unref(s.batch);
	gg_decoder_done(&s.decoder);
	return 0;
}
