/* SPDX-License-Identifier: Apache-2.0 */
/* A register list of any bytes; the first says how bare numbers count. Rows that are read make signals. */
#include "drivers/modbus/modbus_registers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_modbus_registers rows;
	struct gg_modbus_signal_options o;
	struct gg_modbus_signal s;
	struct gg_error e = {0};
	if (size < 1)
		return 0;
	char *text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1); /* and one byte behind it, which the reader may write */
	int r = gg_modbus_registers_init(&rows, text, size - 1, data[0] & 1, &e);
	while (r == 0 && (r = gg_modbus_registers_next(&rows, &o, &e)) == 1) {
		if (!o.name || !o.address)
			abort();
		r = 0;
		if (gg_modbus_signal_take(&o, 0, GG_NS_PER_S, &s, &e) != 0)
			gg_modbus_registers_place(&rows, "address", &e);
		else if (s.form.bit > 15 || s.at.table > GG_MODBUS_FIFO)
			abort();
	}
	free(text);
	return 0;
}
