/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enhanced authentication (§4.12): SCRAM-SHA-256, without channel binding. The registry gives the verifier of
 * the name, or one that nobody can prove; the exchange is run here, and the registry has the last word.
 *
 *   CONNECT client-first ─▶ ASK ─▶ AUTH 0x18 server-first ─▶ AUTH 0x18 client-final ─▶ GOOD/BAD ─▶ CONNACK
 * server-final AUTH 0x19 client-first ─▶ the same, at any time later ─────────────────────────────────────▶
 * AUTH 0x00 server-final
 *
 * Who authenticates again must be who it was. While the registry is asked nothing is read from the client;
 * between the two messages of a second exchange it goes on with its messages (§4.12.1).
 */
#include "broker.h"

#include "base/log.h"
#include "security/scram.h"

#include <openssl/crypto.h>

struct auth {
	struct connection *connection; /* NULL: gone meanwhile */
	bool asked;                    /* the registry has it */
	bool again;                    /* a client that is in already */
	struct gg_scram scram;
	char verifier[GG_SCRAM_TEXT];
	char final[GG_SCRAM_MESSAGE]; /* ours */
	size_t final_len;
	size_t len;
	char connect[]; /* the CONNECT's body, of the first time */
};

static void auth_free(struct auth *a)
{
	if (!a)
		return;
	OPENSSL_cleanse(a, sizeof *a);
	free(a);
}

void gg_auth_forget(struct connection *c)
{
	struct auth *a = GG_TAKE(c->auth);
	if (a && a->asked)
		a->connection = NULL;
	else
		auth_free(a);
}

/* The exchange is over without success. */
static void fail(struct connection *c, uint8_t reason, const char *why)
{
	bool again = c->auth ? c->auth->again : c->state == CONNECTED;
	gg_auth_forget(c);
	if (again)
		gg_connection_end(c, reason, why);
	else
		gg_connect_refuse(c, reason, why);
}

static int send_auth(struct connection *c, uint8_t reason, struct gg_str data)
{
	struct gg_mqtt_packet p = {.type = GG_MQTT_AUTH, .disconnect = {.reason = reason}};
	struct gg_mqtt_properties *q = &p.disconnect.properties;
	q->auth_method = GG_STR(GG_SCRAM_NAME);
	q->auth_data = data;
	gg_mqtt_set(q, GG_MQTT_AUTH_METHOD);
	gg_mqtt_set(q, GG_MQTT_AUTH_DATA);
	return gg_connection_send(c, &p);
}

static void ask(struct auth *a, enum gg_login_step step, void (*granted)(void *arg, const struct gg_grant *g))
{
	struct connection *c = a->connection;
	struct broker *b = c->broker;
	struct gg_login login = {.user = gg_str(a->scram.user),
		.secret = step == GG_LOGIN_SCRAM_GOOD ? gg_str(a->verifier) : GG_STR(""),
		.peer = gg_str(gg_stream_peer(c->stream)),
		.step = step};
	a->asked = true;
	gg_connection_pause(c, PAUSE_LOGIN);
	if (b->outside.login(b->outside.arg, &login, granted, a) == 0)
		return;
	a->asked = false;
	fail(c, GG_MQTT_SERVER_BUSY, "too many logins at once");
}

/* What the registry said is for this exchange; NULL: there is nobody left. */
static struct connection *answered(struct auth *a)
{
	struct connection *c = a->connection;
	a->asked = false;
	if (c && !c->closing)
		return c;
	if (c)
		c->auth = NULL;
	auth_free(a);
	return NULL;
}

/* ---- the first half ---- */

static void verifier_given(void *arg, const struct gg_grant *g)
{
	struct auth *a = arg;
	struct gg_scram_verifier v;
	char nonce[GG_SCRAM_NONCE + 1], message[GG_SCRAM_MESSAGE];
	size_t len = 0;
	struct connection *c = answered(a);
	if (!c)
		return;
	if (g->status < 0) {
		fail(c, g->status == -EDQUOT ? GG_MQTT_CONNECTION_RATE : GG_MQTT_SERVER_BUSY,
			g->status == -EDQUOT ? "too many failed logins" : "the registry does not answer");
	} else if (gg_scram_parse(g->verifier, &v) < 0 || gg_scram_nonce(nonce) < 0 ||
		   gg_scram_challenge(&a->scram, &v, gg_str(nonce), message, &len) < 0) {
		fail(c, GG_MQTT_NOT_AUTHORIZED, "the SCRAM exchange can't go on");
	} else {
		gg_str_copy(a->verifier, sizeof a->verifier, g->verifier);
		if (!a->again)
			c->state = AWAITS_AUTH;
		send_auth(c, GG_MQTT_CONTINUE_AUTH, gg_str_n(message, len));
	}
	gg_connection_resume(c, PAUSE_LOGIN);
}

static void begin(struct connection *c, bool again, const struct gg_mqtt_properties *q, struct gg_str connect)
{
	struct auth *a = calloc(1, sizeof *a + connect.len);
	if (!a) {
		fail(c, GG_MQTT_SERVER_BUSY, "out of memory");
		return;
	}
	*a = (struct auth){.connection = c, .again = again, .len = connect.len};
	if (connect.len)
		memcpy(a->connect, connect.p, connect.len);
	c->auth = a;
	int rc = gg_mqtt_has(q, GG_MQTT_AUTH_DATA) ? gg_scram_first(&a->scram, q->auth_data) : -EINVAL;
	if (rc == -ENOTSUP)
		fail(c, GG_MQTT_BAD_AUTH_METHOD,
			"SCRAM with channel binding, or for another, is not supported");
	else if (rc < 0)
		fail(c, GG_MQTT_NOT_AUTHORIZED, "not a first message of SCRAM");
	else if (again && (!c->id || strcmp(c->id, a->scram.user) != 0))
		fail(c, GG_MQTT_NOT_AUTHORIZED, "it authenticates again as another");
	else
		ask(a, GG_LOGIN_SCRAM_ASK, verifier_given);
}

void gg_auth_connect(struct connection *c, const struct gg_mqtt_frame *f, const struct gg_mqtt_connect *p)
{
	if (!gg_str_is(p->properties.auth_method, GG_SCRAM_NAME)) {
		gg_connect_refuse(
			c, GG_MQTT_BAD_AUTH_METHOD, "the only authentication method is " GG_SCRAM_NAME);
		return;
	}
	c->state = AWAITS_LOGIN;
	begin(c, false, &p->properties, f->body);
}

/* ---- the second half ---- */

static void let_in(struct connection *c, struct auth *a)
{
	struct gg_mqtt_packet p;
	uint8_t reason;
	struct gg_mqtt_frame f = {.type = GG_MQTT_CONNECT, .body = {a->connect, a->len}};
	if (gg_mqtt_decode(&f, c->version, &p, &reason) < 0) /* was decoded before */
		return;
	c->authenticates = true;
	gg_connect_establish(c, &p.connect, gg_str_n(a->final, a->final_len));
}

static void proved(void *arg, const struct gg_grant *g)
{
	struct auth *a = arg;
	struct connection *c = answered(a);
	if (!c)
		return;
	if (g->status == 0 && a->final_len) {
		c->auth = NULL;
		gg_connect_identify(c, g);
		if (a->again)
			send_auth(c, GG_MQTT_SUCCESS, gg_str_n(a->final, a->final_len));
		else
			let_in(c, a);
		auth_free(a);
	} else if (a->again) {
		fail(c, GG_MQTT_NOT_AUTHORIZED, "it could not authenticate again");
	} else {
		gg_auth_forget(c);
		gg_connect_not_granted(c, g->status < 0 ? g->status : -EACCES);
	}
	gg_connection_resume(c, PAUSE_LOGIN);
}

static void continue_with(struct connection *c, struct gg_str data)
{
	struct auth *a = c->auth;
	bool good = gg_scram_final(&a->scram, data, a->final, &a->final_len) == 0;
	if (!good)
		a->final_len = 0;
	ask(a, good ? GG_LOGIN_SCRAM_GOOD : GG_LOGIN_SCRAM_BAD, proved);
}

void gg_auth_in(struct connection *c, const struct gg_mqtt_disconnect *p)
{
	const struct gg_mqtt_properties *q = &p->properties;
	bool same = gg_mqtt_has(q, GG_MQTT_AUTH_METHOD) && gg_str_is(q->auth_method, GG_SCRAM_NAME);
	bool goes_on = p->reason == GG_MQTT_CONTINUE_AUTH && c->auth;
	bool begins =
		p->reason == GG_MQTT_REAUTHENTICATE && c->state == CONNECTED && c->authenticates && !c->auth;
	if (!same || (!goes_on && !begins)) { /* [MQTT-4.12.0-5], [MQTT-4.12.1-1] */
		gg_count(c->broker->count.protocol_errors, 1);
		gg_connection_end(c, GG_MQTT_PROTOCOL_ERROR, "AUTH where none belongs");
	} else if (goes_on) {
		continue_with(c, gg_mqtt_has(q, GG_MQTT_AUTH_DATA) ? q->auth_data : GG_STR(""));
	} else {
		begin(c, true, q, GG_STR(""));
	}
}
