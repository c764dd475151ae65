/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever reads as an address must write and read back as the same. */
#include "net/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_address a, again;
	struct gg_error e;
	char text[400];
	if (gg_address_parse(gg_str_n(data, size), 1883, &a, &e) < 0)
		return 0;
	if (gg_address_format(&a, text, sizeof text) >= sizeof text)
		abort();
	if (gg_address_parse(gg_str(text), 0, &again, &e) < 0)
		abort();
	if (strcmp(a.host, again.host) || strcmp(a.scheme, again.scheme) || a.port != again.port ||
		gg_address_is_loopback(&a) != gg_address_is_loopback(&again))
		abort();
	return 0;
}
