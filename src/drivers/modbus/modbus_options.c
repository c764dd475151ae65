/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options: the tables, and what the engine makes of them. What the tables can't say (an address and a type
 * that don't go together, a unit twice on one line) is checked here, with the path of the option in the text.
 */
#include "drivers/modbus/modbus.h"

static const char *const type_names[] = {"auto", "bool", "int16", "uint16", "int32", "uint32", "int64",
	"uint64", "float32", "float64", "bcd16", "bcd32", "string", NULL};
static const char *const order_names[] = {
	"auto", "big", "little", "big-swap", "little-swap", "ABCD", "DCBA", "BADC", "CDAB", NULL};

static const struct gg_option signal_options[] = {
	GG_OPTION(struct gg_modbus_signal_options, name, KEY),
	GG_OPTION(struct gg_modbus_signal_options, address, STRING, .flags = GG_REQUIRED | GG_MAIN,
		.example = "holding 100",
		.help = "Where it is: \"holding 100\", \"input 3\", \"coil 17\", \"discrete 8\" (the "
			"protocol's address, from "
			"0), or five or six digits such as 40001 (counted from 1)"),
	GG_OPTION(struct gg_modbus_signal_options, type, CHOICE, .def = "auto", .choices = type_names,
		.help = "What the registers hold; auto: bool for coils, inputs and bits, string with a "
			"length, else uint16"),
	GG_OPTION(struct gg_modbus_signal_options, unit, STRING, .example = "degC",
		.help = "Unit of the value"),
	GG_OPTION(struct gg_modbus_signal_options, scale, FLOAT, .def = "1",
		.help = "Value = register * scale + offset"),
	GG_OPTION(struct gg_modbus_signal_options, offset, FLOAT, .def = "0", .help = "See scale"),
	GG_OPTION(struct gg_modbus_signal_options, order, CHOICE, .def = "auto", .choices = order_names,
		.help = "Order of the bytes; auto: as for the device"),
	GG_OPTION(struct gg_modbus_signal_options, length, INT, .def = "0", .min = "0", .max = "246",
		.unit = "bytes", .help = "Length of a string"),
	GG_OPTION(struct gg_modbus_signal_options, bit, INT, .def = "-1", .min = "-1", .max = "15",
		.help = "One bit of the register, 0 the lowest; -1: the whole register"),
	GG_OPTION(struct gg_modbus_signal_options, poll_ns, DURATION, .name = "poll", .def = "0s",
		.max = "1d", .help = "How often to read it; 0: as the device"),
	GG_OPTION(struct gg_modbus_signal_options, writable, BOOL, .def = "false",
		.help = "Rules and people may write it"),
	GG_OPTION(struct gg_modbus_signal_options, readback, BOOL, .def = "false",
		.help = "After a write, read it and fail when it differs"),
	GG_OPTION(struct gg_modbus_signal_options, title, STRING, .help = "Name for people"),
	GG_OPTION(struct gg_modbus_signal_options, low, FLOAT, .def = "0",
		.help = "Lowest plausible value; a write below is refused (with low = high there is no "
			"range)"),
	GG_OPTION(
		struct gg_modbus_signal_options, high, FLOAT, .def = "0", .help = "Highest plausible value"),
	{0},
};

static const struct gg_option device_options[] = {
	GG_OPTION(struct gg_modbus_device_config, name, KEY, .flags = GG_DEVICE),
	GG_OPTION(struct gg_modbus_device_config, unit, INT, .def = "1", .min = "0", .max = "255",
		.help = "Unit (slave address) on the line"),
	GG_OPTION(struct gg_modbus_device_config, poll_ns, DURATION, .name = "poll", .def = "0s", .max = "1d",
		.help = "How often to read it; 0: as the instance"),
	GG_OPTION(struct gg_modbus_device_config, order, CHOICE, .def = "auto", .choices = order_names,
		.help = "Order of the bytes; auto: as the instance"),
	GG_OPTION(struct gg_modbus_device_config, signals, MAP,
		GG_SUB(signal_options, struct gg_modbus_signal_options), .help = "What to read, by name"),
	{0},
};

#define TOP(field, type, ...) GG_OPTION(struct gg_modbus, config.field, type, __VA_ARGS__)

const struct gg_option gg_modbus_options[] = {
	TOP(connect, STRING, .name = "connect", .flags = GG_REQUIRED, .example = "tcp://10.0.0.7:502",
		.help = "tcp://HOST[:502], tls://HOST[:802], rtu+tcp://HOST:PORT (RTU frames over a serial "
			"server), or "
			"rtu:/dev/ttyUSB0"),
	TOP(own.unit, INT, .name = "unit", .def = "1", .min = "0", .max = "255",
		.help = "Unit (slave address) when the instance is one device"),
	TOP(own.poll_ns, DURATION, .name = "poll", .def = "1s", .min = "10ms", .max = "1d",
		.help = "How often to read"),
	TOP(own.order, CHOICE, .name = "order", .def = "auto", .choices = order_names,
		.help = "Order of the bytes: big (ABCD, the standard's), little (DCBA), big-swap (BADC) or "
			"little-swap "
			"(CDAB, low word first); auto: big"),
	TOP(own.signals, MAP, .name = "signals", GG_SUB(signal_options, struct gg_modbus_signal_options),
		.help = "What to read of the one device that has the instance's name"),
	TOP(devices, MAP, .name = "devices", GG_SUB(device_options, struct gg_modbus_device_config),
		.help = "Several devices on one line, by name"),
	TOP(serial, GROUP, .name = "serial", .sub = gg_modbus_serial_options,
		.help = "The serial port's settings"),
	TOP(tls, GROUP, .name = "tls", .sub = gg_tls_option_table, .help = "For tls://"),
	TOP(timeout_ns, DURATION, .name = "timeout", .def = "1s", .min = "10ms", .max = "1min",
		.help = "How long to wait for an answer"),
	TOP(retries, UINT, .name = "retries", .def = "1", .min = "0", .max = "10",
		.help = "How often a read is repeated before the device counts as lost"),
	TOP(connect_timeout_ns, DURATION, .name = "connect_timeout", .def = "5s", .min = "100ms",
		.max = "1min", .help = "How long to wait for a connection"),
	TOP(backoff_ns, DURATION, .name = "backoff", .def = "1s", .min = "50ms", .max = "1min",
		.help = "First pause before a lost device or connection is tried again; it doubles"),
	TOP(backoff_max_ns, DURATION, .name = "backoff_max", .def = "30s", .min = "50ms", .max = "1h",
		.help = "Longest pause"),
	TOP(pause_ns, DURATION, .name = "pause", .def = "0s", .min = "0s", .max = "10s",
		.help = "Rest between two requests, for slow devices"),
	TOP(pipeline, UINT, .name = "pipeline", .def = "1", .min = "1", .max = "16",
		.help = "Requests under way at once on TCP; more than 1 only where the device is known to "
			"bear it"),
	TOP(max_gap, UINT, .name = "max_gap", .def = "8", .min = "0", .max = "125",
		.help = "Registers nobody asked for that may be read to save a request (16 coils count as "
			"one)"),
	TOP(max_registers, UINT, .name = "max_registers", .def = "125", .min = "1", .max = "125",
		.help = "Registers in one request"),
	TOP(max_coils, UINT, .name = "max_coils", .def = "2000", .min = "1", .max = "2000",
		.help = "Coils or discrete inputs in one request"),
	TOP(identify, BOOL, .name = "identify", .def = "false",
		.help = "Ask for vendor and product when a device is found, and log them"),
	{0},
};

/* ---- connect ---- */

static int take_connect(struct gg_modbus *m, struct gg_error *e)
{
	struct gg_modbus_line_options *o = &m->line_options;
	struct gg_str text = gg_str(m->config.connect);
	if (gg_str_starts(text, GG_STR("rtu:"))) {
		const char *path = m->config.connect + 4;
		while (path[0] == '/' && path[1] == '/')
			path++;
		if (path[0] != '/' || strlen(path) >= sizeof o->address.host)
			return gg_error_set(e, -EINVAL,
				"connect: behind rtu: the path of a port was expected, as in "
				"rtu:/dev/ttyUSB0");
		if (!gg_modbus_serial_speed_known(m->config.serial.baud))
			return gg_error_set(e, -EINVAL,
				"serial.baud: %lld is no speed of a serial port; 9600, 19200 or "
				"115200 are usual",
				(long long)m->config.serial.baud);
		gg_str_copy(o->address.host, sizeof o->address.host, gg_str(path));
		o->is_serial = true;
		o->framing = GG_MODBUS_RTU;
		return 0;
	}
	bool over_tcp = gg_str_starts(text, GG_STR("rtu+tcp://"));
	bool tls = gg_str_starts(text, GG_STR("tls://"));
	int r = gg_address_parse(text, tls ? 802 : over_tcp ? 0 : 502, &o->address, e);
	if (r != 0) {
		gg_error_prefix(e, "connect");
		return r;
	}
	if (!over_tcp && !tls && o->address.scheme[0] && strcmp(o->address.scheme, "tcp") != 0)
		return gg_error_set(e, -EINVAL,
			"connect: \"%s\" is none of tcp://HOST[:502], tls://HOST[:802], rtu+tcp://HOST:PORT, "
			"rtu:/dev/PORT",
			m->config.connect);
	o->framing = over_tcp ? GG_MODBUS_RTU : GG_MODBUS_TCP;
	return tls ? gg_tls_client_new(&m->config.tls, &o->tls, e) : 0;
}

static int take_line(struct gg_modbus *m, struct gg_error *e)
{
	const struct gg_modbus_config *c = &m->config;
	struct gg_modbus_line_options *o = &m->line_options;
	o->who = m->name;
	o->serial = c->serial;
	o->pipeline = (unsigned)c->pipeline;
	o->timeout_ns = c->timeout_ns;
	o->connect_timeout_ns = c->connect_timeout_ns;
	o->pause_ns = c->pause_ns;
	o->backoff_min_ns = c->backoff_ns;
	o->backoff_max_ns = c->backoff_max_ns > c->backoff_ns ? c->backoff_max_ns : c->backoff_ns;
	return take_connect(m, e);
}

/* ---- signals ---- */

static uint8_t order_of(int choice, int otherwise)
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
static const char *find_clash(const struct gg_modbus_signal_options *o, const struct gg_modbus_signal *s)
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
	if (o->scale == 0)
		return "scale must not be 0";
	if ((o->scale != 1 || o->offset != 0) && (type == GG_MODBUS_BOOL || type == GG_MODBUS_STRING))
		return "only numbers can be scaled";
	if (o->low > o->high)
		return "low is above high";
	if (o->writable && s->at.table != GG_MODBUS_COIL && s->at.table != GG_MODBUS_HOLDING)
		return "only coils and holding registers can be written";
	if (!bits && s->at.number + gg_modbus_form_registers(&s->form) > 65536U)
		return "it ends beyond the last register";
	return NULL;
}

static int take_signal(const struct gg_modbus_signal_options *o, int order, int64_t period_ns,
	struct gg_modbus_signal *s, struct gg_error *e)
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
		.order = order_of(o->order, order),
		.bit = (int8_t)o->bit,
		.length = (uint16_t)o->length,
		.scale = o->scale,
		.offset = o->offset};
	const char *clash = find_clash(o, &made);
	if (clash)
		return gg_error_set(e, -EINVAL, "%s", clash);
	if (made.period_ns < 10 * GG_NS_PER_MS)
		return gg_error_set(e, -EINVAL, "poll: the shortest is 10ms");
	*s = made;
	return 0;
}

/* ---- devices ---- */

static int take_unit(struct gg_modbus *m, const struct gg_modbus_device_config *d, const char *name,
	struct gg_modbus_unit *u, struct gg_error *e)
{
	const struct gg_modbus_config *c = &m->config;
	const struct gg_modbus_device_options o = {.who = m->name,
		.name = name,
		.unit = (uint8_t)d->unit,
		.retries = (unsigned)c->retries,
		.identify = c->identify,
		.timeout_ns = c->timeout_ns,
		.backoff_min_ns = m->line_options.backoff_min_ns,
		.backoff_max_ns = m->line_options.backoff_max_ns,
		.limits = {.max_gap = (uint16_t)c->max_gap,
			.max_registers = (uint16_t)c->max_registers,
			.max_bits = (uint16_t)c->max_coils}};
	int64_t period_ns = d->poll_ns ? d->poll_ns : c->own.poll_ns;
	if (m->line_options.framing == GG_MODBUS_RTU && (d->unit < 1 || d->unit > 247))
		return gg_error_set(
			e, -EINVAL, "unit: 1 to 247 was expected on a serial line (0 is for broadcasts)");
	if (d->signals.count == 0 || d->signals.count > GG_BATCH_SAMPLES)
		return gg_error_set(e, -EINVAL, "signals: 1 to %d were expected", (int)GG_BATCH_SAMPLES);
	u->specs = d->signals.items;
	u->count = (uint32_t)d->signals.count;
	u->signals = calloc(u->count, sizeof *u->signals);
	if (!u->signals)
		return gg_error_set(e, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < u->count; i++) {
		int r = take_signal(
			&u->specs[i], d->order ? d->order : c->own.order, period_ns, &u->signals[i], e);
		if (r != 0) {
			gg_error_prefix(e, "signals.%s", u->specs[i].name);
			return r;
		}
	}
	int r = gg_modbus_device_init(&u->device, &o, u->signals, u->count);
	if (r == -EINVAL)
		return gg_error_set(
			e, r, "a signal is longer than max_registers (%lld)", (long long)c->max_registers);
	return r != 0 ? gg_error_set(e, r, "%s", strerror(-r)) : 0;
}

static int check_units(const struct gg_modbus *m, struct gg_error *e)
{
	const char *names[256] = {0};
	for (size_t i = 0; i < m->unit_count; i++) {
		const struct gg_modbus_device_options *o = &m->units[i].device.o;
		if (names[o->unit])
			return gg_error_set(e, -EINVAL, "devices: %s and %s have the same unit %u",
				names[o->unit], o->name, o->unit);
		names[o->unit] = o->name;
	}
	return 0;
}

int gg_modbus_options_take(struct gg_modbus *m, struct gg_error *e)
{
	const struct gg_modbus_config *c = &m->config;
	const struct gg_modbus_device_config *devices = c->devices.items;
	bool own = c->own.signals.count > 0;
	if (!own && !c->devices.count)
		return gg_error_set(
			e, -EINVAL, "signals (for one device) or devices (for several) were expected");
	int r = take_line(m, e);
	if (r != 0)
		return r;
	m->units = calloc(c->devices.count + 1, sizeof *m->units);
	if (!m->units)
		return gg_error_set(e, -ENOMEM, "out of memory");
	if (own)
		r = take_unit(m, &c->own, m->name, &m->units[m->unit_count++], e);
	for (size_t i = 0; r == 0 && i < c->devices.count; i++) {
		r = take_unit(m, &devices[i], devices[i].name, &m->units[m->unit_count++], e);
		if (r != 0)
			gg_error_prefix(e, "devices.%s", devices[i].name);
	}
	m->line_options.units = (unsigned)m->unit_count;
	return r != 0 ? r : check_units(m, e);
}

void gg_modbus_options_done(struct gg_modbus *m)
{
	for (size_t i = 0; i < m->unit_count; i++)
		free(m->units[i].signals);
	free(m->units);
	m->units = NULL;
	m->unit_count = 0;
	m->line_options.tls = gg_tls_unref(m->line_options.tls);
}
