/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the MQTT uplink: uplink_mqtt.c has options, life cycle and the parcels; mqtt_link.c the
 * connection. Thread: the north loop.
 */
#ifndef GG_MQTT_UPLINK_H
#define GG_MQTT_UPLINK_H

#include "base/buf.h"
#include "ganglion/uplink.h"
#include "net/mqtt_codec.h"
#include "net/stream.h"

enum { GG_MQTT_WINDOW = 64, GG_MQTT_TOPIC = 512, GG_MQTT_STATUS_ID = 1000 };

struct gg_mqtt_under_way {
	uint64_t parcel_id;
	int64_t sent_ns;
	bool used;
};

struct gg_mqtt_uplink {
	/* options */
	const char *connect, *client_id, *user, *password;
	struct gg_tls_options tls;
	int version; /* index in the choices: 5, 3.1.1 */
	int64_t keep_alive_ns, expiry_ns;
	const char *topic, *events_topic, *status_topic;
	uint64_t qos, window;
	bool retain;
	/* state */
	struct gg_host *host;
	struct gg_address address;
	struct gg_tls *context;
	enum gg_mqtt_version protocol;
	char client[GG_MQTT_TOPIC], status[GG_MQTT_TOPIC];
	struct gg_stream *stream;
	bool connected; /* CONNACK has come */
	bool closing;
	struct gg_timer timer;
	int64_t connect_began_ns, heard_ns, written_ns;
	bool ping_sent;
	uint16_t server_keep_alive_s;
	uint32_t receive_maximum, maximum_packet;
	bool maximum_qos_0, no_retain;
	struct gg_mqtt_under_way under_way[GG_MQTT_WINDOW]; /* packet id - 1 */
	unsigned under_way_count;
	char reason[200]; /* why we closed */
};

/* ---- mqtt_link.c ---- */

void gg_mqtt_link_connect(void *self);
/* Writes a packet. Errors: -EAGAIN, -E2BIG larger than the peer takes, -ENOTCONN. */
int gg_mqtt_link_publish(struct gg_mqtt_uplink *m, const struct gg_mqtt_publish *p);
/* Says goodbye and forgets the stream; nothing is called afterwards. */
void gg_mqtt_link_close(struct gg_mqtt_uplink *m);

/* ---- uplink_mqtt.c ---- */

/* Fills {site}, {name} and {uplink} in. Errors: -E2BIG. */
int gg_mqtt_topic(
	const struct gg_mqtt_uplink *m, const char *pattern, struct gg_str name, char *to, size_t size);

extern const struct gg_component gg_uplink_mqtt;

#endif
