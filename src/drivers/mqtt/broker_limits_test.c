/* SPDX-License-Identifier: Apache-2.0 */
/* What one client may use; $SYS; and commands that wait for their acknowledgement. */
#include "core/signals.h"
#include "drivers/mqtt/broker_doubles.h"

/* ---- limits ---- */

static void bytes_beyond_the_rate_are_read_later(void **state)
{
	(void)state;
	b->o.rate_bytes = 2000;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	char big[1500];
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	for (uint16_t i = 1; i <= 3; i++)
		publish(c, "x/y/z", big, 1, i);
	expect_ack(c, GG_MQTT_PUBACK, 1, 0);
	expect_ack(c, GG_MQTT_PUBACK, 2, 0);
	assert_null(hear(c));
	assert_true(clients[0].fd > 0 && b->connections->paused & PAUSE_RATE);
	for (int i = 0; i < 3000 && b->received < 3; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	expect_ack(c, GG_MQTT_PUBACK, 3, 0);
}

static void refused_for(struct client *c, uint8_t type, uint8_t reason, const char *limit)
{
	struct gg_str name, value;
	struct gg_mqtt_packet *p = expect(c, type);
	struct gg_mqtt_properties *q = type == GG_MQTT_SUBACK ? &p->subscribe.properties : &p->ack.properties;
	assert_int_equal(type == GG_MQTT_SUBACK ? (uint8_t)p->subscribe.codes.p[0] : p->ack.reason, reason);
	assert_true(gg_mqtt_has(q, GG_MQTT_REASON_STRING));
	struct gg_str block = q->user;
	assert_true(gg_mqtt_user_next(&block, &name, &value));
	check_str(name, "limit");
	check_str(value, limit);
}

static void ask_for(struct client *c, const char *filter)
{
	uint8_t entry[256];
	struct gg_writer w = gg_writer(entry, sizeof entry);
	struct gg_mqtt_filter f = {.filter = gg_str(filter)};
	gg_mqtt_filter_add(&w, GG_MQTT_SUBSCRIBE, &f);
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_SUBSCRIBE,
		       .subscribe = {.packet_id = 9, .filters = {(char *)entry, gg_writer_len(&w)}}});
}

static void topics_are_as_long_as_they_may_be(void **state)
{
	(void)state;
	b->o.max_topic = 10;
	b->o.max_levels = 3;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	publish(c, "a/bcdefghijk", "1", 1, 1);
	refused_for(c, GG_MQTT_PUBACK, GG_MQTT_BAD_TOPIC, "max_topic");
	publish(c, "a/b/c/d", "1", 1, 2);
	refused_for(c, GG_MQTT_PUBACK, GG_MQTT_BAD_TOPIC, "max_levels");
	ask_for(c, "a/b/c/d");
	refused_for(c, GG_MQTT_SUBACK, GG_MQTT_QUOTA, "max_levels");
	ask_for(c, "$share/group/a/b/c");
	assert_int_equal(expect(c, GG_MQTT_SUBACK)->subscribe.codes.p[0], 0);
}

static void a_client_has_as_many_subscriptions_as_it_may(void **state)
{
	(void)state;
	b->o.max_subscriptions = 2;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	assert_int_equal(subscribe(c, "a/b", 0), 0);
	assert_int_equal(subscribe(c, "a/c", 0), 0);
	assert_int_equal(subscribe(c, "a/c", 1), 1); /* the same once more */
	ask_for(c, "a/d");
	refused_for(c, GG_MQTT_SUBACK, GG_MQTT_QUOTA, "max_subscriptions");
}

static void a_sleeping_client_holds_no_more_memory_than_it_may(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	b->o.client_memory = 4000;
	struct client *c = enter(0, "c", GG_MQTT_V5, false), *d = enter(1, "d", GG_MQTT_V5, true);
	subscribe(c, "x/#", 1);
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	char big[1001];
	memset(big, 'x', 1000);
	big[1000] = '\0';
	for (uint16_t i = 1; i <= 5; i++)
		publish(d, "x/a/b", big, 1, i);
	const struct session *s = gg_session_find(b, GG_STR("c"));
	assert_int_equal(s->out_count, 2);
	assert_true(s->out_bytes + s->subscription_bytes <= 4000);
	c = enter(0, "c", GG_MQTT_V5, false);
	for (int i = 0; i < 2; i++)
		acknowledge(c, GG_MQTT_PUBACK, expect_message(c, "x/a/b", big)->publish.packet_id);
	assert_int_equal(s->out_bytes, 0);
}

static struct client *enter_device(int i, const char *user)
{
	struct gg_mqtt_connect connect = as(user, GG_MQTT_V5, true);
	connect.has_user = connect.has_password = true;
	connect.user = gg_str(user);
	connect.password = GG_STR("right");
	struct client *c = connect_with(i, connect);
	assert_int_equal(expect(c, GG_MQTT_CONNACK)->connack.reason, 0);
	return c;
}

static void keep_at(struct client *c, const char *topic, const char *payload, uint16_t id)
{
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_PUBLISH,
		       .publish = {.topic = gg_str(topic),
			       .payload = gg_str(payload),
			       .qos = 1,
			       .packet_id = id,
			       .retain = true}});
}

static void a_device_retains_its_share_and_no_more(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	b->o.max_retained_per_device = 2;
	struct client *c = enter_device(0, "press-2"), *d = enter_device(1, "press-3");
	keep_at(c, "press-2/a/b", "1", 1);
	expect_ack(c, GG_MQTT_PUBACK, 1, 0);
	keep_at(c, "press-2/a/c", "1", 2);
	expect_ack(c, GG_MQTT_PUBACK, 2, 0);
	keep_at(c, "press-2/a/d", "1", 3);
	refused_for(c, GG_MQTT_PUBACK, GG_MQTT_QUOTA, "max_retained_per_device");
	keep_at(d, "press-3/a/d", "1", 3);
	expect_ack(d, GG_MQTT_PUBACK, 3, 0);
	crash_and_start(); /* whose they are is known still */
	b->o.max_retained_per_device = 2;
	c = enter_device(0, "press-2");
	keep_at(c, "press-2/a/d", "1", 3);
	refused_for(c, GG_MQTT_PUBACK, GG_MQTT_QUOTA, "max_retained_per_device");
	keep_at(c, "press-2/a/c", "", 4);
	expect_ack(c, GG_MQTT_PUBACK, 4, 0);
	keep_at(c, "press-2/a/d", "1", 5);
	expect_ack(c, GG_MQTT_PUBACK, 5, 0);
	b->o.retained_memory_per_device = 100;
	keep_at(c, "press-2/a/d", "2222222222222222222222222222222222", 6);
	refused_for(c, GG_MQTT_PUBACK, GG_MQTT_QUOTA, "retained_memory_per_device");
	b->o.retained_memory = 10;
	struct client *e = enter(2, "application", GG_MQTT_V5, true);
	keep_at(e, "z/a/d", "1", 1);
	refused_for(e, GG_MQTT_PUBACK, GG_MQTT_QUOTA, "retained_memory");
}

/* ---- $SYS ---- */

static void numbers_of_the_broker_are_for_applications(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V5, true), *d = enter_device(1, "press-2");
	b->o.sys_interval_ns = 3600 * GG_NS_PER_S;
	gg_sys_start(b);
	assert_int_equal(subscribe(c, "#", 0), 0);
	assert_null(hear(c)); /* no wildcard in front finds them */
	assert_int_equal(subscribe(c, "$SYS/broker/clients/connected", 0), 0);
	expect_message(c, "$SYS/broker/clients/connected", "2");
	assert_int_equal(subscribe(d, "$SYS/#", 0), GG_MQTT_NOT_AUTHORIZED);
	assert_int_equal(subscribe(d, "$share/g/$SYS/#", 0), GG_MQTT_NOT_AUTHORIZED);
}

/* ---- commands ---- */

static int status;
static unsigned answers;
static char reason[192];

static void written(struct gg_write *w, int code, const char *why)
{
	(void)w;
	answers++;
	status = code;
	gg_str_copy(reason, sizeof reason, gg_str(why ? why : ""));
}

static void command(const char *value)
{
	static struct gg_write w;
	const struct gg_signal_spec spec = {.type = GG_TYPE_STRING, .writable = true};
	uint32_t dev, signal;
	struct gg_error e = {0};
	device(NULL, GG_STR("press-2"), &dev); /* the double's first, as in the gateway's table */
	assert_int_equal(gg_signal_make_full(GG_STR("press-2/limit"), &spec, &signal), 0);
	w = (struct gg_write){.signal = signal,
		.value = {.type = GG_TYPE_STRING},
		.text = gg_str(value),
		.loop = loop,
		.done = written};
	answers = 0;
	int rc = gg_command_write(b, &w, &e);
	if (rc < 0)
		gg_write_done(&w, rc, e.text);
	turn();
}

static void a_command_is_done_when_the_device_has_acknowledged(void **state)
{
	(void)state;
	b->o.write_timeout_ns = 3600 * GG_NS_PER_S;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	command("1");
	assert_int_equal(status, -ENOENT);
	subscribe(c, "press-2/#", 1);
	command("2");
	assert_int_equal(answers, 0);
	acknowledge(c, GG_MQTT_PUBACK, expect_message(c, "press-2/limit/set", "2")->publish.packet_id);
	assert_int_equal(answers, 1);
	assert_int_equal(status, 0);
	command("3");
	uint16_t id = expect_message(c, "press-2/limit/set", "3")->publish.packet_id;
	say(c, &(struct gg_mqtt_packet){
		       .type = GG_MQTT_PUBACK, .ack = {.packet_id = id, .reason = GG_MQTT_NOT_AUTHORIZED}});
	assert_int_equal(status, -EPROTO);
	assert_string_equal(reason, "not authorized");
	command("4");
	close(c->fd);
	c->fd = 0;
	turn();
	turn();
	assert_int_equal(status, -ECANCELED);
	c = enter(0, "c", GG_MQTT_V5, true);
	subscribe(c, "press-2/#", 0);
	command("5");
	assert_int_equal(status, -ENOTSUP);
}

static void a_command_that_nobody_acknowledges_fails_and_is_not_sent_later(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	b->o.write_timeout_ns = GG_NS_PER_MS;
	struct client *c = enter(0, "c", GG_MQTT_V5, false);
	subscribe(c, "press-2/#", 1);
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	command("1");
	for (int i = 0; i < 1000 && !answers; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	assert_int_equal(status, -ETIMEDOUT);
	c = enter(0, "c", GG_MQTT_V5, false);
	assert_null(hear(c));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(bytes_beyond_the_rate_are_read_later),
		CASE(topics_are_as_long_as_they_may_be),
		CASE(a_client_has_as_many_subscriptions_as_it_may),
		CASE(a_sleeping_client_holds_no_more_memory_than_it_may),
		CASE(a_device_retains_its_share_and_no_more),
		CASE(numbers_of_the_broker_are_for_applications),
		CASE(a_command_is_done_when_the_device_has_acknowledged),
		CASE(a_command_that_nobody_acknowledges_fails_and_is_not_sent_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
