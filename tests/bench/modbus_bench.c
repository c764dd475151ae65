/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What polling costs: PORTS lines with UNITS devices each, SIGNALS float32 a device, every second, through
 * the engine of the driver (without shards and journal) against the plant under site/, which runs as a
 * process of its own so that only our side is counted.
 *
 *   modbus_bench PATH-OF-ganglion-modbus-site [ports units signals seconds]
 */
#include "core/loop.h"
#include "drivers/modbus/modbus_device.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t samples, batches, bad;

static int take(void *arg, struct gg_batch *b)
{
	(void)arg;
	batches++;
	samples += b->count;
	for (uint32_t i = 0; i < b->count; i++)
		bad += b->samples[i].quality != GG_GOOD;
	gg_batch_unref(b);
	return 0;
}

static void health(void *arg, uint32_t device, bool healthy, const char *reason)
{
	(void)arg, (void)device, (void)healthy, (void)reason;
}

static void write_done(void *arg, struct gg_write *w, int status, const char *reason)
{
	(void)arg, (void)w, (void)status, (void)reason;
}

static void property(void *arg, uint32_t device, const char *name, const char *value)
{
	(void)arg, (void)device, (void)name, (void)value;
}

static void refused(void *arg, uint32_t device, uint32_t count, const char *text)
{
	(void)arg, (void)device, (void)count, (void)text;
}

static const struct gg_modbus_ops ops = {take, health, write_done, property, refused};

struct set {
	struct gg_modbus_line line;
	struct gg_modbus_device *devices;
	unsigned count;
};

static void changed(void *arg, bool up, const char *reason)
{
	struct set *s = arg;
	for (unsigned i = 0; i < s->count; i++)
		gg_modbus_device_line(&s->devices[i], up, reason);
}

static struct gg_modbus_signal *make_signals(unsigned count)
{
	struct gg_modbus_signal *s = calloc(count, sizeof *s);
	for (unsigned i = 0; s && i < count; i++)
		s[i] = (struct gg_modbus_signal){.name = "x",
			.index = i,
			.at = {.table = GG_MODBUS_HOLDING, .number = (uint16_t)(i * 2)},
			.period_ns = GG_NS_PER_S,
			.form = {.type = GG_MODBUS_FLOAT32, .bit = -1, .scale = 1}};
	return s;
}

static int make_set(struct set *s, struct gg_loop *loop, uint16_t port, unsigned units,
	const struct gg_modbus_signal *signals, unsigned count)
{
	struct gg_modbus_line_options o = {.who = "bench",
		.address = {.host = "127.0.0.1", .port = port},
		.units = units,
		.timeout_ns = GG_NS_PER_S,
		.connect_timeout_ns = GG_NS_PER_S,
		.backoff_min_ns = GG_NS_PER_S,
		.backoff_max_ns = GG_NS_PER_S};
	struct gg_counter *c = gg_metric_counter("bench_total", NULL, "bench");
	struct gg_histogram *jitter = gg_metric_histogram("bench_jitter_seconds", NULL, "bench");
	struct gg_histogram *answers = gg_metric_histogram("bench_answer_seconds", NULL, "bench");
	s->line.stats = (struct gg_modbus_stats){c, c, c, c, c, c, c, c, c, answers, jitter};
	s->line.changed = changed;
	s->line.arg = s;
	s->devices = calloc(units, sizeof *s->devices);
	s->count = units;
	gg_modbus_line_start(&s->line, loop, &o);
	for (unsigned i = 0; s->devices && i < units; i++) {
		char *name = calloc(1, 32);
		if (!name)
			return -ENOMEM;
		snprintf(name, 32, "d-%u-%u", (unsigned)port, i);
		struct gg_modbus_device_options d = {.who = "bench",
			.name = name,
			.unit = (uint8_t)(i + 1),
			.backoff_min_ns = GG_NS_PER_S,
			.backoff_max_ns = GG_NS_PER_S,
			.limits = {.max_gap = 8}};
		if (gg_modbus_device_init(&s->devices[i], &d, signals, count) != 0)
			return -EINVAL;
		gg_modbus_device_start(&s->devices[i], &s->line, &ops, NULL);
	}
	return s->devices ? 0 : -ENOMEM;
}

static double cpu_seconds(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static FILE *start_site(const char *path, unsigned ports, unsigned units, unsigned signals, pid_t *ret_pid)
{
	char text[3][16];
	int out[2];
	snprintf(text[0], 16, "%u", ports);
	snprintf(text[1], 16, "%u", units);
	snprintf(text[2], 16, "%u", signals * 2);
	if (pipe(out) != 0)
		return NULL;
	*ret_pid = fork();
	if (*ret_pid == 0) {
		dup2(out[1], 1);
		execl(path, path, "--ports", text[0], "--units", text[1], "--registers", text[2],
			(char *)NULL);
		_exit(127);
	}
	close(out[1]);
	return fdopen(out[0], "r");
}

static unsigned argument(int argc, char **argv, int i, unsigned otherwise)
{
	uint64_t v = otherwise;
	return argc > i && gg_parse_uint(gg_str(argv[i]), &v) != 0 ? otherwise : (unsigned)v;
}

static void turn_for(struct gg_loop *loop, int64_t ns)
{
	int64_t end = gg_clock_monotonic(&gg_clock_system) + ns;
	while (gg_clock_monotonic(&gg_clock_system) < end)
		gg_loop_turn(loop, 50 * GG_NS_PER_MS);
}

int main(int argc, char **argv)
{
	unsigned ports = argument(argc, argv, 2, 10), units = argument(argc, argv, 3, 10),
		 signals = argument(argc, argv, 4, 1000), seconds = argument(argc, argv, 5, 10);
	pid_t pid = 0;
	FILE *site = argc > 1 ? start_site(argv[1], ports, units, signals, &pid) : NULL;
	struct gg_loop *loop = gg_loop_new("bench", 1000);
	struct gg_modbus_signal *list = make_signals(signals);
	struct set *sets = calloc(ports, sizeof *sets);
	gg_batch_set_budget(256U << 20);
	if (!site || !loop || !list || !sets) {
		fprintf(stderr,
			"usage: modbus_bench PATH-OF-ganglion-modbus-site [ports units signals seconds]\n");
		return 2;
	}
	for (unsigned i = 0; i < ports; i++) {
		unsigned port;
		if (fscanf(site, "%u", &port) != 1 ||
			make_set(&sets[i], loop, (uint16_t)port, units, list, signals) != 0)
			return 1;
	}
	turn_for(loop, 2 * GG_NS_PER_S);
	samples = batches = bad = 0;
	double cpu = cpu_seconds();
	turn_for(loop, seconds * GG_NS_PER_S);
	cpu = cpu_seconds() - cpu;
	const struct gg_histogram *jitter = sets[0].line.stats.jitter,
				  *answers = sets[0].line.stats.answer_time;
	printf("%u lines, %u devices, %u signals each, every second, for %u s\n", ports, ports * units,
		signals, seconds);
	printf("samples/s %.0f  bad %llu  batches/s %.1f  cpu %.2f %%  ns/sample %.0f\n",
		(double)samples / seconds, (unsigned long long)bad, (double)batches / seconds,
		cpu / seconds * 100, samples ? cpu * 1e9 / (double)samples : 0);
	printf("answer p50 %.0f us p99 %.0f us  poll jitter p50 %.0f us p99 %.0f us\n",
		(double)gg_histogram_quantile(answers, 0.5) / 1e3,
		(double)gg_histogram_quantile(answers, 0.99) / 1e3,
		(double)gg_histogram_quantile(jitter, 0.5) / 1e3,
		(double)gg_histogram_quantile(jitter, 0.99) / 1e3);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	return bad != 0;
}
