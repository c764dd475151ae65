/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Components that exist for the tests and the fuzz target of the configuration only. They use every type of
 * option and have no code.
 */
#ifndef GG_CORE_CONFIG_FAKES_H
#define GG_CORE_CONFIG_FAKES_H

#include "core/config.h"

struct fake_topic {
	const char *pattern;
	int format;
};

struct fake_block {
	uint64_t start;
	double scale;
};

struct fake_login {
	const char *user, *password;
};

struct fake_driver {
	const char *connect;
	int64_t poll_ns;
	int64_t offset;
	uint64_t unit, buffer;
	double scale;
	bool keep;
	int mode;
	struct gg_strings names;
	struct fake_login login;
	struct gg_many topics, blocks;
	const struct gg_value *free;
	const char *device;
	struct gg_many devices;
};

struct fake_device {
	const char *name;
	uint64_t number;
};

static const char *const fake_formats[] = {"plain", "json", NULL};
static const char *const fake_modes[] = {"fast", "careful", NULL};

static const struct gg_option fake_topic_options[] = {GG_OPTION(struct fake_topic, pattern, KEY),
	GG_OPTION(
		struct fake_topic, format, CHOICE, .choices = fake_formats, .def = "plain", .flags = GG_MAIN),
	{0}};

static const struct gg_option fake_block_options[] = {
	GG_OPTION(struct fake_block, start, UINT, .flags = GG_REQUIRED),
	GG_OPTION(struct fake_block, scale, FLOAT, .def = "1"), {0}};

static const struct gg_option fake_login_options[] = {
	GG_OPTION(struct fake_login, user, STRING, .flags = GG_REQUIRED),
	GG_OPTION(struct fake_login, password, STRING, .flags = GG_SECRET | GG_LIVE), {0}};

static const struct gg_option fake_device_options[] = {
	GG_OPTION(struct fake_device, name, KEY, .flags = GG_DEVICE),
	GG_OPTION(struct fake_device, number, UINT, .flags = GG_MAIN), {0}};

static const struct gg_option fake_driver_options[] = {
	GG_OPTION(struct fake_driver, connect, STRING, .flags = GG_REQUIRED, .help = "Where the device is"),
	GG_OPTION(struct fake_driver, poll_ns, DURATION, .name = "poll", .def = "1s", .min = "10ms",
		.max = "1min", .flags = GG_LIVE, .help = "How often to ask"),
	GG_OPTION(struct fake_driver, offset, INT, .min = "-10", .max = "10"),
	GG_OPTION(struct fake_driver, unit, UINT, .def = "1", .max = "247",
		.choices = (const char *const[]){"any", NULL}),
	GG_OPTION(struct fake_driver, buffer, SIZE, .def = "64KiB"),
	GG_OPTION(struct fake_driver, scale, FLOAT, .def = "1.5"),
	GG_OPTION(struct fake_driver, keep, BOOL, .def = "yes"),
	GG_OPTION(struct fake_driver, mode, CHOICE, .choices = fake_modes, .def = "careful"),
	GG_OPTION(struct fake_driver, names, STRINGS, .def = "[a, b]"),
	GG_OPTION(struct fake_driver, login, GROUP, .sub = fake_login_options),
	GG_OPTION(struct fake_driver, topics, MAP, GG_SUB(fake_topic_options, struct fake_topic)),
	GG_OPTION(struct fake_driver, blocks, LIST, GG_SUB(fake_block_options, struct fake_block)),
	GG_OPTION(struct fake_driver, free, VALUE),
	GG_OPTION(struct fake_driver, device, STRING, .flags = GG_DEVICE),
	GG_OPTION(struct fake_driver, devices, MAP, GG_SUB(fake_device_options, struct fake_device)), {0}};

struct fake_stage {
	double limit;
	int64_t every_ns;
};

static const struct gg_option fake_stage_options[] = {
	GG_OPTION(struct fake_stage, limit, FLOAT, .def = "0.1", .flags = GG_MAIN | GG_LIVE),
	GG_OPTION(struct fake_stage, every_ns, DURATION, .name = "every", .def = "1min"), {0}};

struct fake_write {
	const struct gg_value *signals;
};

static const struct gg_option fake_write_options[] = {
	GG_OPTION(struct fake_write, signals, VALUE, .flags = GG_MAIN | GG_REQUIRED), {0}};

struct fake_link {
	const char *connect, *token;
};

static const struct gg_option fake_link_options[] = {
	GG_OPTION(struct fake_link, connect, STRING, .flags = GG_REQUIRED),
	GG_OPTION(struct fake_link, token, STRING, .flags = GG_SECRET), {0}};

static int fake_update(void *self GG_UNUSED, const void *fresh GG_UNUSED, struct gg_error *e GG_UNUSED)
{
	return 0;
}

static int fake_check(const void *self, struct gg_error *e)
{
	const struct fake_driver *d = self;
	return d->offset > 8 && !d->device ? gg_error_set(e, -EINVAL, "offset: says nothing without a device")
					   : 0;
}

static const struct gg_component fake_modbus = {.name = "modbus",
	.title = "A driver for tests",
	.kind = GG_DRIVER,
	.self_size = sizeof(struct fake_driver),
	.options = fake_driver_options,
	.check = fake_check,
	.update = fake_update,
	.example = "boiler:\n  driver: modbus\n  connect: tcp://10.0.0.7:502\n"};
static const struct gg_component fake_mqtt = {
	.name = "mqtt", .kind = GG_DRIVER, .self_size = 1, .options = (const struct gg_option[]){{0}}};
static const struct gg_component fake_deadband = {.name = "deadband",
	.kind = GG_STAGE,
	.self_size = sizeof(struct fake_stage),
	.options = fake_stage_options};
static const struct gg_component fake_detect = {.name = "detect", .kind = GG_STAGE};
static const struct gg_component fake_write = {.name = "write",
	.kind = GG_ACTION,
	.self_size = sizeof(struct fake_write),
	.options = fake_write_options};
static const struct gg_component fake_cloud = {.name = "mqtt",
	.kind = GG_UPLINK,
	.self_size = sizeof(struct fake_link),
	.options = fake_link_options};

static const struct gg_component *const fakes[] = {
	&fake_modbus, &fake_mqtt, &fake_deadband, &fake_detect, &fake_write, &fake_cloud, NULL};

/* An environment of a few variables: NAME, TOKEN, EMPTY. */
static inline const char *fake_get(const void *arg GG_UNUSED, const char *name)
{
	return strcmp(name, "NAME") == 0    ? "hall"
	       : strcmp(name, "TOKEN") == 0 ? "very-secret"
	       : strcmp(name, "PORT") == 0  ? "502"
	       : strcmp(name, "EMPTY") == 0 ? ""
					    : NULL;
}

static const struct gg_environment fake_environment = {.get = fake_get, .no_files = true};

#endif
