/* SPDX-License-Identifier: Apache-2.0 */
/* Reads any bytes as JSON, unescapes every string, and follows a pointer made of the first bytes. */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_str json = gg_str_n(data, size), value;
	struct gg_json_reader r = gg_json_reader(json);
	enum gg_json_token t;
	while ((t = gg_json_next(&r)) > GG_JSON_END) {
		if (t != GG_JSON_STRING && t != GG_JSON_KEY)
			continue;
		char *plain = malloc(r.text.len + 1);
		if (plain && gg_json_unescape(r.text, plain) > r.text.len)
			abort();
		free(plain);
	}
	if (size > 8 && gg_json_pointer(gg_str_n(data + 8, size - 8), gg_str_n(data, 8), &value) == 0 &&
		(value.p < json.p || value.p + value.len > json.p + json.len))
		abort();
	return 0;
}
