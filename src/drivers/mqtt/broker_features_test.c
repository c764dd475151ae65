/* SPDX-License-Identifier: Apache-2.0 */
/* What MQTT 5.0 has beyond 3.1.1: aliases to clients, reasons in words, authentication, being sent elsewhere.
 */
#include "drivers/mqtt/broker_doubles.h"
#include "security/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

/* ---- aliases ---- */

static void a_topic_is_sent_once_to_who_takes_aliases(void **state)
{
	(void)state;
	struct gg_mqtt_connect connect = as("c", GG_MQTT_V5, true);
	connect.properties.alias_maximum = 2;
	gg_mqtt_set(&connect.properties, GG_MQTT_ALIAS_MAXIMUM);
	struct client *c = connect_with(0, connect), *d = enter(1, "d", GG_MQTT_V5, true);
	expect(c, GG_MQTT_CONNACK);
	subscribe(c, "x/#", 1);
	struct {
		const char *topic, *heard;
		uint16_t alias;
	} steps[] = {{"x/a/1", "x/a/1", 1}, {"x/a/1", "", 1}, {"x/a/2", "x/a/2", 2}, {"x/a/1", "", 1},
		{"x/a/3", "x/a/3", 2}, {"x/a/2", "x/a/2", 1}, {"x/a/3", "", 2}};
	for (size_t i = 0; i < GG_COUNT(steps); i++) {
		uint8_t qos = i & 1;
		publish(d, steps[i].topic, "v", qos, qos);
		const struct gg_mqtt_packet *p = expect_message(c, steps[i].heard, "v");
		assert_int_equal(p->publish.properties.topic_alias, steps[i].alias);
		if (!qos)
			continue;
		acknowledge(c, GG_MQTT_PUBACK, p->publish.packet_id);
		expect_ack(d, GG_MQTT_PUBACK, 1, 0);
	}
	subscribe(d, "x/#", 0);
	publish(d, "x/a/1", "v", 0, 0);
	assert_int_equal(expect_message(d, "x/a/1", "v")->publish.properties.present, 0); /* it takes none */
}

/* ---- reasons in words ---- */

static struct client *enter_quiet(int i, const char *id, uint8_t wants, uint32_t largest)
{
	struct gg_mqtt_connect connect = as(id, GG_MQTT_V5, true);
	connect.properties.request_problem = wants;
	connect.properties.maximum_packet = largest;
	gg_mqtt_set(&connect.properties, GG_MQTT_REQUEST_PROBLEM);
	gg_mqtt_set(&connect.properties, GG_MQTT_MAXIMUM_PACKET);
	struct client *c = connect_with(i, connect);
	assert_int_equal(expect(c, GG_MQTT_CONNACK)->connack.reason, 0);
	return c;
}

static void a_refusal_says_why_to_who_wants_to_know(void **state)
{
	(void)state;
	struct client *c = enter(0, "c", GG_MQTT_V5, true);
	publish(c, "sensors/d", "no json", 1, 1);
	const struct gg_mqtt_packet *p = expect(c, GG_MQTT_PUBACK);
	check_str(p->ack.properties.reason, "the payload can't be read as its topic says");
	c = enter_quiet(0, "c", 0, 1000);
	publish(c, "sensors/d", "no json", 1, 1);
	p = expect(c, GG_MQTT_PUBACK);
	assert_int_equal(p->ack.reason, GG_MQTT_BAD_PAYLOAD);
	assert_int_equal(p->ack.properties.present, 0);
	c = enter_quiet(0, "c", 1, 40); /* words that would not fit are left out */
	publish(c, "sensors/d", "no json", 1, 1);
	assert_int_equal(expect(c, GG_MQTT_PUBACK)->ack.properties.present, 0);
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_PINGRESP});
	assert_int_equal(expect(c, GG_MQTT_DISCONNECT)->disconnect.reason, GG_MQTT_PROTOCOL_ERROR);
}

static void a_refused_client_hears_why(void **state)
{
	(void)state;
	listener.loopback = false;
	struct client *c = connect_with(0, as("c", GG_MQTT_V5, true));
	const struct gg_mqtt_packet *p = expect(c, GG_MQTT_CONNACK);
	assert_int_equal(p->connack.reason, GG_MQTT_NOT_AUTHORIZED);
	check_str(p->connack.properties.reason, "no credentials");
}

/* ---- to another server ---- */

static void clients_are_sent_to_another_server(void **state)
{
	(void)state;
	b->o.redirect.to = "other:1883";
	const struct gg_mqtt_packet *p = expect(connect_with(0, as("c", GG_MQTT_V5, true)), GG_MQTT_CONNACK);
	assert_int_equal(p->connack.reason, GG_MQTT_USE_ANOTHER_SERVER);
	check_str(p->connack.properties.server_reference, "other:1883");
	b->o.redirect.kind = REDIRECT_MOVED;
	p = expect(connect_with(0, as("c", GG_MQTT_V5, true)), GG_MQTT_CONNACK);
	assert_int_equal(p->connack.reason, GG_MQTT_SERVER_MOVED);
	p = expect(connect_with(1, as("c", GG_MQTT_V3, true)), GG_MQTT_CONNACK);
	assert_int_equal(p->connack.reason, GG_MQTT_SERVER_UNAVAILABLE);
}

static void tells_where_to_listen_for_answers(void **state)
{
	(void)state;
	b->o.response_information = "answers/{client}/#";
	struct gg_mqtt_connect connect = as("c", GG_MQTT_V5, true);
	const struct gg_mqtt_packet *p = expect(connect_with(0, connect), GG_MQTT_CONNACK);
	assert_false(gg_mqtt_has(&p->connack.properties, GG_MQTT_RESPONSE_INFO));
	connect.properties.request_response = 1;
	gg_mqtt_set(&connect.properties, GG_MQTT_REQUEST_RESPONSE);
	p = expect(connect_with(0, connect), GG_MQTT_CONNACK);
	check_str(p->connack.properties.response_info, "answers/c/#");
}

static void tells_a_client_what_it_has_changed_of_its_wishes(void **state)
{
	(void)state;
	b->o.keep_alive_ns = 30 * GG_NS_PER_S;
	struct gg_mqtt_connect connect = as("", GG_MQTT_V5, false);
	connect.keep_alive_s = 600;
	connect.properties.session_expiry_s = UINT32_MAX;
	const struct gg_mqtt_properties *q =
		&expect(connect_with(0, connect), GG_MQTT_CONNACK)->connack.properties;
	assert_int_equal(q->server_keep_alive_s, 30);
	assert_int_equal(q->session_expiry_s, 3600);
	assert_int_equal(q->receive_maximum, 4);
	assert_int_equal(q->maximum_packet, 1 << 16);
	assert_int_equal(q->alias_maximum, 32);
	assert_true(gg_str_starts(q->assigned_client_id, GG_STR("auto-")));
	connect = as("c", GG_MQTT_V5, false);
	connect.keep_alive_s = 10;
	q = &expect(connect_with(0, connect), GG_MQTT_CONNACK)->connack.properties;
	assert_false(gg_mqtt_has(q, GG_MQTT_SERVER_KEEP_ALIVE));
	assert_false(gg_mqtt_has(q, GG_MQTT_SESSION_EXPIRY));
	assert_false(gg_mqtt_has(q, GG_MQTT_ASSIGNED_CLIENT_ID));
}

/* ---- SCRAM, with a client of our own making ---- */

static char text[1024], first_bare[64];

static void hmac(const uint8_t *key, const char *message, uint8_t *to)
{
	unsigned size = 32;
	HMAC(EVP_sha256(), key, 32, (const uint8_t *)message, strlen(message), to, &size);
}

static struct gg_mqtt_properties method(const char *data)
{
	struct gg_mqtt_properties q = {.auth_method = GG_STR(GG_SCRAM_NAME), .auth_data = gg_str(data)};
	gg_mqtt_set(&q, GG_MQTT_AUTH_METHOD);
	gg_mqtt_set(&q, GG_MQTT_AUTH_DATA);
	return q;
}

static char *first_message(const char *user)
{
	static char message[128];
	snprintf(first_bare, sizeof first_bare, "n=%s,r=clientnonce", user);
	snprintf(message, sizeof message, "n,,%s", first_bare);
	return message;
}

/* client-final, from what the server said. */
static char *final_message(struct gg_str server_first, const char *password)
{
	static char message[1024];
	char challenge[512], nonce[128], salt64[64], base64[64];
	unsigned rounds = 0;
	uint8_t salt[48], salted[32], key[32], stored[32], signature[32];
	gg_str_copy(challenge, sizeof challenge, server_first);
	assert_int_equal(sscanf(challenge, "r=%127[^,],s=%63[^,],i=%u", nonce, salt64, &rounds), 3);
	EVP_DecodeBlock(salt, (uint8_t *)salt64, (int)strlen(salt64));
	PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, 16, (int)rounds, EVP_sha256(), 32, salted);
	hmac(salted, "Client Key", key);
	EVP_Digest(key, 32, stored, NULL, EVP_sha256(), NULL);
	snprintf(text, sizeof text, "%s,%s,c=biws,r=%s", first_bare, challenge, nonce);
	hmac(stored, text, signature);
	for (int i = 0; i < 32; i++)
		key[i] ^= signature[i];
	EVP_EncodeBlock((uint8_t *)base64, key, 32);
	snprintf(message, sizeof message, "c=biws,r=%s,p=%s", nonce, base64);
	return message;
}

static void say_auth(struct client *c, uint8_t reason, const char *data)
{
	say(c, &(struct gg_mqtt_packet){
		       .type = GG_MQTT_AUTH, .disconnect = {.reason = reason, .properties = method(data)}});
}

static struct client *begin_scram(const char *user)
{
	listener.loopback = false;
	if (!gateway.verifier[0])
		assert_int_equal(gg_scram_make(GG_STR("pencil"), gateway.verifier), 0);
	struct gg_mqtt_connect connect = as("c", GG_MQTT_V5, true);
	connect.properties = method(first_message(user));
	return connect_with(0, connect);
}

static struct client *enter_by_scram(const char *user)
{
	struct client *c = begin_scram(user);
	const struct gg_mqtt_packet *p = expect(c, GG_MQTT_AUTH);
	assert_int_equal(p->disconnect.reason, GG_MQTT_CONTINUE_AUTH);
	check_str(p->disconnect.properties.auth_method, GG_SCRAM_NAME);
	say_auth(c, GG_MQTT_CONTINUE_AUTH, final_message(p->disconnect.properties.auth_data, "pencil"));
	p = expect(c, GG_MQTT_CONNACK);
	assert_int_equal(p->connack.reason, 0);
	assert_true(gg_str_starts(p->connack.properties.auth_data, GG_STR("v=")));
	return c;
}

static void a_device_proves_its_password_by_scram(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	struct client *c = enter_by_scram("press-2");
	publish(c, "press-2/temp", "1", 1, 1);
	expect_ack(c, GG_MQTT_PUBACK, 1, 0);
	assert_int_equal(subscribe(c, "#", 0), GG_MQTT_NOT_AUTHORIZED);
}

static void authenticates_again_while_it_is_connected(void **state)
{
	(void)state;
	gateway.sync_at_once = true;
	struct client *c = enter_by_scram("press-2");
	say_auth(c, GG_MQTT_REAUTHENTICATE, first_message("press-2"));
	struct gg_str challenge = expect(c, GG_MQTT_AUTH)->disconnect.properties.auth_data;
	char *final = final_message(challenge, "pencil");
	publish(c, "press-2/temp", "1", 1, 1); /* goes on meanwhile */
	expect_ack(c, GG_MQTT_PUBACK, 1, 0);
	say_auth(c, GG_MQTT_CONTINUE_AUTH, final);
	assert_int_equal(expect(c, GG_MQTT_AUTH)->disconnect.reason, GG_MQTT_SUCCESS);
	say_auth(c, GG_MQTT_REAUTHENTICATE, first_message("press-3"));
	assert_int_equal(expect(c, GG_MQTT_DISCONNECT)->disconnect.reason, GG_MQTT_NOT_AUTHORIZED);
}

static void a_wrong_password_ends_the_exchange(void **state)
{
	(void)state;
	struct client *c = begin_scram("press-2");
	struct gg_str challenge = expect(c, GG_MQTT_AUTH)->disconnect.properties.auth_data;
	say_auth(c, GG_MQTT_CONTINUE_AUTH, final_message(challenge, "crayon"));
	assert_int_equal(expect(c, GG_MQTT_CONNACK)->connack.reason, GG_MQTT_BAD_CREDENTIALS);
	assert_int_equal(expect(c, 0)->type, 0);
	c = enter_by_scram("press-2");
	say_auth(c, GG_MQTT_REAUTHENTICATE, first_message("press-2"));
	challenge = expect(c, GG_MQTT_AUTH)->disconnect.properties.auth_data;
	say_auth(c, GG_MQTT_CONTINUE_AUTH, final_message(challenge, "crayon"));
	assert_int_equal(expect(c, GG_MQTT_DISCONNECT)->disconnect.reason, GG_MQTT_NOT_AUTHORIZED);
}

static void an_exchange_out_of_order_is_ended(void **state)
{
	(void)state;
	struct client *c = begin_scram("press-2");
	expect(c, GG_MQTT_AUTH);
	publish(c, "press-2/temp", "1", 0, 0);
	assert_int_equal(expect(c, 0)->type, 0);
	assert_int_equal(gateway.samples, 0);
	listener.loopback = true;
	c = enter(0, "c", GG_MQTT_V5, true);
	say_auth(c, GG_MQTT_REAUTHENTICATE, first_message("press-2")); /* it came in without */
	assert_int_equal(expect(c, GG_MQTT_DISCONNECT)->disconnect.reason, GG_MQTT_PROTOCOL_ERROR);
	struct gg_mqtt_connect connect = as("c", GG_MQTT_V5, true);
	connect.properties = method("x");
	connect.properties.auth_method = GG_STR("PLAIN");
	c = connect_with(0, connect);
	assert_int_equal(expect(c, GG_MQTT_CONNACK)->connack.reason, GG_MQTT_BAD_AUTH_METHOD);
	connect.properties.auth_method = GG_STR(GG_SCRAM_NAME);
	c = connect_with(0, connect);
	assert_int_equal(expect(c, GG_MQTT_CONNACK)->connack.reason, GG_MQTT_NOT_AUTHORIZED);
	begin_scram("press-2"); /* and then the client is gone */
	close(clients[0].fd);
	clients[0].fd = 0;
	turn();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_topic_is_sent_once_to_who_takes_aliases),
		CASE(a_refusal_says_why_to_who_wants_to_know),
		CASE(a_refused_client_hears_why),
		CASE(clients_are_sent_to_another_server),
		CASE(tells_where_to_listen_for_answers),
		CASE(tells_a_client_what_it_has_changed_of_its_wishes),
		CASE(a_device_proves_its_password_by_scram),
		CASE(authenticates_again_while_it_is_connected),
		CASE(a_wrong_password_ends_the_exchange),
		CASE(an_exchange_out_of_order_is_ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
