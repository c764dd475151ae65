/* SPDX-License-Identifier: Apache-2.0 */
/* Any text to every parser: what is accepted is a number that can be, and a zone's name fits a signal. */
#include "drivers/host/host_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_str text = gg_str_n(data, size);
	struct gg_machine_memory memory;
	double load[3], number;
	char name[GG_MACHINE_ZONE_NAME];
	if (gg_machine_load(text, load) == 0)
		for (size_t i = 0; i < GG_COUNT(load); i++)
			must(load[i] >= 0);
	if (gg_machine_memory(text, &memory) == 0)
		must(memory.total_bytes > 0 && memory.available_bytes <= memory.total_bytes);
	if (gg_machine_uptime(text, &number) == 0)
		must(number >= 0);
	if (gg_machine_temperature(text, &number) == 0)
		must(number >= -273.15 && number <= 1000);
	gg_machine_zone_name(text, name);
	must(name[0] && strlen(name) < sizeof name && !strpbrk(name, " /*?#+\n"));
	return 0;
}
