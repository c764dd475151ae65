/* SPDX-License-Identifier: Apache-2.0 */
#include "hall_mqtt.h"

#include <errno.h>
#include <mosquitto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BEARING_1, BEARING_2, HALL, SENSORS };

static const char *const names[SENSORS] = {"bearing-1", "bearing-2", "hall"};

struct sensor {
	struct mosquitto *client;
	const char *name;
	_Atomic bool connected;
	bool complained;
};

struct gg_hall_mqtt {
	struct sensor sensors[SENSORS];
};

static void connected(struct mosquitto *client, void *arg, int code)
{
	struct sensor *s = arg;
	(void)client;
	if (code == 0)
		printf("%s connected\n", s->name);
	else
		fprintf(stderr, "%s: %s\n", s->name, mosquitto_connack_string(code));
	atomic_store(&s->connected, code == 0);
}

static void disconnected(struct mosquitto *client, void *arg, int code)
{
	struct sensor *s = arg;
	(void)client;
	if (atomic_exchange(&s->connected, false) && code)
		printf("%s lost its server: %s\n", s->name, mosquitto_strerror(code));
}

/* The password of a name in a file of lines "NAME PASSWORD". */
static int find_password(const char *path, const char *name, char *to, size_t size)
{
	char line[512];
	FILE *f = fopen(path, "r");
	int rc = -1;
	if (!f) {
		perror(path);
		return -1;
	}
	while (rc < 0 && fgets(line, sizeof line, f)) {
		char *rest = line, *first = strsep(&rest, " \t\n"), *second = strsep(&rest, " \t\n");
		if (second && strcmp(first, name) == 0 && strlen(second) < size) {
			memcpy(to, second, strlen(second) + 1);
			rc = 0;
		}
	}
	fclose(f);
	explicit_bzero(line, sizeof line);
	if (rc < 0)
		fprintf(stderr, "%s: a line \"%s PASSWORD\" was expected\n", path, name);
	return rc;
}

static int start_sensor(struct sensor *s, const struct gg_hall_mqtt_options *o)
{
	char password[256];
	s->client = mosquitto_new(s->name, /* clean_session= */ false, s);
	if (!s->client)
		return -1;
	mosquitto_connect_callback_set(s->client, connected);
	mosquitto_disconnect_callback_set(s->client, disconnected);
	mosquitto_reconnect_delay_set(s->client, 1, 5, false);
	mosquitto_max_inflight_messages_set(s->client, 100);
	if (o->credentials) {
		if (find_password(o->credentials, s->name, password, sizeof password) < 0)
			return -1;
		mosquitto_username_pw_set(s->client, s->name, password);
		explicit_bzero(password, sizeof password);
	}
	int rc = o->ca ? mosquitto_tls_set(s->client, o->ca, NULL, NULL, NULL, NULL) : MOSQ_ERR_SUCCESS;
	/* Not mosquitto_connect_async(): with TLS, 2.0.11 then spins on a connection that was refused. */
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_connect(s->client, o->host, o->port, 30);
	/* Nobody there yet: its thread tries again. */
	if (rc == MOSQ_ERR_SUCCESS || rc == MOSQ_ERR_ERRNO)
		rc = mosquitto_loop_start(s->client);
	if (rc != MOSQ_ERR_SUCCESS)
		fprintf(stderr, "MQTT as %s to %s:%d: %s\n", s->name, o->host, o->port,
			mosquitto_strerror(rc));
	return rc == MOSQ_ERR_SUCCESS ? 0 : -1;
}

struct gg_hall_mqtt *gg_hall_mqtt_start(const struct gg_hall_mqtt_options *o)
{
	struct gg_hall_mqtt *m = calloc(1, sizeof *m);
	int rc = m ? 0 : -1;
	mosquitto_lib_init();
	for (int i = 0; i < SENSORS && rc == 0; i++) {
		m->sensors[i].name = names[i];
		rc = start_sensor(&m->sensors[i], o);
	}
	if (rc < 0) {
		gg_hall_mqtt_free(m);
		m = NULL;
	}
	return m;
}

void gg_hall_mqtt_free(struct gg_hall_mqtt *m)
{
	for (int i = 0; m && i < SENSORS; i++) {
		if (!m->sensors[i].client)
			continue;
		mosquitto_disconnect(m->sensors[i].client);
		mosquitto_loop_stop(m->sensors[i].client, /* force= */ !m->sensors[i].connected);
		mosquitto_destroy(m->sensors[i].client);
	}
	free(m);
	mosquitto_lib_cleanup();
}

bool gg_hall_mqtt_ready(const struct gg_hall_mqtt *m)
{
	return atomic_load(&m->sensors[BEARING_1].connected);
}

static void say(struct sensor *s, const char *topic, const char *payload)
{
	if (!atomic_load(&s->connected))
		return;
	int rc = mosquitto_publish(
		s->client, NULL, topic, (int)strlen(payload), payload, /* qos= */ 1, /* retain= */ false);
	if (rc != MOSQ_ERR_SUCCESS && !s->complained)
		fprintf(stderr, "%s: %s\n", topic, mosquitto_strerror(rc));
	s->complained = rc != MOSQ_ERR_SUCCESS;
}

void gg_hall_mqtt_row(struct gg_hall_mqtt *m, double value)
{
	char text[40];
	/* The shortest that reads back as the same number. */
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		double back = strtod(text, NULL);
		if (!(back < value || back > value))
			break;
	}
	say(&m->sensors[BEARING_1], "bearing-1/temperature", text);
}

void gg_hall_mqtt_tick(struct gg_hall_mqtt *m, const struct gg_hall *h)
{
	char text[100];
	if (h->ticks % 5 == 0) {
		snprintf(text, sizeof text, "%.2f", h->pumps[1].bearing);
		say(&m->sensors[BEARING_2], "bearing-2/temperature", text);
	}
	if (h->ticks % 10 == 0) {
		snprintf(text, sizeof text, "{\"temperature\": %.2f, \"humidity\": %.1f}", h->ambient,
			h->humidity);
		say(&m->sensors[HALL], "sensors/hall", text);
	}
}
