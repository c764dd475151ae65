/* SPDX-License-Identifier: Apache-2.0 */
/* What of a signal's options does not go together is found here, for configurations and register lists alike.
 */
#include "drivers/modbus/modbus_signal.h"

const char *const gg_modbus_type_names[] = {"auto", "bool", "int16", "uint16", "int32", "uint32", "int64",
	"uint64", "float32", "float64", "bcd16", "bcd32", "string", NULL};
const char *const gg_modbus_order_names[] = {
	"auto", "big", "little", "big-swap", "little-swap", "ABCD", "DCBA", "BADC", "CDAB", NULL};

uint8_t gg_modbus_order_of(int choice, int otherwise)
{
	int order = choice ? choice : otherwise;
	return order ? (uint8_t)((order - 1) & 3) : GG_MODBUS_BIG;
}

static uint8_t type_of(const struct gg_modbus_signal_options *o, const struct gg_modbus_address *at)
{
	if (o->type)
		return (uint8_t)(o->type - 1);
	if (gg_modbus_table_is_bits(at->table) || o->bit >= 0)
		return GG_MODBUS_BOOL;
	return o->length > 0 ? GG_MODBUS_STRING : GG_MODBUS_UINT16;
}

/* What does not go together, in words; NULL: all is well. */
static const char *type_clash(const struct gg_modbus_signal_options *o, const struct gg_modbus_signal *s)
{
	bool bits = gg_modbus_table_is_bits(s->at.table);
	uint8_t type = s->form.type;
	if (bits && type != GG_MODBUS_BOOL)
		return "a coil or discrete input is a bool";
	if (bits && o->bit >= 0)
		return "bit belongs to registers, not to coils or discrete inputs";
	if (o->bit >= 0 && type != GG_MODBUS_BOOL)
		return "bit goes with type bool";
	if ((type == GG_MODBUS_STRING) != (o->length > 0))
		return "a string needs a length, and only a string has one";
	if ((o->scale < 1 || o->scale > 1 || o->offset < 0 || o->offset > 0) &&
		(type == GG_MODBUS_BOOL || type == GG_MODBUS_STRING))
		return "only numbers can be scaled";
	return NULL;
}

static const char *table_clash(const struct gg_modbus_signal_options *o, const struct gg_modbus_signal *s)
{
	uint8_t table = s->at.table;
	if (o->writable && table != GG_MODBUS_COIL && table != GG_MODBUS_HOLDING && table != GG_MODBUS_FILE)
		return "only coils, holding registers and records of a file can be written";
	if (o->writable && table == GG_MODBUS_FILE && o->bit >= 0)
		return "a bit of a record can't be written";
	if (table == GG_MODBUS_FIFO && s->form.type == GG_MODBUS_STRING)
		return "a queue holds numbers";
	if (!gg_modbus_table_is_bits(table) && s->at.number + gg_modbus_form_registers(&s->form) > 65536U)
		return "it ends beyond the last register";
	return NULL;
}

static const char *find_clash(const struct gg_modbus_signal_options *o, const struct gg_modbus_signal *s)
{
	if (o->scale == 0)
		return "scale must not be 0";
	if (o->low > o->high)
		return "low is above high";
	const char *clash = type_clash(o, s);
	return clash ? clash : table_clash(o, s);
}

int gg_modbus_signal_take(const struct gg_modbus_signal_options *o, int order, int64_t period_ns,
	struct gg_modbus_signal *ret_signal, struct gg_error *e)
{
	struct gg_modbus_signal made = {.name = o->name,
		.period_ns = o->poll_ns ? o->poll_ns : period_ns,
		.writable = o->writable,
		.readback = o->readback,
		.low = o->low,
		.high = o->high};
	int r = gg_modbus_address_parse(gg_str(o->address), &made.at, e);
	if (r != 0)
		return r;
	made.form = (struct gg_modbus_form){.type = type_of(o, &made.at),
		.order = gg_modbus_order_of(o->order, order),
		.bit = (int8_t)o->bit,
		.length = (uint16_t)o->length,
		.scale = o->scale,
		.offset = o->offset};
	const char *clash = find_clash(o, &made);
	if (clash)
		return gg_error_set(e, -EINVAL, "%s", clash);
	if (made.period_ns < 10 * GG_NS_PER_MS)
		return gg_error_set(e, -EINVAL, "poll: the shortest is 10ms");
	*ret_signal = made;
	return 0;
}
