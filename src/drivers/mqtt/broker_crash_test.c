/* SPDX-License-Identifier: Apache-2.0 */
/* What a client finds again after the gateway was killed: wills, and messages that were under way. */
#include "drivers/mqtt/broker_doubles.h"

static struct gg_mqtt_connect with_will(const char *id, uint32_t delay_s, bool clean)
{
	struct gg_mqtt_connect connect = as(id, GG_MQTT_V5, clean);
	connect.has_will = true;
	connect.will = (struct gg_mqtt_will){
		.topic = GG_STR("x/will/y"), .payload = GG_STR("gone"), .qos = 1, .retain = true};
	if (delay_s) {
		connect.will.properties.will_delay_s = delay_s;
		gg_mqtt_set(&connect.will.properties, GG_MQTT_WILL_DELAY);
	}
	return connect;
}

static struct client *sleeper(int i, uint8_t qos)
{
	struct client *d = enter(i, "sleeper", GG_MQTT_V5, false);
	subscribe(d, "x/#", qos);
	return d;
}

static void a_will_is_sent_after_a_crash_and_once(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	for (int clean = 0; clean < 2; clean++) {
		sleeper(1, 1);
		connect_with(0, with_will("c", 0, clean));
		crash_and_start();
		struct client *d = enter(1, "sleeper", GG_MQTT_V5, false);
		const struct gg_mqtt_packet *p = expect_message(d, "x/will/y", "gone");
		assert_int_equal(p->publish.qos, 1);
		acknowledge(d, GG_MQTT_PUBACK, p->publish.packet_id);
		crash_and_start();
		d = enter(1, "sleeper", GG_MQTT_V5, false);
		assert_null(hear(d));
		subscribe(enter(2, "new", GG_MQTT_V5, true), "x/#", 0);
		assert_true(expect_message(&clients[2], "x/will/y", "gone")->publish.retain);
		retain(d, "x/will/y", "");
	}
}

static void a_will_waits_for_its_delay_over_a_crash(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	sleeper(1, 1);
	connect_with(0, with_will("c", 600, false));
	crash_and_start();
	struct session *s = gg_session_find(b, GG_STR("c"));
	assert_non_null(s->will);
	assert_true(s->will_timer.place);
	struct client *d = enter(1, "sleeper", GG_MQTT_V5, false);
	assert_null(hear(d));
	enter(0, "c", GG_MQTT_V5, false); /* it is back, and has no will now */
	crash_and_start();
	assert_null(gg_session_find(b, GG_STR("c"))->will);
	d = enter(1, "sleeper", GG_MQTT_V5, false);
	assert_null(hear(d));
}

static void a_client_that_said_good_bye_has_no_will_after_a_crash(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	sleeper(1, 1);
	for (int clean = 0; clean < 2; clean++) {
		struct client *c = connect_with(0, with_will("c", 0, clean));
		expect(c, GG_MQTT_CONNACK);
		say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	}
	crash_and_start();
	assert_null(hear(enter(1, "sleeper", GG_MQTT_V5, false)));
}

static void a_will_survives_compacting(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	connect_with(0, with_will("c", 0, true));
	connect_with(2, with_will("d", 600, false));
	retain(&clients[2], "r/e/t", "kept");
	gg_retained_flush(b);
	size_t before = gateway.kept_count;
	gg_persist_compact(b);
	for (size_t i = 0; i < before; i++)
		free((char *)gateway.kept[i].p);
	memmove(gateway.kept, gateway.kept + before, (gateway.kept_count - before) * sizeof gateway.kept[0]);
	gateway.kept_count -= before;
	crash_and_start();
	assert_int_equal(b->retained_count, 2);
	assert_non_null(gg_session_find(b, GG_STR("d"))->will);
	assert_null(gg_session_find(b, GG_STR("c")));
}

static void a_will_that_cannot_be_read_harms_nobody(void **state)
{
	(void)state;
	struct client *d = enter(1, "d", GG_MQTT_V5, true);
	subscribe(d, "#", 0);
	struct gg_mqtt_connect connect = with_will("c", 0, true);
	connect.will.topic = GG_STR("sensors/d");
	connect.will.payload = GG_STR("no json");
	connect_with(0, connect);
	close(clients[0].fd);
	clients[0].fd = 0;
	turn();
	assert_int_equal(gateway.samples, 0);
	assert_null(hear(d));
}

static void a_will_brings_no_samples_of_another_device(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	struct gg_mqtt_connect connect = with_will("sensors", 0, true);
	connect.has_user = connect.has_password = true;
	connect.user = GG_STR("sensors");
	connect.password = GG_STR("right");
	connect.will.topic = GG_STR("sensors/press-2"); /* its own topic, but not its samples */
	connect.will.payload = GG_STR("{\"temp\": 1}");
	struct client *c = connect_with(0, connect);
	assert_int_equal(expect(c, GG_MQTT_CONNACK)->connack.reason, 0);
	close(c->fd);
	c->fd = 0;
	turn();
	assert_int_equal(gateway.samples, 0);
	connect_with(0, connect);
	crash_and_start();
	assert_int_equal(gateway.samples, 0);
}

/* ---- messages under way to a client ---- */

static void what_was_in_flight_is_sent_again_with_dup(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	struct client *c = sleeper(0, 1), *d = enter(1, "d", GG_MQTT_V5, true);
	publish(d, "x/a/b", "one", 1, 1);
	assert_false(expect_message(c, "x/a/b", "one")->publish.dup);
	crash_and_start();
	c = enter(0, "sleeper", GG_MQTT_V5, false);
	const struct gg_mqtt_packet *p = expect_message(c, "x/a/b", "one");
	assert_true(p->publish.dup);
	acknowledge(c, GG_MQTT_PUBACK, p->publish.packet_id);
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	d = enter(1, "d", GG_MQTT_V5, true);
	publish(d, "x/a/b", "two", 1, 2);
	crash_and_start();
	c = enter(0, "sleeper", GG_MQTT_V5, false);
	assert_false(expect_message(c, "x/a/b", "two")->publish.dup); /* it was away: never sent */
}

/* What had not been synced is lost, as by a power cut. */
static size_t synced;

static void sync_all(void)
{
	sync_journal(0);
	synced = gateway.kept_count;
	turn();
}

static void cut_power(void)
{
	while (gateway.kept_count > synced)
		free((char *)gateway.kept[--gateway.kept_count].p);
	crash_and_start();
}

static void a_message_of_qos_2_keeps_its_id_over_a_crash(void **state)
{
	(void)state;
	struct client *c = sleeper(0, 2), *d = enter(1, "d", GG_MQTT_V5, true);
	sync_all();
	publish(d, "x/a/b", "one", 2, 1);
	assert_null(hear(c)); /* not before its id is on disk */
	sync_all();
	uint16_t id = expect_message(c, "x/a/b", "one")->publish.packet_id;
	cut_power();
	c = enter(0, "sleeper", GG_MQTT_V5, false);
	const struct gg_mqtt_packet *p = expect_message(c, "x/a/b", "one");
	assert_true(p->publish.dup);
	assert_int_equal(p->publish.packet_id, id);
	acknowledge(c, GG_MQTT_PUBREC, id);
	assert_null(hear(c)); /* nor PUBREL before it is on disk that the client has it */
	sync_all();
	expect_ack(c, GG_MQTT_PUBREL, id, 0);
	cut_power();
	c = enter(0, "sleeper", GG_MQTT_V5, false);
	expect_ack(c, GG_MQTT_PUBREL, id, 0);
	assert_null(hear(c));
	acknowledge(c, GG_MQTT_PUBCOMP, id);
	sync_all();
	cut_power();
	c = enter(0, "sleeper", GG_MQTT_V5, false);
	assert_null(hear(c));
}

static void many_messages_of_qos_2_wait_for_one_sync(void **state)
{
	(void)state;
	struct client *c = sleeper(0, 2), *d = enter(1, "d", GG_MQTT_V5, true);
	sync_all();
	for (uint16_t i = 1; i <= 3; i++)
		publish(d, "x/a/b", "m", 2, i);
	sync_all();
	uint16_t ids[3];
	for (int i = 0; i < 3; i++)
		ids[i] = expect_message(c, "x/a/b", "m")->publish.packet_id;
	assert_true(ids[0] != ids[1] && ids[1] != ids[2]);
	assert_null(hear(c));
}

static void a_packet_id_is_free_when_the_client_hears_so(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V5, false);
	sync_all();
	publish(c, "x/a/b", "one", 2, 1);
	sync_all();
	expect_ack(c, GG_MQTT_PUBREC, 1, 0);
	acknowledge(c, GG_MQTT_PUBREL, 1);
	assert_null(hear(c));
	sync_all();
	expect_ack(c, GG_MQTT_PUBCOMP, 1, 0);
	cut_power();
	struct client *d = enter(1, "d", GG_MQTT_V5, true);
	subscribe(d, "x/#", 0);
	c = enter(0, "c", GG_MQTT_V5, false);
	publish(c, "x/a/b", "two", 2, 1); /* another message under the same id */
	expect_message(d, "x/a/b", "two");
}

static void a_message_of_qos_2_is_taken_with_its_id_or_not_at_all(void **state)
{
	(void)state;
	struct client *c = sleeper(0, 2), *d = enter(1, "d", GG_MQTT_V5, false);
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	for (uint16_t id = 1; id <= 4; id++) {
		sync_all();
		publish(d, "x/a/b", "m", 2, id);
		synced = gateway.kept_count - (id & 1); /* with all its records, or without the last */
		cut_power();
		d = enter(1, "d", GG_MQTT_V5, false);
		publish(d, "x/a/b", "m", 2, id); /* it was not answered */
		sync_all();
		expect_ack(d, GG_MQTT_PUBREC, id, 0);
		assert_int_equal(gg_session_find(b, GG_STR("sleeper"))->out_count, id);
	}
}

static void all_identifiers_of_a_message_survive(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	struct client *c = enter(0, "c", GG_MQTT_V5, false), *d = enter(1, "d", GG_MQTT_V5, true);
	static const char *const filters[] = {"x/#", "x/a/b", "x/+/b"};
	for (uint32_t i = 0; i < 3; i++) {
		uint8_t entry[64];
		struct gg_writer w = gg_writer(entry, sizeof entry);
		struct gg_mqtt_filter f = {.filter = gg_str(filters[i]), .qos = 1};
		gg_mqtt_filter_add(&w, GG_MQTT_SUBSCRIBE, &f);
		struct gg_mqtt_packet p = {.type = GG_MQTT_SUBSCRIBE,
			.subscribe = {.packet_id = 9, .filters = {(char *)entry, gg_writer_len(&w)}}};
		p.subscribe.properties.subscription_ids[0] = i + 1;
		gg_mqtt_set(&p.subscribe.properties, GG_MQTT_SUBSCRIPTION_ID);
		say(c, &p);
		expect(c, GG_MQTT_SUBACK);
	}
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	publish(d, "x/a/b", "m", 1, 1);
	crash_and_start();
	c = enter(0, "c", GG_MQTT_V5, false);
	const uint32_t *ids = expect_message(c, "x/a/b", "m")->publish.properties.subscription_ids;
	assert_int_equal(ids[0] + ids[1] + ids[2], 6);
	assert_int_equal(ids[3], 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_will_is_sent_after_a_crash_and_once),
		CASE(a_will_waits_for_its_delay_over_a_crash),
		CASE(a_client_that_said_good_bye_has_no_will_after_a_crash),
		CASE(a_will_survives_compacting),
		CASE(a_will_that_cannot_be_read_harms_nobody),
		CASE(a_will_brings_no_samples_of_another_device),
		CASE(what_was_in_flight_is_sent_again_with_dup),
		CASE(a_message_of_qos_2_keeps_its_id_over_a_crash),
		CASE(many_messages_of_qos_2_wait_for_one_sync),
		CASE(a_packet_id_is_free_when_the_client_hears_so),
		CASE(a_message_of_qos_2_is_taken_with_its_id_or_not_at_all),
		CASE(all_identifiers_of_a_message_survive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
