/* SPDX-License-Identifier: Apache-2.0 */
/* What comes of any record is what would be kept of it again, and ranges that the device may be asked for. */
#include "drivers/modbus/modbus_memory.h"

#include <assert.h>

enum { COUNT = 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(struct gg_modbus_device *d, struct gg_modbus_signal *signals)
{
	const struct gg_modbus_device_options o = {.name = "d", .unit = 1, .limits = {.max_gap = 8}};
	for (uint32_t i = 0; i < COUNT; i++)
		signals[i] = (struct gg_modbus_signal){.name = "s",
			.at = {.table = i < 15 ? GG_MODBUS_HOLDING : GG_MODBUS_COIL, .number = (uint16_t)i},
			.period_ns = GG_NS_PER_S,
			.form = {.type = i < 15 ? GG_MODBUS_UINT16 : GG_MODBUS_BOOL, .bit = -1, .scale = 1}};
	if (gg_modbus_device_init(d, &o, signals, COUNT) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_modbus_signal signals[COUNT];
	struct gg_modbus_device d;
	struct gg_buf again = GG_BUF(1 << 16), third = GG_BUF(1 << 16);
	make(&d, signals);
	if (gg_modbus_memory_read(&d, GG_STR("x"), gg_str_n(data, size)) == 0) {
		uint32_t items = 0;
		const struct gg_modbus_plan *p = &d.groups[0].plan;
		for (uint32_t n = 0; n < p->range_count; n++) {
			assert(p->ranges[n].count >= 1 && p->ranges[n].count <= 2000);
			items += p->ranges[n].items;
		}
		assert(items == COUNT);
		assert(gg_modbus_memory_write(&d, GG_STR("x"), &again) == 0);
		assert(gg_modbus_memory_read(&d, GG_STR("x"), gg_buf_view(&again)) == 0);
		assert(gg_modbus_memory_write(&d, GG_STR("x"), &third) == 0);
		assert(gg_str_eq(gg_buf_view(&again), gg_buf_view(&third)));
	}
	gg_modbus_device_done(&d);
	gg_buf_done(&again);
	gg_buf_done(&third);
	return 0;
}
