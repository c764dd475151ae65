/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ganglion-site: a pump hall to try the gateway with. It speaks Modbus TCP (libmodbus) and MQTT
 * (libmosquitto) as strangers would, and shares no code with the gateway.
 *
 *   tick every 0.1 s ─▶ recorded rows that are due ─▶ bearing-1 over MQTT, and into the model
 *                    └▶ model ─▶ registers (Modbus), other sensors (MQTT)
 *   a coil that is written changes the model: pump 2 starts, the pressure comes back
 */
#include "hall.h"
#include "hall_modbus.h"
#include "hall_mqtt.h"
#include "modbus_site.h"
#include "recording.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct site {
	/* options */
	double speed;
	unsigned port;
	struct gg_hall_mqtt_options mqtt;
	uint64_t seed;
	bool once;
	const char *from, *recording_path, *state_path;
	/* at work */
	struct gg_site_recording recording;
	struct gg_hall hall;
	struct gg_site_modbus *modbus;
	struct gg_hall_mqtt *sensors;
	size_t row, first;
	double due; /* rows that are to be played and have not been */
};

static const char help[] =
	"A pump hall to try the gateway with: pumps that speak Modbus TCP, sensors that speak MQTT.\n"
	"\n"
	"usage: ganglion-site [OPTION...]\n"
	"\n"
	"  --modbus-port N      where the pumps listen, on 127.0.0.1 (default 1502; 0 takes a free one)\n"
	"  --mqtt HOST:PORT     where the sensors connect (default: no sensors)\n"
	"  --ca FILE            speak TLS, and trust servers with a certificate of this authority\n"
	"  --credentials FILE   lines of \"NAME PASSWORD\" for bearing-1, bearing-2 and hall\n"
	"  --speed N            times faster than recorded (default 3000: ten five-minute values a second)\n"
	"  --from TIME          where in the recording to begin (default \"2013-12-14 18:15:00\")\n"
	"  --recording FILE     another recording: timestamp,value as CSV, plain or .zst\n"
	"  --state FILE         keep the place in the recording and the coils there, and go on from it\n"
	"  --seed N             of the noise (default 1)\n"
	"  --once               end with the recording; otherwise it starts again\n"
	"  --help               this help\n"
	"\n"
	"Ctrl-C ends it. Examples:\n"
	"  ganglion-site\n"
	"  ganglion-site --modbus-port 1502 --mqtt 127.0.0.1:1883\n"
	"  ganglion-site --mqtt localhost:8883 --ca site-data/tls/ca.crt --credentials "
	"site-data/site/credentials\n";

/* ---- options ---- */

static double number(const char *name, const char *text, double low, double high)
{
	char *end;
	double v = strtod(text, &end);
	if (end == text || *end || !(v >= low && v <= high)) {
		fprintf(stderr, "ganglion-site: --%s: a number from %g to %g was expected, got \"%s\"\n",
			name, low, high, text);
		exit(2);
	}
	return v;
}

static void read_server(struct site *s, char *text)
{
	char *colon = strrchr(text, ':');
	if (!colon || colon == text) {
		fprintf(stderr, "ganglion-site: --mqtt: HOST:PORT was expected, got \"%s\"\n", text);
		exit(2);
	}
	*colon = '\0';
	s->mqtt.host = text;
	s->mqtt.port = (int)number("mqtt", colon + 1, 1, 65535);
}

static void read_option(struct site *s, int option, char *value)
{
	switch (option) {
	case 'p':
		s->port = (unsigned)number("modbus-port", value, 0, 65535);
		break;
	case 'm':
		read_server(s, value);
		break;
	case 'c':
		s->mqtt.ca = value;
		break;
	case 'k':
		s->mqtt.credentials = value;
		break;
	case 's':
		s->speed = number("speed", value, 1, 1e6);
		break;
	case 'f':
		s->from = value;
		break;
	case 'r':
		s->recording_path = value;
		break;
	case 't':
		s->state_path = value;
		break;
	case 'n':
		s->seed = (uint64_t)number("seed", value, 0, 1e15);
		break;
	case 'o':
		s->once = true;
		break;
	case 'h':
		fputs(help, stdout);
		exit(0);
	default:
		exit(2);
	}
}

static void read_arguments(struct site *s, int argc, char **argv)
{
	static const struct option options[] = {{"modbus-port", required_argument, NULL, 'p'},
		{"mqtt", required_argument, NULL, 'm'}, {"ca", required_argument, NULL, 'c'},
		{"credentials", required_argument, NULL, 'k'}, {"speed", required_argument, NULL, 's'},
		{"from", required_argument, NULL, 'f'}, {"recording", required_argument, NULL, 'r'},
		{"state", required_argument, NULL, 't'}, {"seed", required_argument, NULL, 'n'},
		{"once", no_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {0}};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		read_option(s, option, optarg);
	if (optind < argc) {
		fprintf(stderr, "ganglion-site: \"%s\" was not expected; --help lists the options\n",
			argv[optind]);
		exit(2);
	}
}

/* ---- what is kept from one run to the next ---- */

static void load_state(struct site *s)
{
	char time[24] = "";
	int run1, alarm1, run2, alarm2, lamp;
	FILE *f = s->state_path ? fopen(s->state_path, "r") : NULL;
	if (!f)
		return;
	if (fscanf(f, "%10s %12s run %d %d alarm %d %d lamp %d", time, time + 11, &run1, &run2, &alarm1,
		    &alarm2, &lamp) == 7) {
		time[10] = ' ';
		size_t row = gg_site_recording_find(&s->recording, time);
		s->row = row < s->recording.count ? row : s->first;
		s->hall.pumps[0].run = run1;
		s->hall.pumps[1].run = run2;
		s->hall.pumps[0].alarm = alarm1;
		s->hall.pumps[1].alarm = alarm2;
		s->hall.lamp = lamp;
		/* So that the model finds the pumps as they were, not at a standstill. */
		for (size_t i = s->row > 60 ? s->row - 60 : 0; i < s->row; i++)
			gg_hall_row(&s->hall, s->recording.rows[i].value);
		for (int i = 0; i < 100; i++)
			gg_hall_tick(&s->hall);
	} else {
		fprintf(stderr, "%s: not read, beginning anew\n", s->state_path);
	}
	fclose(f);
}

static void save_state(const struct site *s)
{
	char fresh[4200];
	if (!s->state_path)
		return;
	snprintf(fresh, sizeof fresh, "%s.new", s->state_path);
	FILE *f = fopen(fresh, "w");
	if (!f)
		return;
	const struct gg_hall *h = &s->hall;
	fprintf(f, "%s run %d %d alarm %d %d lamp %d\n", s->recording.rows[s->row].time, h->pumps[0].run,
		h->pumps[1].run, h->pumps[0].alarm, h->pumps[1].alarm, h->lamp);
	if (fclose(f) == 0 && rename(fresh, s->state_path) < 0)
		perror(s->state_path);
}

/* ---- at work ---- */

/* Plays what is due; false at the end. */
static bool play(struct site *s)
{
	if (!s->sensors || gg_hall_mqtt_ready(s->sensors))
		s->due += GG_HALL_TICK_S * s->speed / s->recording.row_seconds;
	for (; s->due >= 1; s->due--) {
		const struct gg_site_row *r = &s->recording.rows[s->row];
		gg_hall_row(&s->hall, r->value);
		if (s->sensors)
			gg_hall_mqtt_row(s->sensors, s->hall.pumps[0].bearing);
		if (++s->row == s->recording.count) {
			if (s->once)
				return false;
			printf("the recording begins again\n");
			s->row = 0;
		}
	}
	return true;
}

static bool tick(struct site *s)
{
	gg_site_modbus_lock(s->modbus);
	bool more = play(s);
	gg_hall_tick(&s->hall);
	gg_hall_modbus_show(s->modbus, &s->hall);
	if (s->hall.ticks % 50 == 0)
		save_state(s);
	gg_site_modbus_unlock(s->modbus);
	if (s->sensors)
		gg_hall_mqtt_tick(s->sensors, &s->hall);
	return more;
}

/* Ticks until a signal comes or the recording ends. A tick that is late is made up for, up to a second. */
static void run(struct site *s, const sigset_t *signals)
{
	struct timespec now, next;
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (tick(s)) {
		next.tv_nsec += (long)(GG_HALL_TICK_S * 1e9);
		if (next.tv_nsec >= 1000000000L) {
			next.tv_nsec -= 1000000000L;
			next.tv_sec++;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		int64_t wait = (int64_t)(next.tv_sec - now.tv_sec) * 1000000000 + next.tv_nsec - now.tv_nsec;
		if (wait < -1000000000)
			next = now;
		struct timespec left = {.tv_nsec = wait > 0 ? (long)wait : 0};
		if (left.tv_nsec > 999999999L)
			left.tv_nsec = 999999999L;
		if (sigtimedwait(signals, NULL, &left) > 0)
			break;
	}
}

static int start(struct site *s)
{
	if (gg_site_recording_load(s->recording_path, &s->recording) < 0)
		return -1;
	s->first = gg_site_recording_find(&s->recording, s->from);
	if (s->first == s->recording.count)
		s->first = 0;
	s->row = s->first;
	gg_hall_init(&s->hall, s->seed);
	load_state(s);
	s->modbus = gg_hall_modbus_start(&s->hall, s->port);
	if (!s->modbus)
		return -1;
	if (s->mqtt.host && !(s->sensors = gg_hall_mqtt_start(&s->mqtt)))
		return -1;
	printf("Modbus on 127.0.0.1:%u; the recording goes on at %s\n", gg_site_modbus_port(s->modbus, 0),
		s->recording.rows[s->row].time);
	return 0;
}

int main(int argc, char **argv)
{
	static struct site s = {.speed = 3000, .port = 1502, .seed = 1, .from = "2013-12-14 18:15:00"};
	sigset_t signals;
	read_arguments(&s, argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	/* Before any thread: then signals come only where they are waited for. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	int rc = start(&s);
	if (rc == 0) {
		run(&s, &signals);
		save_state(&s);
	}
	gg_hall_mqtt_free(s.sensors);
	gg_site_modbus_free(s.modbus);
	gg_site_recording_done(&s.recording);
	return rc == 0 ? 0 : 1;
}
