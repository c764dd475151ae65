/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ganglion demo`: prepares a folder, starts the pump hall, and runs the gateway as `ganglion run` does; says
 * where the page is and what to look at, then tells events as they open and clear.
 */
#include "app/demo.h"
#include "app/problems.h"
#include "app/run_loop.h"
#include "app/teller.h"
#include "base/json.h"
#include "gateway/gateway.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The recording as the site plays it: five minutes a row; after so many rows a fresh detector is sure. */
enum { ROW_S = 300, ROWS_TO_ANOMALY = 303, USUAL_SPEED = 3000 };

static struct gg_demo demo = {.site_fd = -1};
static const struct gg_args *demo_args;

/* ---- what is told ---- */

/* The administrator's token of the first start, while it lies there. */
static bool read_token(char *to, size_t size)
{
	char path[GG_DEMO_PATH];
	FILE *f = fopen(gg_demo_path(&demo, "data/first-token", path), "re");
	bool ok = f && fgets(to, (int)size, f);
	if (f)
		fclose(f);
	if (ok)
		to[strcspn(to, "\n")] = '\0';
	return ok;
}

static double seconds_to_anomaly(void)
{
	double speed = USUAL_SPEED;
	if (demo.speed)
		gg_parse_float(gg_str(demo.speed), &speed);
	return ROWS_TO_ANOMALY * ROW_S / speed;
}

static void say_as_json(const char *page, const char *token)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 10);
	struct gg_json_writer w = gg_json_writer(&out);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "page", gg_str(page));
	gg_json_put_str(&w, "token", gg_str(token));
	gg_json_put_int(&w, "mqtt_port", demo.ports[GG_DEMO_MQTT]);
	gg_json_put_int(&w, "mqtts_port", demo.ports[GG_DEMO_MQTTS]);
	gg_json_put_int(&w, "modbus_port", demo.ports[GG_DEMO_MODBUS]);
	gg_json_put_int(&w, "site_pid", demo.site);
	gg_json_end_object(&w);
	gg_buf_char(&out, '\n');
	gg_teller_say(gg_buf_view(&out));
}

static void say_what_to_see(struct gg_buf *out)
{
	if (demo.fresh)
		gg_buf_printf(out,
			"A hall with two pumps (Modbus) and three sensors (MQTT over TLS), much faster than "
			"life.\n"
			"  now             pump 1 runs, and the detector learns how its bearing's "
			"temperature "
			"behaves;\n"
			"                  nobody tells it a limit\n"
			"  in about %2.0f s   the temperature leaves its band: a critical event, and a rule "
			"starts "
			"pump 2,\n"
			"                  a moment before pump 1 fails; the pressure in the header "
			"recovers\n\n",
			seconds_to_anomaly());
	else
		gg_buf_printf(out,
			"The hall goes on where it was; the events of last time are still there. To see the "
			"failure of the\n"
			"first half minute again, end this and remove %s.\n\n",
			demo.shown_dir);
}

static void say_ready(void)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 10);
	char token[256] = "", page[300];
	const char *listen = gg_gateway.config->site.api.listen;
	snprintf(page, sizeof page, "http://%s/", listen && *listen ? listen : "127.0.0.1");
	bool have = read_token(token, sizeof token);
	if (demo_args->json) {
		say_as_json(page, token);
		return;
	}
	if (demo_args->quiet)
		return;
	const char *bold = gg_cli_colour() ? "\033[1m" : "", *plain = gg_cli_colour() ? "\033[0m" : "";
	gg_buf_printf(&out, "\n%sGanglion is running.%s Ctrl-C ends everything.\n\n", bold, plain);
	gg_buf_printf(&out, "  page     %s%s%s\n", bold, page, plain);
	if (have)
		gg_buf_printf(&out, "  token    %s%s%s   (administrator)\n", bold, token, plain);
	else
		gg_buf_printf(&out, "  token    the one you made\n");
	gg_buf_printf(&out, "  look in  mosquitto_sub -p %u -t '#' -v\n", demo.ports[GG_DEMO_MQTT]);
	gg_buf_printf(&out, "  change   %s/ganglion.yaml: taken over when it is saved\n", demo.shown_dir);
	gg_buf_printf(&out, "  logs     %s/gateway.log, %s/site.log\n\n", demo.shown_dir, demo.shown_dir);
	say_what_to_see(&out);
	gg_teller_say(gg_buf_view(&out));
}

static void tell_as_json(const struct gg_event_entry *event, const char *change)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(256 << 10);
	struct gg_json_writer w = gg_json_writer(&out);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "change", gg_str(change));
	gg_json_key(&w, GG_STR("event"));
	gg_event_json(event, &w);
	gg_json_end_object(&w);
	gg_buf_char(&out, '\n');
	gg_teller_say(gg_buf_view(&out));
}

static void tell_event(void *arg, const struct gg_event_entry *event, const char *change)
{
	static const char *const colours[] = {"", "\033[33m", "\033[31m"};
	bool opened = strcmp(change, "opened") == 0, colour = gg_cli_colour();
	(void)arg;
	if (!opened && strcmp(change, "cleared") != 0)
		return;
	if (demo_args->json) {
		tell_as_json(event, change);
		return;
	}
	if (demo_args->quiet)
		return;
	time_t seconds = time(NULL);
	struct tm t;
	char clock[16] = "";
	if (localtime_r(&seconds, &t))
		strftime(clock, sizeof clock, "%H:%M:%S", &t);
	struct gg_buf line GG_CLEANUP(gg_buf_done) = GG_BUF(8192);
	gg_buf_printf(&line, "%s  %s%-11s%s  %s\n", clock, opened && colour ? colours[event->severity] : "",
		opened ? gg_severity_name(event->severity) : "over", colour ? "\033[0m" : "", event->title);
	gg_teller_say(gg_buf_view(&line));
}

/* ---- the gateway is at work; it is about to end (the site outlives it, so that no device is lost) ---- */

static int started(void *arg, struct gg_error *e)
{
	(void)arg;
	int rc = gg_demo_sensors_enter(&demo, e);
	if (rc < 0)
		return rc;
	gg_demo_site_watch(&demo, gg_gateway.control);
	gg_events_watch(tell_event, NULL);
	say_ready();
	return 0;
}

static void ending(void *arg)
{
	(void)arg;
	gg_demo_site_unwatch(&demo);
}

/* ---- the command ---- */

static int open_log(struct gg_error *e)
{
	char path[GG_DEMO_PATH];
	int fd = open(
		gg_demo_path(&demo, "gateway.log", path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd < 0 ? gg_error_set(e, -errno, "%s: %s", path, strerror(errno)) : fd;
}

static int run(const struct gg_args *args, struct gg_error *e)
{
	char config_path[GG_DEMO_PATH], data[GG_DEMO_PATH];
	struct gg_config *config = NULL;
	int rc = gg_demo_prepare(&demo, e);
	int log = rc == 0 ? open_log(e) : rc;
	if (log < 0)
		return log;
	gg_demo_path(&demo, "ganglion.yaml", config_path);
	if (gg_cli_load_config(args, config_path, &config) < 0)
		return gg_error_set(e, -EINVAL, "%s/ganglion.yaml is not right", demo.shown_dir);
	gg_log_setup(
		(enum gg_log_level)config->site.log.level, (enum gg_log_format)config->site.log.format, log);
	rc = gg_run_block_signals();
	if (rc == 0)
		rc = gg_demo_site_start(&demo, e);
	if (rc < 0) {
		gg_config_free(config);
		return rc;
	}
	const struct gg_run r = {.config_path = config_path,
		.data_dir = gg_demo_path(&demo, "data", data),
		.config = config,
		.started = started,
		.ending = ending};
	rc = gg_run_gateway(&r, e);
	gg_demo_site_end(&demo);
	return rc;
}

/* The demo's settings out of the arguments. Returns 0 or what the command ends with, told already. */
static int take_arguments(const struct gg_args *args)
{
	static char dir[PATH_MAX], site[GG_DEMO_PATH];
	struct gg_error e = {0};
	double speed;
	if (args->word_count)
		return gg_cli_wrong(args, "no argument expected; the folder is given with --data DIR");
	demo_args = args;
	demo.shown_dir = gg_arg(args, "data") ? gg_arg(args, "data") : "site-data";
	demo.site_path = gg_arg(args, "site");
	demo.speed = gg_arg(args, "speed");
	if (demo.speed && (gg_parse_float(gg_str(demo.speed), &speed) < 0 || !(speed >= 1 && speed <= 1e6)))
		return gg_cli_wrong(
			args, "--speed: expected a number from 1 to 1000000, got \"%s\"", demo.speed);
	if (!demo.site_path && gg_demo_site_find(site, &e) < 0)
		return gg_cli_failed(args, "%s", e.text);
	demo.site_path = demo.site_path ? demo.site_path : site;
	if ((mkdir(demo.shown_dir, 0700) < 0 && errno != EEXIST) || !realpath(demo.shown_dir, dir))
		return gg_cli_failed(args, "%s: %s", demo.shown_dir, strerror(errno));
	demo.dir = dir;
	return 0;
}

int gg_cmd_demo(const struct gg_args *args)
{
	struct gg_error e = {0};
	char text[1024];
	int rc = take_arguments(args);
	if (rc != 0)
		return rc;
	if (gg_teller_start() < 0)
		return gg_cli_failed(args, "out of memory");
	rc = run(args, &e);
	if (rc == 0 && !args->json && !args->quiet) {
		snprintf(text, sizeof text, "\nEnded. The next start with %.512s goes on from here.\n",
			demo.shown_dir);
		gg_teller_say(gg_str(text));
	}
	gg_teller_end();
	return rc < 0 ? gg_cli_failed(args, "%s", gg_error_format(&e, text, sizeof text)) : 0;
}
