/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The computer the gateway runs on, as a device: load, memory, uptime, room on disks, temperatures. The
 * smallest driver there is; docs/internals/writing-a-driver.md tells its story step by step. In the kit a
 * host is what the core does for an instance, so the computer is called machine here.
 *
 *   timer ──▶ a worker looks (host_read.c) ──▶ have_read(): values ─▶ batch ─▶ submit
 *     ▲                                             no room: held until resume()
 *     └── every `poll`; when the look before is not back, its signals go bad: no answer in time
 *
 * One look at a time. A worker may still be at it when the instance ends; the reading then has no owner any
 * more, and is freed when it comes back. Thread: the driver's loop.
 */
#include "drivers/host/host.h"
#include "drivers/host/host_read.h"

struct machine {
	/* options */
	int64_t poll_ns;
	const char *proc, *sys;
	struct gg_many disks; /* struct gg_machine_disk */
	/* state */
	struct gg_host *host;
	uint32_t device;
	uint32_t signals[GG_MACHINE_VALUES]; /* by place; GG_NONE: not seen yet */
	struct gg_timer timer;
	struct gg_machine_reading *reading;
	bool under_way;
	struct gg_batch *held; /* refused for want of room; goes first */
	struct gg_counter *late, *skipped;
	struct gg_histogram *read_time;
};

/* ---- names ---- */

static int name_signal(struct machine *m, size_t place, const char *name, const struct gg_signal_spec *like)
{
	struct gg_signal_spec spec = *like;
	spec.type = GG_TYPE_FLOAT;
	spec.period_ns = m->poll_ns;
	return gg_host_signal(m->host, m->device, gg_str(name), &spec, &m->signals[place]);
}

static int name_fixed(struct machine *m)
{
	static const struct {
		const char *name;
		struct gg_signal_spec spec;
	} fixed[GG_MACHINE_DISK] = {
		[GG_MACHINE_LOAD] = {"load_1min", {.title = "Load, 1 min"}},
		[GG_MACHINE_LOAD + 1] = {"load_5min", {.title = "Load, 5 min"}},
		[GG_MACHINE_LOAD + 2] = {"load_15min", {.title = "Load, 15 min"}},
		[GG_MACHINE_MEMORY_USED] = {"memory_used",
			{.title = "Memory in use", .unit = "%", .high = 100}},
		[GG_MACHINE_MEMORY_AVAILABLE] = {"memory_available",
			{.title = "Memory left", .unit = "byte"}},
		[GG_MACHINE_UPTIME] = {"uptime", {.title = "Since the machine's start", .unit = "s"}},
	};
	int rc = 0;
	for (size_t i = 0; i < GG_COUNT(fixed) && rc == 0; i++)
		rc = name_signal(m, i, fixed[i].name, &fixed[i].spec);
	return rc;
}

static int name_disk(struct machine *m, size_t i)
{
	static const struct gg_signal_spec used = {.title = "Disk in use", .unit = "%", .high = 100},
					   left = {.title = "Disk left", .unit = "byte"};
	const struct gg_machine_disk *d = m->disks.items;
	char name[160];
	snprintf(name, sizeof name, "disk/%.120s/used", d[i].name);
	int rc = name_signal(m, GG_MACHINE_DISK + 2 * i, name, &used);
	if (rc < 0)
		return rc;
	snprintf(name, sizeof name, "disk/%.120s/free", d[i].name);
	return name_signal(m, GG_MACHINE_DISK + 2 * i + 1, name, &left);
}

static int name_signals(struct machine *m, struct gg_error *e)
{
	const struct gg_machine_disk *d = m->disks.items;
	memset(m->signals, 0xff, sizeof m->signals); /* GG_NONE */
	int rc = gg_host_device(m->host, gg_str(gg_host_name(m->host)), &m->device);
	if (rc == 0)
		rc = name_fixed(m);
	if (rc < 0)
		return gg_error_set(e, rc, "device %s: %s", gg_host_name(m->host), strerror(-rc));
	for (size_t i = 0; i < m->disks.count; i++) {
		rc = name_disk(m, i);
		if (rc < 0)
			return gg_error_set(e, rc, "disk \"%s\": %s", d[i].name,
				rc == -EINVAL ? "a name has no blanks and none of * ? # +" : strerror(-rc));
	}
	return 0;
}

/* A temperature's signal is named when it is first seen: sensors come and go with their modules. */
static void name_zone(struct machine *m, size_t place)
{
	static const struct gg_signal_spec temperature = {.title = "Temperature", .unit = "degC"};
	char name[GG_MACHINE_ZONE_NAME + 32];
	snprintf(name, sizeof name, "temperature/%s", m->reading->zones[place - GG_MACHINE_ZONE]);
	if (name_signal(m, place, name, &temperature) < 0)
		m->signals[place] = GG_NONE; /* the limit of signals is reached: the others go on */
}

/* ---- handing over ---- */

/* Errors: -EAGAIN it is kept and goes first when there is room. */
static int submit(struct machine *m)
{
	/* The core owns what it is given, also when it refuses it: keep a reference of our own. */
	int rc = gg_host_submit_take(m->host, gg_batch_ref(m->held));
	if (rc != -EAGAIN)
		m->held = gg_batch_unref(m->held);
	return rc;
}

static void resume(void *self)
{
	struct machine *m = self;
	if (m->held)
		submit(m);
}

static void tell(struct machine *m, int64_t time_ns, const struct gg_machine_value *values)
{
	m->held = gg_batch_new(GG_MACHINE_VALUES, /* tail_bytes= */ 0);
	if (!m->held) {
		gg_count(m->skipped, 1); /* the memory for batches is used up */
		return;
	}
	m->held->device = m->device;
	for (size_t i = 0; i < GG_MACHINE_VALUES; i++) {
		if (m->signals[i] == GG_NONE)
			continue;
		if (values[i].reason == GG_REASON_NONE)
			gg_batch_add_float(m->held, m->signals[i], time_ns, values[i].number);
		else
			gg_batch_add_bad(m->held, m->signals[i], time_ns, values[i].reason);
	}
	submit(m);
}

/* ---- looking ---- */

static void have_read(void *arg)
{
	struct gg_machine_reading *r = arg;
	struct machine *m = r->owner;
	if (!m) { /* the instance has ended meanwhile */
		gg_machine_reading_free(r);
		return;
	}
	m->under_way = false;
	gg_histogram_add(m->read_time, r->took_ns);
	gg_host_device_health(m->host, m->device, r->good > 0, r->trouble);
	for (size_t i = GG_MACHINE_ZONE; i < GG_MACHINE_VALUES; i++)
		if (m->signals[i] == GG_NONE && r->values[i].there)
			name_zone(m, i);
	if (m->held)
		gg_count(m->skipped, 1);
	else
		tell(m, r->time_ns, r->values);
}

static void look(void *arg)
{
	gg_machine_read(arg);
}

static void begin(struct machine *m)
{
	m->reading->owner = m;
	m->reading->time_ns = gg_clock_utc(gg_host_clock(m->host));
	m->under_way = gg_host_work(m->host, look, have_read, m->reading) == 0;
	if (!m->under_way)
		gg_count(m->skipped, 1); /* too much waits for a worker */
}

/* The look before is not back: what it was to bring is not known now. */
static void miss(struct machine *m)
{
	struct gg_machine_value values[GG_MACHINE_VALUES];
	for (size_t i = 0; i < GG_COUNT(values); i++)
		values[i] = (struct gg_machine_value){.reason = GG_REASON_TIMEOUT};
	gg_count(m->late, 1);
	gg_host_device_health(
		m->host, m->device, false, "a disk or a sensor does not answer from one poll to the next");
	tell(m, gg_clock_utc(gg_host_clock(m->host)), values);
}

static void poll(struct gg_timer *t)
{
	struct machine *m = GG_CONTAINER(t, struct machine, timer);
	gg_timer_start(t->loop, t, m->poll_ns, poll);
	if (!gg_device_enabled(m->device))
		return;
	if (m->held)
		gg_count(m->skipped, 1); /* no room: what came now could not go on */
	else if (m->under_way)
		miss(m);
	else
		begin(m);
}

/* ---- life ---- */

static int init(void *self, struct gg_host *host, struct gg_error *e)
{
	static const struct gg_machine_disk system_disk = {"system", "/"};
	struct machine *m = self;
	char label[200];
	m->host = host;
	if (m->disks.count == 0)
		m->disks = (struct gg_many){(void *)(uintptr_t)&system_disk, 1};
	if (m->disks.count > GG_MACHINE_DISKS)
		return gg_error_set(e, -E2BIG, "at most %d disks", GG_MACHINE_DISKS);
	snprintf(label, sizeof label, "driver=\"%.150s\"", gg_host_name(host));
	m->late = gg_metric_counter("host_late_total", label, "Looks not back when the next was due");
	m->skipped = gg_metric_counter("host_skipped_total", label, "Looks left out: no room, or no worker");
	m->read_time =
		gg_metric_histogram("host_read_seconds", label, "How long a look at the machine takes");
	m->reading = gg_machine_reading_new(m->proc, m->sys, &m->disks);
	return m->reading ? 0 : gg_error_set(e, -ENOMEM, "out of memory");
}

static int start(void *self, struct gg_error *e)
{
	struct machine *m = self;
	int rc = name_signals(m, e);
	return rc < 0 ? rc : gg_timer_start(gg_host_loop(m->host), &m->timer, /* after_ns= */ 0, poll);
}

/* Only `poll` is live, so nothing else can have changed. */
static int update(void *self, const void *fresh, struct gg_error *e)
{
	struct machine *m = self;
	(void)e;
	m->poll_ns = ((const struct machine *)fresh)->poll_ns;
	return gg_timer_start(gg_host_loop(m->host), &m->timer, m->poll_ns, poll);
}

static void close_machine(void *self)
{
	struct machine *m = self;
	gg_timer_stop(&m->timer);
	if (m->under_way)
		GG_TAKE(m->reading)->owner = NULL; /* have_read() frees it */
}

static void fini(void *self)
{
	struct machine *m = self;
	gg_machine_reading_free(m->reading);
	gg_batch_unref(m->held);
}

/* ---- the component ---- */

static const struct gg_option disk_options[] = {
	GG_OPTION(struct gg_machine_disk, name, KEY, .help = "What its signals are called after"),
	GG_OPTION(struct gg_machine_disk, path, STRING, .flags = GG_REQUIRED | GG_MAIN,
		.help = "Any folder on it", .example = "/var/lib/ganglion"),
	{0}};

static const struct gg_option options[] = {
	GG_OPTION(struct machine, poll_ns, DURATION, .name = "poll", .def = "10s", .min = "100ms",
		.max = "1d", .flags = GG_LIVE, .help = "How often to look"),
	GG_OPTION(struct machine, disks, MAP, GG_SUB(disk_options, struct gg_machine_disk),
		.help = "Disks to watch, at most 8; without it: system, the one of /",
		.example = "{ system: /, data: /var/lib/ganglion }"),
	GG_OPTION(struct machine, proc, STRING, .def = "/proc",
		.help = "Where the machine's proc lies; in a container often elsewhere"),
	GG_OPTION(struct machine, sys, STRING, .def = "/sys", .help = "The same for its sys"), {0}};

static const struct gg_driver_ops ops = {.resume = resume};

const struct gg_component gg_driver_host = {
	.name = "host",
	.title = "This machine",
	.help = "The state of the computer that the gateway runs on: load, memory, uptime, room on its "
		"disks, "
		"temperatures. The device is called like the instance. Signals: load_1min, load_5min, "
		"load_15min, "
		"memory_used, memory_available, uptime, disk/<name>/used, disk/<name>/free, and "
		"temperature/<type> "
		"for each thermal zone the machine has.",
	.example = "gateway:\n"
		   "  driver: host\n"
		   "  poll: 10s\n"
		   "  disks: { system: /, data: /var/lib/ganglion }\n",
	.kind = GG_DRIVER,
	.self_size = sizeof(struct machine),
	.options = options,
	.init = init,
	.start = start,
	.update = update,
	.close = close_machine,
	.fini = fini,
	.driver = &ops,
};
