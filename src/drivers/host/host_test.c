/* SPDX-License-Identifier: Apache-2.0 */
/* The parsers, and the driver on a machine made of files. */
#include "driver_host.h"

#include "drivers/host/host.h"
#include "drivers/host/host_codec.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- the parsers ---- */

static void reads_the_load(void **state)
{
	(void)state;
	double load[3];
	assert_int_equal(gg_machine_load(GG_STR("0.20 1.18 12.5 1/80 11206\n"), load), 0);
	assert_true(load[0] == 0.2 && load[1] == 1.18 && load[2] == 12.5);
	assert_int_equal(gg_machine_load(GG_STR("0.20 1.18\n"), load), -EINVAL);
	assert_int_equal(gg_machine_load(GG_STR("-1 0 0"), load), -ERANGE);
	assert_int_equal(gg_machine_load(GG_STR(""), load), -EINVAL);
}

static void reads_the_memory(void **state)
{
	(void)state;
	struct gg_machine_memory m;
	assert_int_equal(gg_machine_memory(GG_STR("MemTotal:       1000 kB\nMemFree:  10 kB\n"
						  "MemAvailable:    250 kB\nHugePages_Total:  0\n"),
				 &m),
		0);
	assert_int_equal(m.total_bytes, 1024000);
	assert_int_equal(m.available_bytes, 256000);
}

static void refuses_memory_that_can_not_be(void **state)
{
	(void)state;
	struct gg_machine_memory m;
	assert_int_equal(gg_machine_memory(GG_STR("MemTotal: 1000 kB\n"), &m), -EINVAL);
	assert_int_equal(gg_machine_memory(GG_STR("MemTotal: 1000 MB\nMemAvailable: 1 kB\n"), &m), -EINVAL);
	assert_int_equal(gg_machine_memory(GG_STR("MemTotal: 10 kB\nMemAvailable: 11 kB\n"), &m), -ERANGE);
	assert_int_equal(
		gg_machine_memory(GG_STR("MemTotal: 99999999999999999 kB\nMemAvailable: 1 kB\n"), &m),
		-ERANGE);
}

static void reads_temperatures_and_knows_a_sensor_that_is_off(void **state)
{
	(void)state;
	double celsius;
	assert_int_equal(gg_machine_temperature(GG_STR("48312\n"), &celsius), 0);
	assert_true(celsius == 48.312);
	assert_int_equal(gg_machine_temperature(GG_STR("-5000\n"), &celsius), 0);
	assert_true(celsius == -5);
	assert_int_equal(gg_machine_temperature(GG_STR("-274000\n"), &celsius), -ERANGE);
	assert_int_equal(gg_machine_temperature(GG_STR("off\n"), &celsius), -EINVAL);
}

static void makes_names_that_a_signal_may_have(void **state)
{
	(void)state;
	char name[GG_MACHINE_ZONE_NAME];
	gg_machine_zone_name(GG_STR("x86_pkg_temp\n"), name);
	assert_string_equal(name, "x86_pkg_temp");
	gg_machine_zone_name(GG_STR("Soc*die #1/a"), name);
	assert_string_equal(name, "Soc_die__1_a");
	gg_machine_zone_name(GG_STR("\n"), name);
	assert_string_equal(name, "zone");
}

/* ---- the machine ---- */

static char root[] = "/tmp/gg-host-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", root, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void make_folder(const char *name)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", root, name);
	mkdir(path, 0700);
}

static void remove_file(const char *name)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", root, name);
	unlink(path);
}

static const char *const files[] = {"loadavg", "meminfo", "uptime", "class/thermal/thermal_zone0/type",
	"class/thermal/thermal_zone0/temp", "class/thermal/thermal_zone2/type",
	"class/thermal/thermal_zone2/temp"};
static const char *const folders[] = {
	"class", "class/thermal", "class/thermal/thermal_zone0", "class/thermal/thermal_zone2"};

static void make_machine(void)
{
	for (size_t i = 0; i < GG_COUNT(folders); i++)
		make_folder(folders[i]);
	put("loadavg", "0.50 0.25 0.125 1/80 11206\n");
	put("meminfo", "MemTotal:  1000 kB\nMemAvailable:  250 kB\n");
	put("uptime", "350.5 100.0\n");
	put("class/thermal/thermal_zone0/type", "cpu-thermal\n");
	put("class/thermal/thermal_zone0/temp", "48500\n");
	put("class/thermal/thermal_zone2/type", "cpu-thermal\n");
	put("class/thermal/thermal_zone2/temp", "50250\n");
}

static void remove_machine(void)
{
	for (size_t i = 0; i < GG_COUNT(files); i++)
		remove_file(files[i]);
	for (size_t i = GG_COUNT(folders); i-- > 0;) {
		char path[200];
		snprintf(path, sizeof path, "%s/%s", root, folders[i]);
		rmdir(path);
	}
	rmdir(root);
}

/* ---- helpers ---- */

static struct gg_arena arena = GG_ARENA(1 << 20);
static const struct gg_component *const driver = &gg_driver_host;
static void *self;

static struct gg_value scalar(const char *text)
{
	return (struct gg_value){.kind = GG_VALUE_SCALAR, .text = gg_str(text)};
}

/* An instance with the options poll, proc and sys, and one disk; as the core makes it. */
static void *make_instance(const char *poll, const char *disk)
{
	const char *const words[] = {"poll", poll, "proc", root, "sys", root};
	struct gg_value v[6], disk_name = scalar("data"), disk_path = scalar(disk),
			      disks_key = scalar("disks");
	struct gg_value *one_key[] = {&disk_name}, *one_item[] = {&disk_path};
	struct gg_value disks = {.kind = GG_VALUE_MAP, .count = 1, .keys = one_key, .items = one_item};
	for (size_t i = 0; i < GG_COUNT(v); i++)
		v[i] = scalar(words[i]);
	struct gg_value *keys[] = {&v[0], &v[2], &v[4], &disks_key}, *items[] = {&v[1], &v[3], &v[5], &disks};
	const struct gg_value map = {.kind = GG_VALUE_MAP, .count = 4, .keys = keys, .items = items};
	struct gg_problems problems = {0};
	void *made = calloc(1, driver->self_size);
	assert_non_null(made);
	assert_int_equal(gg_options_fill(driver->options, made, &map, &arena, &problems), 0);
	gg_problems_done(&problems);
	return made;
}

static int set_up(void **state)
{
	(void)state;
	memset(&host, 0, sizeof host);
	assert_int_equal(driver_host_begin("gateway", 1893456000 * GG_NS_PER_S), 0);
	make_machine();
	self = make_instance("100ms", root);
	struct gg_error e = {0};
	assert_int_equal(driver->init(self, &host, &e), 0);
	return 0;
}

static void end_instance(void)
{
	driver->close(self);
	driver->fini(self);
	free(self);
	self = NULL;
}

static int tear_down(void **state)
{
	(void)state;
	if (self)
		end_instance();
	gg_loop_turn(host.loop, 0); /* a look that is on its way back */
	driver_host_end();
	gg_arena_done(&arena);
	return 0;
}

static void start(void)
{
	struct gg_error e = {0};
	assert_int_equal(driver->start(self, &e), 0);
}

static bool batch_is_there(void)
{
	return host.batches > 0;
}

static bool three_batches(void)
{
	return host.batches >= 3;
}

static const struct gg_sample *of(const char *name)
{
	uint32_t signal = gg_signal_find(gg_str(name));
	for (size_t i = host.latest; i < host.count; i++)
		if (host.got[i].signal == signal)
			return &host.got[i];
	fail_msg("no sample of %s", name);
	return NULL;
}

static void check_good(const char *name, double value)
{
	const struct gg_sample *s = of(name);
	assert_int_equal(s->quality, GG_GOOD);
	assert_true(s->v.f == value);
}

static void check_bad(const char *name, enum gg_reason reason)
{
	assert_int_equal(of(name)->quality, GG_BAD);
	assert_int_equal(of(name)->aux, reason);
}

/* ---- the driver ---- */

static void tells_how_the_machine_is(void **state)
{
	(void)state;
	start();
	driver_host_until(batch_is_there);
	assert_int_equal(host.count - host.latest, 10);
	check_good("gateway/load_1min", 0.5);
	check_good("gateway/load_15min", 0.125);
	check_good("gateway/memory_used", 75);
	check_good("gateway/memory_available", 256000);
	check_good("gateway/uptime", 350.5);
	check_good("gateway/temperature/cpu-thermal", 48.5);
	check_good("gateway/temperature/cpu-thermal_2", 50.25);
	assert_in_range(of("gateway/disk/data/used")->v.f, 0, 100);
	assert_true(of("gateway/disk/data/free")->v.f > 0);
	assert_string_equal(gg_signal(gg_signal_find(GG_STR("gateway/disk/data/free")))->unit, "byte");
	assert_int_equal(of("gateway/uptime")->time_ns, 1893456000 * GG_NS_PER_S);
	assert_true(host.healthy);
}

static void comes_again_every_period(void **state)
{
	(void)state;
	int64_t began = gg_clock_monotonic(&gg_clock_system);
	start();
	driver_host_until(three_batches);
	assert_true(gg_clock_monotonic(&gg_clock_system) - began >= 190 * GG_NS_PER_MS);
}

static void what_can_not_be_read_is_bad_and_the_rest_goes_on(void **state)
{
	(void)state;
	put("meminfo", "nonsense");
	put("class/thermal/thermal_zone0/temp", "-274000\n");
	remove_file("uptime");
	start();
	driver_host_until(batch_is_there);
	check_bad("gateway/memory_used", GG_REASON_GARBLED);
	check_bad("gateway/temperature/cpu-thermal", GG_REASON_OUT_OF_RANGE);
	check_bad("gateway/uptime", GG_REASON_ILLEGAL_ADDRESS);
	check_good("gateway/load_1min", 0.5);
	assert_true(host.healthy);
}

static void a_sensor_that_goes_away_is_told(void **state)
{
	(void)state;
	start();
	driver_host_until(batch_is_there);
	remove_file("class/thermal/thermal_zone2/type");
	host.batches = 0;
	driver_host_until(batch_is_there);
	check_bad("gateway/temperature/cpu-thermal_2", GG_REASON_ILLEGAL_ADDRESS);
	check_good("gateway/temperature/cpu-thermal", 48.5);
}

static void is_lost_when_nothing_can_be_read(void **state)
{
	(void)state;
	end_instance();
	self = make_instance("100ms", "/nowhere/at/all");
	assert_int_equal(driver->init(self, &host, NULL), 0);
	for (size_t i = 0; i < GG_COUNT(files); i++)
		remove_file(files[i]);
	start();
	driver_host_until(batch_is_there);
	assert_false(host.healthy);
	assert_non_null(strstr(host.reason, "loadavg: No such file"));
	check_bad("gateway/disk/data/used", GG_REASON_ILLEGAL_ADDRESS);
}

static bool refused(void)
{
	return host.refused > 0;
}

static void keeps_its_batch_while_there_is_no_room(void **state)
{
	(void)state;
	host.full = true;
	start();
	driver_host_until(refused);
	put("loadavg", "9 9 9 1/80 1\n");
	int64_t end = gg_clock_monotonic(&gg_clock_system) + 250 * GG_NS_PER_MS;
	while (gg_clock_monotonic(&gg_clock_system) < end)
		gg_loop_turn(host.loop, 10 * GG_NS_PER_MS);
	assert_int_equal(host.refused, 1); /* waits, and does not try again by itself */
	host.full = false;
	driver->driver->resume(self);
	assert_int_equal(host.batches, 1);
	check_good("gateway/load_1min", 0.5);
	driver_host_until(three_batches);
	check_good("gateway/load_1min", 9);
}

static void a_look_that_hangs_makes_its_signals_bad_until_it_is_back(void **state)
{
	(void)state;
	host.hanging = true;
	start();
	driver_host_until(batch_is_there);
	check_bad("gateway/load_1min", GG_REASON_TIMEOUT);
	assert_true(host.told && !host.healthy);
	driver_host_come_back();
	check_good("gateway/load_1min", 0.5);
	assert_true(host.healthy);
}

static bool look_is_under_way(void)
{
	return host.arg != NULL;
}

static void ends_while_a_look_is_under_way(void **state)
{
	(void)state;
	host.hanging = true;
	start();
	driver_host_until(look_is_under_way);
	end_instance();
	driver_host_come_back();
	assert_int_equal(host.batches, 0);
	assert_false(host.told);
}

static void another_period_applies_at_once(void **state)
{
	(void)state;
	end_instance();
	self = make_instance("1h", root);
	assert_int_equal(driver->init(self, &host, NULL), 0);
	start();
	driver_host_until(batch_is_there);
	void *fresh = make_instance("100ms", root);
	assert_int_equal(driver->update(self, fresh, NULL), 0);
	free(fresh);
	driver_host_until(three_batches);
}

#define MACHINE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_the_load),
		TEST(reads_the_memory),
		TEST(refuses_memory_that_can_not_be),
		TEST(reads_temperatures_and_knows_a_sensor_that_is_off),
		TEST(makes_names_that_a_signal_may_have),
		MACHINE(tells_how_the_machine_is),
		MACHINE(comes_again_every_period),
		MACHINE(what_can_not_be_read_is_bad_and_the_rest_goes_on),
		MACHINE(a_sensor_that_goes_away_is_told),
		MACHINE(is_lost_when_nothing_can_be_read),
		MACHINE(keeps_its_batch_while_there_is_no_room),
		MACHINE(a_look_that_hangs_makes_its_signals_bad_until_it_is_back),
		MACHINE(ends_while_a_look_is_under_way),
		MACHINE(another_period_applies_at_once),
	};
	if (!mkdtemp(root))
		return 1;
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	remove_machine();
	return rc;
}
