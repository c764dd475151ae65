/* SPDX-License-Identifier: Apache-2.0 */
/* Captures are written by hand from the sections named; the figures of the standards where they have one. */
#include "check.h"
#include "net/mqtt_codec.h"

static uint8_t bytes[1024];

/* "10 02 'ab'" to bytes. */
static struct gg_str capture(const char *text)
{
	size_t n = 0;
	for (const char *p = text; *p;) {
		if (*p == ' ') {
			p++;
		} else if (*p == '\'') {
			for (p++; *p != '\''; p++)
				bytes[n++] = (uint8_t)*p;
			p++;
		} else {
			char two[3] = {p[0], p[1], 0};
			bytes[n++] = (uint8_t)strtoul(two, NULL, 16);
			p += 2;
		}
	}
	return gg_str_n(bytes, n);
}

static struct gg_mqtt_packet packet;
static uint8_t reason;

static int decode(const char *text, enum gg_mqtt_version version)
{
	struct gg_mqtt_frame f;
	struct gg_str in = capture(text);
	assert_int_equal(gg_mqtt_frame(in, 1 << 20, &f, NULL), 0);
	assert_int_equal(f.size, in.len);
	return gg_mqtt_decode(&f, version, &packet, &reason);
}

/* It decodes, and what was decoded encodes to the same bytes. */
static void round_trip(const char *text, enum gg_mqtt_version version)
{
	uint8_t out[1024];
	assert_int_equal(decode(text, version), 0);
	struct gg_str in = capture(text);
	assert_int_equal(gg_mqtt_size(&packet, version), in.len);
	struct gg_writer w = gg_writer(out, sizeof out);
	gg_mqtt_encode(&w, &packet, version);
	assert_true(gg_writer_ok(&w));
	assert_int_equal(gg_writer_len(&w), in.len);
	assert_memory_equal(out, in.p, in.len);
}

static void refused(const char *text, enum gg_mqtt_version version, uint8_t why)
{
	assert_int_equal(decode(text, version), -EPROTO);
	assert_int_equal(reason, why);
}

static void reads_a_connect_of_3_1_1(void **state)
{
	(void)state;
	/* v3 figure 3.6 (flags), with a will and credentials */
	round_trip("10 25 0004 'MQTT' 04 ce 000a 0002 'id' 0004 'w/el' 0003 'bye' 0004 'user' 0004 'pass'",
		GG_MQTT_V3);
	assert_int_equal(packet.connect.version, GG_MQTT_V3);
	assert_int_equal(packet.connect.keep_alive_s, 10);
	assert_true(packet.connect.clean && packet.connect.has_will && !packet.connect.will.retain);
	assert_int_equal(packet.connect.will.qos, 1);
	check_str(packet.connect.will.payload, "bye");
	check_str(packet.connect.password, "pass");
}

static void reads_a_connect_of_5_with_properties(void **state)
{
	(void)state;
	/* session expiry 10 (0x11), receive maximum 20 (0x21), a user property (0x26) */
	round_trip("10 24 0004 'MQTT' 05 02 003c 11 11 0000000a 21 0014 26 0001 'a' 0003 'b c' 0006 'dev-01'",
		GG_MQTT_V5);
	assert_int_equal(packet.connect.properties.session_expiry_s, 10);
	assert_int_equal(packet.connect.properties.receive_maximum, 20);
	struct gg_str user = packet.connect.properties.user, name, value;
	assert_true(gg_mqtt_user_next(&user, &name, &value));
	check_str(name, "a");
	check_str(value, "b c");
	assert_false(gg_mqtt_user_next(&user, &name, &value));
}

static void reads_publishes(void **state)
{
	(void)state;
	/* v3 figure 3.11: topic a/b, packet id 10 */
	round_trip("32 0a 0003 'a/b' 000a '21.'", GG_MQTT_V3);
	assert_int_equal(packet.publish.packet_id, 10);
	check_str(packet.publish.payload, "21.");
	round_trip("30 05 0003 'a/b'", GG_MQTT_V3);
	/* 5: payload format, expiry, two subscription ids, content type */
	round_trip("3d 1a 0003 'a/b' 000a 10 01 01 02 0000003c 03 0001 'j' 0b 07 0b 80 01 'xx'", GG_MQTT_V5);
	assert_int_equal(packet.publish.qos, 2);
	assert_true(packet.publish.retain && packet.publish.dup);
	assert_int_equal(packet.publish.properties.subscription_ids[0], 7);
	assert_int_equal(packet.publish.properties.subscription_ids[1], 128);
}

static void reads_acknowledgements(void **state)
{
	(void)state;
	round_trip("40 02 1234", GG_MQTT_V3);
	round_trip("40 02 1234", GG_MQTT_V5);
	round_trip("50 03 1234 97", GG_MQTT_V5);
	round_trip("62 02 0001", GG_MQTT_V5);
	round_trip("70 0a 0001 92 06 1f 0003 'why'", GG_MQTT_V5);
	check_str(packet.ack.properties.reason, "why");
	uint8_t four[GG_MQTT_ACK_SIZE];
	gg_mqtt_put_ack(four, GG_MQTT_PUBREL, 0x1234);
	assert_memory_equal(four, "\x62\x02\x12\x34", 4);
}

static void reads_subscriptions(void **state)
{
	(void)state;
	/* v3 figure 3.23: a/b with QoS 1, c/d with QoS 2 */
	round_trip("82 0e 000a 0003 'a/b' 01 0003 'c/d' 02", GG_MQTT_V3);
	struct gg_str left = packet.subscribe.filters;
	struct gg_mqtt_filter f;
	assert_true(gg_mqtt_filter_next(&left, GG_MQTT_SUBSCRIBE, &f));
	check_str(f.filter, "a/b");
	assert_true(gg_mqtt_filter_next(&left, GG_MQTT_SUBSCRIBE, &f));
	assert_int_equal(f.qos, 2);
	assert_false(gg_mqtt_filter_next(&left, GG_MQTT_SUBSCRIBE, &f));
	round_trip("82 0b 000a 02 0b 05 0003 'a/#' 2d", GG_MQTT_V5);
	left = packet.subscribe.filters;
	gg_mqtt_filter_next(&left, GG_MQTT_SUBSCRIBE, &f);
	assert_true(f.no_local && f.retain_as_published);
	assert_int_equal(f.retain_handling, 2);
	round_trip("90 05 000a 01 02 80", GG_MQTT_V3);
	round_trip("a2 07 000a 0003 'a/b'", GG_MQTT_V3);
	round_trip("b0 02 000a", GG_MQTT_V3);
	round_trip("b0 04 000a 00 11", GG_MQTT_V5);
}

static void reads_the_small_ones(void **state)
{
	(void)state;
	round_trip("20 02 01 00", GG_MQTT_V3);
	round_trip("20 06 00 00 03 21 0064", GG_MQTT_V5);
	assert_int_equal(decode("20 02 00 05", GG_MQTT_V3), 0);
	assert_int_equal(packet.connack.reason, GG_MQTT_NOT_AUTHORIZED);
	round_trip("c0 00", GG_MQTT_V3);
	round_trip("d0 00", GG_MQTT_V5);
	round_trip("e0 00", GG_MQTT_V3);
	round_trip("e0 07 8e 05 11 00000000", GG_MQTT_V5);
	round_trip("f0 08 18 06 15 0003 'sas'", GG_MQTT_V5);
}

static void asks_for_more_until_a_packet_is_whole(void **state)
{
	(void)state;
	struct gg_mqtt_frame f;
	struct gg_str in = capture("30 05 0003 'a/b' c0 00");
	size_t need = 0;
	for (size_t n = 0; n < 7; n++) {
		assert_int_equal(gg_mqtt_frame(gg_str_n(in.p, n), 100, &f, &need), -EAGAIN);
		assert_true(need > n && need <= 7);
	}
	assert_int_equal(gg_mqtt_frame(in, 100, &f, &need), 0);
	assert_int_equal(f.size, 7);
	assert_int_equal(gg_mqtt_frame(in, 6, &f, &need), -E2BIG);
	assert_int_equal(gg_mqtt_frame(capture("30 ff ff ff ff 01"), 100, &f, &need), -EPROTO);
	refused("c0 80 00", GG_MQTT_V5, GG_MQTT_MALFORMED); /* [MQTT-1.5.5-1] */
	refused("30 84 80 00 00 01 'a' 00", GG_MQTT_V5, GG_MQTT_MALFORMED);
	assert_int_equal(decode("c0 80 00", GG_MQTT_V3), 0);
	assert_int_equal(gg_mqtt_frame(capture("30 ff ff ff 7f"), 100, &f, &need), -E2BIG);
}

static void refuses_what_the_standard_forbids(void **state)
{
	(void)state;
	refused("36 07 0003 'a/b' 000a", GG_MQTT_V3, GG_MQTT_MALFORMED);     /* QoS 3 */
	refused("38 05 0003 'a/b'", GG_MQTT_V3, GG_MQTT_MALFORMED);          /* DUP with QoS 0 */
	refused("32 07 0003 'a/b' 0000", GG_MQTT_V3, GG_MQTT_MALFORMED);     /* packet id 0 */
	refused("30 05 0003 'a/+'", GG_MQTT_V3, GG_MQTT_BAD_TOPIC);          /* wildcard */
	refused("30 05 0003 61 00 62", GG_MQTT_V3, GG_MQTT_MALFORMED);       /* U+0000 */
	refused("30 05 0003 ed a0 80", GG_MQTT_V3, GG_MQTT_MALFORMED);       /* a surrogate */
	refused("30 02 0000", GG_MQTT_V3, GG_MQTT_PROTOCOL_ERROR);           /* no topic */
	refused("80 08 000a 0003 'a/b' 01", GG_MQTT_V3, GG_MQTT_MALFORMED);  /* reserved flags */
	refused("82 08 000a 0003 'a/b' 03", GG_MQTT_V3, GG_MQTT_MALFORMED);  /* QoS 3 */
	refused("82 08 000a 0003 'a#b' 01", GG_MQTT_V3, GG_MQTT_BAD_FILTER); /* '#' in a level */
	refused("82 02 000a", GG_MQTT_V3, GG_MQTT_PROTOCOL_ERROR);           /* no filter */
	refused("60 02 0001", GG_MQTT_V3, GG_MQTT_MALFORMED);                /* PUBREL's flags */
	refused("c0 01 00", GG_MQTT_V3, GG_MQTT_MALFORMED);                  /* more than there is */
	refused("f0 00", GG_MQTT_V3, GG_MQTT_MALFORMED);                     /* reserved type */
	refused("10 0e 0004 'MQTT' 04 03 000a 0002 'id'", GG_MQTT_V3, GG_MQTT_MALFORMED); /* reserved bit */
	refused("10 0e 0004 'MQTT' 04 42 000a 0002 'id'", GG_MQTT_V3, GG_MQTT_MALFORMED); /* password alone */
	refused("10 0e 0004 'MQTT' 03 02 000a 0002 'id'", GG_MQTT_V3, GG_MQTT_BAD_VERSION);
}

static void refuses_wrong_properties(void **state)
{
	(void)state;
	refused("30 0a 0003 'a/b' 04 01 00 01 00", GG_MQTT_V5, GG_MQTT_PROTOCOL_ERROR); /* twice */
	refused("30 08 0003 'a/b' 02 01 02", GG_MQTT_V5, GG_MQTT_PROTOCOL_ERROR);       /* format 2 */
	refused("30 09 0003 'a/b' 03 21 0001", GG_MQTT_V5, GG_MQTT_MALFORMED); /* belongs to CONNECT */
	refused("30 08 0003 'a/b' 02 7f 00", GG_MQTT_V5, GG_MQTT_MALFORMED);   /* unknown */
	refused("30 06 0003 'a/b' 05", GG_MQTT_V5, GG_MQTT_MALFORMED);         /* longer than there is */
	refused("82 0a 000a 02 0b 00 0003 'a/b'", GG_MQTT_V5, GG_MQTT_PROTOCOL_ERROR); /* id 0 */
	refused("10 13 0004 'MQTT' 05 02 003c 03 21 0000 0003 'abc'", GG_MQTT_V5, GG_MQTT_PROTOCOL_ERROR);
	refused("10 13 0004 'MQTT' 05 02 003c 03 16 0000 0003 'abc'", GG_MQTT_V5, GG_MQTT_PROTOCOL_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(reads_a_connect_of_3_1_1),
		TEST(reads_a_connect_of_5_with_properties), TEST(reads_publishes),
		TEST(reads_acknowledgements), TEST(reads_subscriptions), TEST(reads_the_small_ones),
		TEST(asks_for_more_until_a_packet_is_whole), TEST(refuses_what_the_standard_forbids),
		TEST(refuses_wrong_properties)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
