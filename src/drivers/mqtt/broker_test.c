/* SPDX-License-Identifier: Apache-2.0 */
/* The broker with real streams (socket pairs) and a real loop. */
#include "drivers/mqtt/broker_doubles.h"

/* ---- the promise ---- */

static void puback_waits_until_the_samples_are_on_disk(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V3, true);
	publish(c, "press-2/temp", "21.5", 1, 7);
	assert_string_equal(gateway.values, "press-2/temp=21.5");
	assert_null(hear(c));
	sync_journal(0);
	expect_ack(c, GG_MQTT_PUBACK, 7, 0);
}

static void acknowledges_in_the_order_of_the_messages(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V3, true);
	publish(c, "d/a", "1", 1, 1);
	publish(c, "nobody/needs/this", "x", 1, 2);
	publish(c, "d/a", "2", 2, 3);
	assert_int_equal(gateway.receipt_count, 2);
	give_back(gateway.receipts[1], 0); /* the later one first */
	gateway.receipt_count = 1;
	assert_null(hear(c));
	sync_journal(0);
	expect_ack(c, GG_MQTT_PUBACK, 1, 0);
	expect_ack(c, GG_MQTT_PUBACK, 2, 0);
	expect_ack(c, GG_MQTT_PUBREC, 3, 0);
}

static void what_nobody_needs_is_acknowledged_at_once(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V3, true);
	publish(c, "a/b/c/d", "x", 1, 5);
	expect_ack(c, GG_MQTT_PUBACK, 5, 0);
}

static void a_full_disk_is_told_in_5_and_ends_nothing(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	publish(c, "d/a", "1", 1, 1);
	sync_journal(-ENOSPC);
	expect_ack(c, GG_MQTT_PUBACK, 1, GG_MQTT_QUOTA);
	publish(c, "d/a", "1", 1, 2);
	sync_journal(0);
	expect_ack(c, GG_MQTT_PUBACK, 2, 0);
}

static void a_full_disk_holds_the_ack_of_3_until_it_is_healed(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V3, true);
	publish(c, "d/a", "1", 1, 1);
	sync_journal(-ENOSPC);
	assert_null(hear(c));
	publish(c, "d/a", "2", 1, 2); /* is not read: back-pressure */
	assert_int_equal(gateway.samples, 1);
	gg_promise_resume(b);
	assert_int_equal(gateway.batches, 2); /* the same batch again */
	sync_journal(0);
	expect_ack(c, GG_MQTT_PUBACK, 1, 0);
	sync_journal(0);
	expect_ack(c, GG_MQTT_PUBACK, 2, 0);
}

static void a_full_shard_pauses_and_loses_nothing(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	gateway.submit_fails = 2;
	publish(c, "d/a", "1", 1, 1);
	assert_int_equal(gateway.samples, 0);
	publish(c, "d/a", "2", 0, 0);
	gg_promise_resume(b); /* full still */
	gg_promise_resume(b);
	turn();
	assert_string_equal(gateway.values, "d/a=1 d/a=2");
	sync_journal(0);
	expect_ack(c, GG_MQTT_PUBACK, 1, 0);
}

static void durability_memory_acknowledges_at_once(void **state)
{
	(void)state;
	b->o.durability = DURABILITY_MEMORY;
	struct client *c = enter(0, "c", GG_MQTT_V3, true);
	publish(c, "d/a", "1", 1, 1);
	expect_ack(c, GG_MQTT_PUBACK, 1, 0);
}

static void a_payload_that_cannot_be_read_is_told(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	publish(c, "sensors/d", "no json", 1, 1);
	expect_ack(c, GG_MQTT_PUBACK, 1, GG_MQTT_BAD_PAYLOAD);
	assert_int_equal(gateway.samples, 0);
}

static void qos_2_is_taken_once_however_often_it_comes(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	publish(c, "d/a", "1", 2, 1);
	expect_ack(c, GG_MQTT_PUBREC, 1, 0);
	publish(c, "d/a", "1", 2, 1);
	expect_ack(c, GG_MQTT_PUBREC, 1, 0);
	assert_int_equal(gateway.samples, 1);
	acknowledge(c, GG_MQTT_PUBREL, 1);
	expect_ack(c, GG_MQTT_PUBCOMP, 1, 0);
	acknowledge(c, GG_MQTT_PUBREL, 1);
	expect_ack(c, GG_MQTT_PUBCOMP, 1, GG_MQTT_PACKET_ID_NOT_FOUND);
}

/* ---- a broker like any other ---- */

static void gives_messages_to_subscribers_of_both_versions(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V3, true), *d = enter(1, "d", GG_MQTT_V5, true);
	assert_int_equal(subscribe(c, "x/#", 0), 0);
	assert_int_equal(subscribe(d, "x/+/z", 1), 1);
	publish(d, "x/y/z", "hello", 1, 1);
	expect_message(c, "x/y/z", "hello");
	assert_int_equal(expect_message(d, "x/y/z", "hello")->publish.qos, 1);
	expect_ack(d, GG_MQTT_PUBACK, 1, 0);
}

static void overlapping_subscriptions_give_one_copy(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	subscribe(c, "x/#", 0);
	subscribe(c, "x/y", 0);
	publish(c, "x/y", "1", 0, 0);
	expect_message(c, "x/y", "1");
	assert_null(hear(c));
}

static void shared_subscriptions_take_turns(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V5, true), *d = enter(1, "d", GG_MQTT_V5, true);
	subscribe(c, "$share/g/x/#", 0);
	subscribe(d, "$share/g/x/#", 0);
	for (int i = 0; i < 4; i++)
		publish(c, "x/a/b", "m", 0, 0);
	for (int i = 0; i < 2; i++) {
		expect_message(c, "x/a/b", "m");
		expect_message(d, "x/a/b", "m");
	}
	assert_null(hear(c));
	assert_null(hear(d));
}

static void a_retained_message_greets_the_subscriber(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V3, true);
	retain(c, "x/y/z", "kept");
	subscribe(c, "x/#", 0);
	assert_true(expect_message(c, "x/y/z", "kept")->publish.retain);
	retain(c, "x/y/z", "");
	expect_message(c, "x/y/z", "");
	subscribe(c, "x/#", 0);
	assert_null(hear(c));
}

static void the_window_of_the_client_is_honoured(void **state)
{
	(void)state;
	struct gg_mqtt_connect connect = as("c", GG_MQTT_V5, true);
	connect.properties.receive_maximum = 2;
	gg_mqtt_set(&connect.properties, GG_MQTT_RECEIVE_MAXIMUM_ID);
	struct client *c = connect_with(0, connect), *d = enter(1, "d", GG_MQTT_V3, true);
	expect(c, GG_MQTT_CONNACK);
	subscribe(c, "x/#", 1);
	for (uint16_t i = 1; i <= 4; i++)
		publish(d, "x/a/b", "m", 1, i);
	uint16_t first = expect_message(c, "x/a/b", "m")->publish.packet_id;
	expect_message(c, "x/a/b", "m");
	assert_null(hear(c));
	acknowledge(c, GG_MQTT_PUBACK, first);
	expect_message(c, "x/a/b", "m");
	assert_null(hear(c));
}

static void a_will_is_sent_when_the_connection_breaks(void **state)
{
	(void)state;
	struct gg_mqtt_connect connect = as("c", GG_MQTT_V3, true);
	connect.has_will = true;
	connect.will = (struct gg_mqtt_will){.topic = GG_STR("x/will/y"), .payload = GG_STR("gone")};
	struct client *d = enter(1, "d", GG_MQTT_V3, true);
	subscribe(d, "x/#", 0);
	connect_with(0, connect);
	close(clients[0].fd);
	clients[0].fd = 0;
	turn();
	expect_message(d, "x/will/y", "gone");
	connect_with(2, connect);
	say(&clients[2], &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	assert_null(hear(d));
}

static void the_same_client_id_takes_the_session_over(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	enter(1, "c", GG_MQTT_V5, true);
	assert_int_equal(expect(c, GG_MQTT_DISCONNECT)->disconnect.reason, GG_MQTT_TAKEN_OVER);
	assert_int_equal(b->sessions.count, 1);
}

static void nonsense_ends_the_connection(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	assert_int_equal(write(c->fd, "\x36\x04\x00\x01x\x00", 6), 6);
	assert_int_equal(expect(c, GG_MQTT_DISCONNECT)->disconnect.reason, GG_MQTT_MALFORMED);
	assert_int_equal(expect(c, 0)->type, 0);
}

/* ---- who may ---- */

static struct client *enter_as_device(int i, const char *user, const char *password)
{
	struct gg_mqtt_connect connect = as(user, GG_MQTT_V5, true);
	connect.has_user = connect.has_password = true;
	connect.user = gg_str(user);
	connect.password = gg_str(password);
	return connect_with(i, connect);
}

static void a_device_uses_its_own_topics_only(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	struct client *c = enter_as_device(0, "press-2", "right");
	assert_int_equal(expect(c, GG_MQTT_CONNACK)->connack.reason, 0);
	publish(c, "press-2/temp", "1", 1, 1);
	expect_ack(c, GG_MQTT_PUBACK, 1, 0);
	publish(c, "press-3/temp", "1", 1, 2);
	expect_ack(c, GG_MQTT_PUBACK, 2, GG_MQTT_NOT_AUTHORIZED);
	assert_int_equal(subscribe(c, "#", 0), GG_MQTT_NOT_AUTHORIZED);
	assert_int_equal(subscribe(c, "press-2/+/set", 0), 0);
	assert_string_equal(gateway.values, "press-2/temp=1");
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	turn();
	assert_string_equal(gateway.health, "press-2+ press-2- ");
}

static void a_wrong_password_is_refused(void **state)
{
	(void)state;
	struct client *c = enter_as_device(0, "press-2", "wrong");
	assert_int_equal(expect(c, GG_MQTT_CONNACK)->connack.reason, GG_MQTT_BAD_CREDENTIALS);
	assert_int_equal(expect(c, 0)->type, 0);
}

static void nobody_comes_without_a_name_from_outside(void **state)
{
	(void)state;
	listener.loopback = false;
	struct client *c = connect_with(0, as("c", GG_MQTT_V3, true));
	assert_int_equal(expect(c, GG_MQTT_CONNACK)->connack.reason, GG_MQTT_NOT_AUTHORIZED);
}

/* ---- what survives ---- */

static void a_queue_survives_the_process(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V3, false), *d = enter(1, "d", GG_MQTT_V5, true);
	subscribe(c, "x/#", 1);
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	publish(d, "x/a/b", "one", 1, 1);
	publish(d, "x/a/b", "two", 1, 2);
	assert_null(hear(d)); /* the acknowledgement waits for the record */
	sync_journal(0);
	expect_ack(d, GG_MQTT_PUBACK, 1, 0);
	crash_and_start();
	c = connect_with(0, as("c", GG_MQTT_V3, false));
	assert_true(expect(c, GG_MQTT_CONNACK)->connack.session_present);
	uint16_t id = expect_message(c, "x/a/b", "one")->publish.packet_id;
	expect_message(c, "x/a/b", "two");
	acknowledge(c, GG_MQTT_PUBACK, id);
	crash_and_start();
	c = connect_with(0, as("c", GG_MQTT_V3, false));
	expect(c, GG_MQTT_CONNACK);
	expect_message(c, "x/a/b", "two"); /* the first had arrived */
	assert_null(hear(c));
}

static void qos_2_goes_on_where_it_was(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	struct client *c = enter(0, "c", GG_MQTT_V3, false), *d = enter(1, "d", GG_MQTT_V3, false);
	subscribe(c, "x/#", 2);
	publish(d, "x/a/b", "one", 2, 5);
	expect_ack(d, GG_MQTT_PUBREC, 5, 0);
	uint16_t id = expect_message(c, "x/a/b", "one")->publish.packet_id;
	acknowledge(c, GG_MQTT_PUBREC, id);
	expect_ack(c, GG_MQTT_PUBREL, id, 0);
	crash_and_start();
	d = enter(1, "d", GG_MQTT_V3, false);
	publish(d, "x/a/b", "one", 2, 5); /* again: known still */
	expect_ack(d, GG_MQTT_PUBREC, 5, 0);
	c = enter(0, "c", GG_MQTT_V3, false);
	expect_ack(c, GG_MQTT_PUBREL, id, 0);
	assert_null(hear(c));
	acknowledge(c, GG_MQTT_PUBCOMP, id);
	assert_int_equal(gg_session_find(b, GG_STR("c"))->out_count, 0);
}

static void compacted_records_say_the_same(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	struct client *c = enter(0, "c", GG_MQTT_V3, false), *d = enter(1, "d", GG_MQTT_V5, true);
	subscribe(c, "x/#", 1);
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	publish(d, "x/a/b", "one", 1, 1);
	retain(d, "r/e/t", "kept");
	gg_retained_flush(b);
	size_t before = gateway.kept_count;
	gg_persist_compact(b);
	for (size_t i = 0; i < before; i++)
		free((char *)gateway.kept[i].p);
	memmove(gateway.kept, gateway.kept + before, (gateway.kept_count - before) * sizeof gateway.kept[0]);
	gateway.kept_count -= before;
	crash_and_start();
	c = connect_with(0, as("c", GG_MQTT_V3, false));
	assert_true(expect(c, GG_MQTT_CONNACK)->connack.session_present);
	expect_message(c, "x/a/b", "one");
	subscribe(c, "r/#", 0);
	expect_message(c, "r/e/t", "kept");
}

static void any_bytes_may_stand_in_a_record(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	struct client *c = enter(0, "c", GG_MQTT_V3, false), *d = enter(1, "d", GG_MQTT_V5, true);
	subscribe(c, "x/#", 2);
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	publish(d, "x/a/b", "one", 2, 1);
	size_t count = gateway.kept_count;
	stop_broker();
	start_broker();
	for (size_t i = 0; i < count; i++)
		for (size_t cut = 0; cut < gateway.kept[i].len; cut++) {
			char *damaged = gg_str_dup(gateway.kept[i]);
			gg_persist_replay(b, gg_str_n(damaged, cut));
			damaged[cut] ^= (char)0x55;
			gg_persist_replay(b, gg_str_n(damaged, gateway.kept[i].len));
			free(damaged);
		}
	gg_persist_replayed(b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(puback_waits_until_the_samples_are_on_disk),
		CASE(acknowledges_in_the_order_of_the_messages),
		CASE(what_nobody_needs_is_acknowledged_at_once),
		CASE(a_full_disk_is_told_in_5_and_ends_nothing),
		CASE(a_full_disk_holds_the_ack_of_3_until_it_is_healed),
		CASE(a_full_shard_pauses_and_loses_nothing),
		CASE(durability_memory_acknowledges_at_once),
		CASE(a_payload_that_cannot_be_read_is_told),
		CASE(qos_2_is_taken_once_however_often_it_comes),
		CASE(gives_messages_to_subscribers_of_both_versions),
		CASE(overlapping_subscriptions_give_one_copy),
		CASE(shared_subscriptions_take_turns),
		CASE(a_retained_message_greets_the_subscriber),
		CASE(the_window_of_the_client_is_honoured),
		CASE(a_will_is_sent_when_the_connection_breaks),
		CASE(the_same_client_id_takes_the_session_over),
		CASE(nonsense_ends_the_connection),
		CASE(a_device_uses_its_own_topics_only),
		CASE(a_wrong_password_is_refused),
		CASE(nobody_comes_without_a_name_from_outside),
		CASE(a_queue_survives_the_process),
		CASE(qos_2_goes_on_where_it_was),
		CASE(compacted_records_say_the_same),
		CASE(any_bytes_may_stand_in_a_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
