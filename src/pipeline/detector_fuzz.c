/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fuzz target: states from anywhere, then samples.
 *
 * The first byte says where the detector starts: new, or from a saved state that the next bytes are laid over
 * (the sum at its end is made right, or nothing would get past it). What is left are samples: 8 bytes of
 * value, 8 of time. Any state that loads has to take any samples, and has to save and load again to the same
 * bytes as long as it lasts.
 */

#include "pipeline/detector.h"

#include <stdlib.h>
#include <string.h>

#define OVERLAY 12 /* bytes of an overlay: where (2), then what (10) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint8_t *bytes, size_t size)
{
	uint32_t sum = 2166136261U;

	for (size_t i = 0; i < size - 4; i++)
		sum = (sum ^ bytes[i]) * 16777619U;
	for (int i = 0; i < 4; i++)
		bytes[size - 4 + (size_t)i] = (uint8_t)(sum >> (8 * i));
}

/* Returns how many bytes of data it used. */
static size_t forge(struct gg_detector *d, uint8_t *bytes, size_t saved, const uint8_t *data, size_t size)
{
	struct gg_detector_out out;
	size_t used = 1;

	for (int i = 0; i < data[0] % 128; i++)
		gg_detector_step(d, (double)(i * i % 97), &out);
	if (gg_detector_save(d, bytes, saved) != 0)
		abort();
	for (int k = 0; k < 4 && used + OVERLAY <= size; k++, used += OVERLAY) {
		size_t at = (data[used] + 256U * data[used + 1]) % (saved - OVERLAY);

		memcpy(bytes + at, data + used + 2, OVERLAY - 2);
	}
	seal(bytes, saved);
	(void)gg_detector_load(d, bytes, saved);
	return used;
}

static void run(struct gg_detector *d, const uint8_t *data, size_t size)
{
	struct gg_detector_out out;
	struct gg_change change = {0};
	char text[128];

	for (; size >= 16; data += 16, size -= 16) {
		double value;
		int64_t time_ns;

		memcpy(&value, data, sizeof value);
		memcpy(&time_ns, data + 8, sizeof time_ns);
		(void)gg_detector_missing(d, time_ns, &change);
		(void)gg_detector_seen(d, time_ns, &change);
		for (int i = 0; i < 3; i++)
			gg_detector_step(d, value * (1.0 + i), &out);
		(void)gg_change_text(&change, text, sizeof text);
		(void)gg_change_text(&out.change, text, sizeof text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t saved = gg_detector_saved_size();
	uint8_t *bytes = malloc(saved), *again = malloc(saved);
	struct gg_detector d;

	gg_detector_init(&d);
	if (size > 0 && bytes != NULL && again != NULL) {
		(void)gg_detector_load(&d, data, size);
		size_t used = forge(&d, bytes, saved, data, size);

		run(&d, data + used, size - used);
		if (gg_detector_save(&d, bytes, saved) != 0)
			abort();
		if (gg_detector_load(&d, bytes, saved) == 0 &&
			(gg_detector_save(&d, again, saved) != 0 || memcmp(bytes, again, saved) != 0))
			abort();
	}
	free(bytes);
	free(again);
	return 0;
}
