/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes: the records of a CSV text, whole and cut short; fields must lie within the text. */
#include "drivers/replay/csv_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void read_all(const uint8_t *data, size_t size, bool last)
{
	char separator = size ? gg_csv_guess(gg_str_n(data, size)) : ' ';
	char *text = malloc(size + 1);
	must(text != NULL);
	if (size)
		memcpy(text, data, size);
	if (size && data[0] == ' ')
		separator = ' ';
	for (size_t at = 0; at < size;) {
		struct gg_csv_field fields[8];
		size_t count = 0, used = 0;
		int rc = gg_csv_record(
			text + at, size - at, last, separator, fields, GG_COUNT(fields), &count, &used);
		if (rc == -EAGAIN)
			break;
		must(used > 0 && used <= size - at && count <= GG_COUNT(fields));
		for (size_t i = 0; i < count; i++)
			must(fields[i].text.len == 0 ||
				(fields[i].text.p >= text + at &&
					fields[i].text.p + fields[i].text.len <= text + at + used));
		at += used;
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_all(data, size, true);
	read_all(data, size, false);
	return 0;
}
