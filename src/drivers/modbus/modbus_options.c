/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options: the tables, and what the engine makes of them. What the tables can't say (an address and a type
 * that don't go together, a unit twice on one line) is checked here, with the path of the option in the text.
 */
#include "drivers/modbus/modbus.h"

static const struct gg_option signal_options[] = {
	GG_OPTION(struct gg_modbus_signal_options, name, KEY),
	GG_OPTION(struct gg_modbus_signal_options, address, STRING, .flags = GG_REQUIRED | GG_MAIN,
		.example = "holding 100",
		.help = "Where it is: \"holding 100\", \"input 3\", \"coil 17\", \"discrete 8\" (the "
			"protocol's address, from 0), five or six digits such as 40001 (counted from 1), "
			"\"file 4:12\" (record 12 of file 4) or \"fifo 1200\" (a queue)"),
	GG_OPTION(struct gg_modbus_signal_options, type, CHOICE, .def = "auto",
		.choices = gg_modbus_type_names,
		.help = "What the registers hold; auto: bool for coils, inputs and bits, string with a "
			"length, else uint16"),
	GG_OPTION(struct gg_modbus_signal_options, unit, STRING, .example = "degC",
		.help = "Unit of the value"),
	GG_OPTION(struct gg_modbus_signal_options, scale, FLOAT, .def = "1",
		.help = "Value = register * scale + offset"),
	GG_OPTION(struct gg_modbus_signal_options, offset, FLOAT, .def = "0", .help = "See scale"),
	GG_OPTION(struct gg_modbus_signal_options, order, CHOICE, .def = "auto",
		.choices = gg_modbus_order_names, .help = "Order of the bytes; auto: as for the device"),
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

static const struct gg_option registers_options[] = {
	GG_OPTION(struct gg_modbus_list_options, file, STRING, .flags = GG_MAIN | GG_FILE,
		.example = "/etc/ganglion/meter.csv",
		.help = "A table as CSV: a row of column names, then a register a row"),
	GG_OPTION(struct gg_modbus_list_options, base, INT, .def = "0", .min = "0", .max = "1",
		.help = "What its bare numbers are counted from, in lists with a column for the table"),
	{0},
};

static const struct gg_option device_options[] = {
	GG_OPTION(struct gg_modbus_device_config, name, KEY, .flags = GG_DEVICE),
	GG_OPTION(struct gg_modbus_device_config, unit, INT, .def = "1", .min = "0", .max = "255",
		.help = "Unit (slave address) on the line"),
	GG_OPTION(struct gg_modbus_device_config, poll_ns, DURATION, .name = "poll", .def = "0s", .max = "1d",
		.help = "How often to read it; 0: as the instance"),
	GG_OPTION(struct gg_modbus_device_config, order, CHOICE, .def = "auto",
		.choices = gg_modbus_order_names, .help = "Order of the bytes; auto: as the instance"),
	GG_OPTION(struct gg_modbus_device_config, signals, MAP,
		GG_SUB(signal_options, struct gg_modbus_signal_options), .help = "What to read, by name"),
	GG_OPTION(struct gg_modbus_device_config, registers, GROUP, .sub = registers_options,
		.help = "The same as a list in a file, which many devices may share"),
	GG_OPTION(struct gg_modbus_device_config, broadcast, BOOL, .def = "false",
		.help = "All devices on the line at once: it is written to as unit 0, never read, and nobody "
			"answers; unit 0 of a serial line always is"),
	{0},
};

static const char *const automatic[] = {"auto", NULL};

#define TOP(field, type, ...) GG_OPTION(struct gg_modbus, config.field, type, __VA_ARGS__)

const struct gg_option gg_modbus_options[] = {
	TOP(connect, STRING, .name = "connect", .flags = GG_REQUIRED, .example = "tcp://10.0.0.7:502",
		.help = "tcp://HOST[:502], tls://HOST[:802], rtu+tcp://HOST:PORT (RTU frames over a serial "
			"server), or "
			"rtu:/dev/ttyUSB0"),
	TOP(own.unit, INT, .name = "unit", .flags = GG_LIVE, .def = "1", .min = "0", .max = "255",
		.help = "Unit (slave address) when the instance is one device"),
	TOP(own.poll_ns, DURATION, .name = "poll", .flags = GG_LIVE, .def = "1s", .min = "10ms", .max = "1d",
		.help = "How often to read"),
	TOP(own.order, CHOICE, .name = "order", .flags = GG_LIVE, .def = "auto",
		.choices = gg_modbus_order_names,
		.help = "Order of the bytes: big (ABCD, the standard's), little (DCBA), big-swap (BADC) or "
			"little-swap "
			"(CDAB, low word first); auto: big"),
	TOP(own.signals, MAP, .name = "signals", .flags = GG_LIVE,
		GG_SUB(signal_options, struct gg_modbus_signal_options),
		.help = "What to read of the one device that has the instance's name"),
	TOP(own.registers, GROUP, .name = "registers", .sub = registers_options, .flags = GG_LIVE,
		.help = "The same as a list in a file"),
	TOP(devices, MAP, .name = "devices", .flags = GG_LIVE,
		GG_SUB(device_options, struct gg_modbus_device_config),
		.help = "Several devices on one line, by name"),
	TOP(serial, GROUP, .name = "serial", .sub = gg_modbus_serial_options,
		.help = "The serial port's settings"),
	TOP(tls, GROUP, .name = "tls", .sub = gg_tls_option_table, .help = "For tls://"),
	TOP(timeout_ns, DURATION, .name = "timeout", .flags = GG_LIVE, .def = "1s", .min = "10ms",
		.max = "1min", .help = "How long to wait for an answer"),
	TOP(retries, UINT, .name = "retries", .flags = GG_LIVE, .def = "1", .min = "0", .max = "10",
		.help = "How often a read is repeated before the device counts as lost"),
	TOP(connect_timeout_ns, DURATION, .name = "connect_timeout", .def = "5s", .min = "100ms",
		.max = "1min", .help = "How long to wait for a connection"),
	TOP(backoff_ns, DURATION, .name = "backoff", .flags = GG_LIVE, .def = "1s", .min = "50ms",
		.max = "1min",
		.help = "First pause before a lost device or connection is tried again; it doubles"),
	TOP(backoff_max_ns, DURATION, .name = "backoff_max", .flags = GG_LIVE, .def = "30s", .min = "50ms",
		.max = "1h", .help = "Longest pause"),
	TOP(pause_ns, DURATION, .name = "pause", .flags = GG_LIVE, .def = "0s", .min = "0s", .max = "10s",
		.help = "Rest between two requests, for slow devices"),
	TOP(turnaround_ns, DURATION, .name = "turnaround", .flags = GG_LIVE, .def = "100ms", .min = "0s",
		.max = "10s", .help = "Rest after a broadcast, so that all devices are through with it"),
	TOP(in_flight, UINT, .name = "in_flight", .flags = GG_LIVE, .def = "auto", .min = "1", .max = "16",
		.choices = automatic,
		.help = "Requests under way at once on TCP; auto: begins with 1, and tries more while the "
			"device answers fast and whole"),
	TOP(max_gap, UINT, .name = "max_gap", .flags = GG_LIVE, .def = "8", .min = "0", .max = "125",
		.help = "Registers nobody asked for that may be read to save a request (16 coils count as "
			"one)"),
	TOP(max_registers, UINT, .name = "max_registers", .flags = GG_LIVE, .def = "125", .min = "1",
		.max = "125", .help = "Registers in one request"),
	TOP(max_coils, UINT, .name = "max_coils", .flags = GG_LIVE, .def = "2000", .min = "1", .max = "2000",
		.help = "Coils or discrete inputs in one request"),
	TOP(identify, BOOL, .name = "identify", .flags = GG_LIVE, .def = "true",
		.help = "Ask a device that is found who made it (function 43/14); shown with the device"),
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

int gg_modbus_line_options_take(struct gg_modbus *m, struct gg_error *e)
{
	const struct gg_modbus_config *c = &m->config;
	struct gg_modbus_line_options *o = &m->line_options;
	o->who = m->name;
	o->serial = c->serial;
	o->in_flight = (unsigned)c->in_flight;
	o->turnaround_ns = c->turnaround_ns;
	o->timeout_ns = c->timeout_ns;
	o->connect_timeout_ns = c->connect_timeout_ns;
	o->pause_ns = c->pause_ns;
	o->backoff_min_ns = c->backoff_ns;
	o->backoff_max_ns = c->backoff_max_ns > c->backoff_ns ? c->backoff_max_ns : c->backoff_ns;
	return take_connect(m, e);
}
