/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What decodes must encode, and to the size that was foretold; and what was encoded must decode again, to the
 * same filters and user properties. The first byte chooses the version.
 */
#include "net/mqtt_codec.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_filters(const struct gg_mqtt_packet *p)
{
	enum gg_mqtt_type type = (enum gg_mqtt_type)p->type;
	struct gg_str left = p->subscribe.filters;
	uint8_t *out = malloc(left.len);
	struct gg_writer w = gg_writer(out, out ? left.len : 0);
	struct gg_mqtt_filter f;
	while (gg_mqtt_filter_next(&left, type, &f)) {
		assert(f.filter.len > 0);
		gg_mqtt_filter_add(&w, type, &f);
	}
	assert(!out || gg_str_eq(gg_str_n(out, gg_writer_len(&w)), p->subscribe.filters));
	free(out);
}

/* The way of a message, which leaves out the packet around it. */
static void check_publish(const struct gg_mqtt_packet *p, enum gg_mqtt_version version)
{
	assert(gg_mqtt_publish_size(&p->publish, version) == gg_mqtt_size(p, version));
	struct gg_str block = p->publish.properties.user, name, value;
	if (!gg_mqtt_has(&p->publish.properties, GG_MQTT_USER_PROPERTY))
		return;
	unsigned count = 0;
	for (; gg_mqtt_user_next(&block, &name, &value); count++)
		assert(gg_mqtt_string_valid(name) && gg_mqtt_string_valid(value));
	assert(count > 0);
}

static void encode_again(const struct gg_mqtt_packet *p, enum gg_mqtt_version version)
{
	struct gg_mqtt_frame f;
	struct gg_mqtt_packet again;
	uint8_t reason;
	size_t size = gg_mqtt_size(p, version);
	uint8_t *out = malloc(size);
	if (!out)
		return;
	struct gg_writer w = gg_writer(out, size);
	gg_mqtt_encode(&w, p, version);
	assert(gg_writer_ok(&w) && gg_writer_len(&w) == size);
	assert(gg_mqtt_frame(gg_str_n(out, size), SIZE_MAX, &f, NULL) == 0 && f.size == size);
	assert(gg_mqtt_decode(&f, version, &again, &reason) == 0);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	enum gg_mqtt_version version = data[0] & 1 ? GG_MQTT_V5 : GG_MQTT_V3;
	struct gg_str left = gg_str_n(data + 1, size - 1);
	struct gg_mqtt_frame f;
	struct gg_mqtt_packet p;
	uint8_t reason;
	for (size_t i = 0; i < size; i++)
		assert(gg_mqtt_reason_text(data[i])[0] && gg_mqtt_type_name(data[i])[0]);
	size_t need = 0;
	int rc;
	while ((rc = gg_mqtt_frame(left, 1 << 20, &f, &need)) == 0) {
		left = gg_str_n(left.p + f.size, left.len - f.size);
		if (gg_mqtt_decode(&f, version, &p, &reason) < 0) {
			assert(reason >= GG_MQTT_UNSPECIFIED);
			continue;
		}
		if (p.type == GG_MQTT_CONNECT)
			version = (enum gg_mqtt_version)p.connect.version;
		if (p.type == GG_MQTT_SUBSCRIBE || p.type == GG_MQTT_UNSUBSCRIBE)
			check_filters(&p);
		if (p.type == GG_MQTT_PUBLISH)
			check_publish(&p, version);
		encode_again(&p, version);
		if (p.type == GG_MQTT_CONNACK) /* reasons as return codes */
			encode_again(&p, GG_MQTT_V3);
	}
	assert(rc != -EAGAIN || need > left.len);
	return 0;
}
