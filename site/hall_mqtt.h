/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hall's sensors: bearing-1, bearing-2 and hall, each an MQTT client of its own with its own password,
 * over TLS when there is a CA file, QoS 1.
 *
 *   bearing-1/temperature   97.31                                     each recorded row, as recorded
 *   bearing-2/temperature   24.02                                     twice a second
 *   sensors/hall            {"temperature": 21.4, "humidity": 46.1}   once a second
 *
 * They come back by themselves when the server was away. Thread: libmosquitto has one per client.
 */
#ifndef GG_SITE_HALL_MQTT_H
#define GG_SITE_HALL_MQTT_H

#include "hall.h"

struct gg_hall_mqtt;

struct gg_hall_mqtt_options {
	const char *host;
	int port;
	const char *ca;          /* PEM; NULL: without TLS */
	const char *credentials; /* file of lines "NAME PASSWORD"; NULL: none */
};

/* NULL with a text on stderr. */
struct gg_hall_mqtt *gg_hall_mqtt_start(const struct gg_hall_mqtt_options *o);
void gg_hall_mqtt_free(struct gg_hall_mqtt *m);
/* Is the sensor of the recording connected? The recording waits for it, so that no row is missed. */
bool gg_hall_mqtt_ready(const struct gg_hall_mqtt *m);
void gg_hall_mqtt_row(struct gg_hall_mqtt *m, double value);
/* The others, when it is their time. */
void gg_hall_mqtt_tick(struct gg_hall_mqtt *m, const struct gg_hall *h);

#endif
