/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CONNECT (§3.1): who is it, may it, which session does it go on with.
 *
 * A client without credentials is let in where the option anonymous allows it, as an application that may
 * use all topics. All others are asked of the device registry, which may take a while (a password's hash);
 * meanwhile nothing is read from the client and its CONNECT is kept as it came.
 *
 * A session belongs to who made it: another device cannot take it over by calling itself the same.
 */
#include "broker.h"

#include "base/log.h"
#include "security/scram.h"

#include <sys/random.h>

enum { CLIENT_ID_MAX = 256 };

struct login {
	struct connection *connection; /* NULL: gone meanwhile */
	size_t len;
	char bytes[]; /* the CONNECT's body */
};

void gg_connect_refuse(struct connection *c, uint8_t reason, const char *why)
{
	struct gg_mqtt_packet p = {.type = GG_MQTT_CONNACK, .connack = {.reason = reason}};
	struct gg_mqtt_properties *q = &p.connack.properties;
	char block[LIMIT_BLOCK];
	bool moved = reason == GG_MQTT_USE_ANOTHER_SERVER || reason == GG_MQTT_SERVER_MOVED;
	gg_connection_explain(q, why, NULL, block);
	if (moved) {
		q->server_reference = gg_str(c->broker->o.redirect.to);
		gg_mqtt_set(q, GG_MQTT_SERVER_REFERENCE);
	}
	gg_count(c->broker->count.refused_logins, 1);
	c->told = true;
	gg_log(GG_WARN, c->broker->outside.name, "client refused", GG_S("peer", gg_stream_peer(c->stream)),
		GG_S("why", why));
	gg_connection_send(c, &p);
	gg_connection_end(c, 0, why);
}

/* ---- the session ---- */

static uint32_t expiry_of(const struct broker *b, const struct gg_mqtt_connect *p)
{
	int64_t most = b->o.session_expiry_ns / GG_NS_PER_S;
	uint32_t most_s = most > UINT32_MAX ? UINT32_MAX : (uint32_t)most;
	if (p->version == GG_MQTT_V3)
		return p->clean ? 0 : most_s;
	uint32_t asked =
		gg_mqtt_has(&p->properties, GG_MQTT_SESSION_EXPIRY) ? p->properties.session_expiry_s : 0;
	return asked > most_s ? most_s : asked;
}

static struct session *take_session(
	struct connection *c, const struct gg_mqtt_connect *p, struct gg_str id, bool *ret_present)
{
	struct broker *b = c->broker;
	struct session *s = gg_session_find(b, id);
	if (s && s->connection) {
		gg_connection_end(s->connection, GG_MQTT_TAKEN_OVER, "taken over by another connection");
		s = gg_session_find(b, id); /* it may have ended with it */
	}
	if (s && p->clean) {
		gg_session_end(s, false);
		s = NULL;
	}
	*ret_present = s != NULL;
	return s ? s : gg_session_new(b, id);
}

static int set_will(struct session *s, const struct gg_mqtt_connect *p)
{
	if (!p->has_will) {
		gg_session_drop_will(s);
		return 0;
	}
	gg_message_unref(s->will);
	s->will_serial = 0;
	s->will_delay_s = 0;
	struct gg_mqtt_publish m = {.topic = p->will.topic,
		.payload = p->will.payload,
		.qos = p->will.qos,
		.retain = p->will.retain,
		.properties = p->will.properties};
	s->will = gg_message_new(s->broker, &m);
	if (gg_mqtt_has(&p->will.properties, GG_MQTT_WILL_DELAY))
		s->will_delay_s = p->will.properties.will_delay_s;
	return s->will ? 0 : -ENOMEM;
}

/* ---- CONNACK ---- */

static void set_keep_alive(
	struct connection *c, const struct gg_mqtt_connect *p, struct gg_mqtt_properties *q)
{
	int64_t most_s = c->broker->o.keep_alive_ns / GG_NS_PER_S;
	uint16_t seconds = p->keep_alive_s;
	if (most_s && most_s <= UINT16_MAX && c->version == GG_MQTT_V5 && (!seconds || seconds > most_s)) {
		seconds = (uint16_t)most_s;
		q->server_keep_alive_s = seconds;
		gg_mqtt_set(q, GG_MQTT_SERVER_KEEP_ALIVE);
	}
	c->keep_alive_ns = (int64_t)seconds * GG_NS_PER_S * 3 / 2;
	if (c->keep_alive_ns) /* the timer that waited for CONNECT goes on as this one */
		gg_timer_start(c->broker->loop, &c->timer, c->keep_alive_ns, c->timer.fire);
	else
		gg_timer_stop(&c->timer);
}

static void say_limits(
	const struct connection *c, const struct gg_mqtt_connect *p, struct gg_mqtt_properties *q)
{
	const struct broker_options *o = &c->broker->o;
	if (o->max_inflight < UINT16_MAX) {
		q->receive_maximum = (uint16_t)o->max_inflight;
		gg_mqtt_set(q, GG_MQTT_RECEIVE_MAXIMUM_ID);
	}
	q->maximum_packet = (uint32_t)o->max_packet;
	gg_mqtt_set(q, GG_MQTT_MAXIMUM_PACKET);
	q->alias_maximum = BROKER_ALIASES;
	gg_mqtt_set(q, GG_MQTT_ALIAS_MAXIMUM);
	if (gg_mqtt_has(&p->properties, GG_MQTT_SESSION_EXPIRY) &&
		p->properties.session_expiry_s != c->session->expiry_s) {
		q->session_expiry_s = c->session->expiry_s;
		gg_mqtt_set(q, GG_MQTT_SESSION_EXPIRY);
	}
}

static void learn_limits(struct connection *c, const struct gg_mqtt_connect *p)
{
	const struct gg_mqtt_properties *q = &p->properties;
	c->alias_maximum = gg_mqtt_has(q, GG_MQTT_ALIAS_MAXIMUM) ? q->alias_maximum : 0;
	c->receive_maximum = gg_mqtt_has(q, GG_MQTT_RECEIVE_MAXIMUM_ID) ? q->receive_maximum : UINT16_MAX;
	c->maximum_packet = gg_mqtt_has(q, GG_MQTT_MAXIMUM_PACKET) ? q->maximum_packet : UINT32_MAX;
	c->problem_info = !gg_mqtt_has(q, GG_MQTT_REQUEST_PROBLEM) || q->request_problem;
}

static struct gg_str choose_id(const struct gg_mqtt_connect *p, char *made, size_t size)
{
	uint64_t random[2] = {0};
	if (p->client_id.len)
		return p->client_id;
	if (getrandom(random, sizeof random, 0) != sizeof random)
		random[0] = (uint64_t)(uintptr_t)p;
	int n = snprintf(made, size, "auto-%016llx%016llx", (unsigned long long)random[0],
		(unsigned long long)random[1]);
	return gg_str_n(made, (size_t)n);
}

/* Where to listen for answers to requests (§4.10.1): the option's topic, with the client's id in it. */
static void say_response(const struct connection *c, const struct gg_mqtt_connect *p, struct gg_str id,
	struct gg_buf *text, struct gg_mqtt_properties *q)
{
	const char *pattern = c->broker->o.response_information;
	if (!pattern || !gg_mqtt_has(&p->properties, GG_MQTT_REQUEST_RESPONSE) ||
		!p->properties.request_response)
		return;
	const char *at = strstr(pattern, "{client}");
	gg_buf_add(text, pattern, at ? (size_t)(at - pattern) : strlen(pattern));
	if (at) {
		gg_buf_str(text, id);
		gg_buf_str(text, gg_str(at + strlen("{client}")));
	}
	if (text->error)
		return;
	q->response_info = gg_buf_view(text);
	gg_mqtt_set(q, GG_MQTT_RESPONSE_INFO);
}

static void say_method(struct gg_str data, struct gg_mqtt_properties *q)
{
	if (!data.len)
		return;
	q->auth_method = GG_STR(GG_SCRAM_NAME);
	q->auth_data = data;
	gg_mqtt_set(q, GG_MQTT_AUTH_METHOD);
	gg_mqtt_set(q, GG_MQTT_AUTH_DATA);
}

/* false: the client takes no packet of that size; it is ended. */
static bool send_connack(struct connection *c, const struct gg_mqtt_connect *p, struct gg_str id,
	bool present, struct gg_str data)
{
	struct gg_buf response GG_CLEANUP(gg_buf_done) = GG_BUF(2048);
	struct gg_mqtt_packet ack = {.type = GG_MQTT_CONNACK, .connack = {.session_present = present}};
	struct gg_mqtt_properties *q = &ack.connack.properties;
	set_keep_alive(c, p, q);
	if (c->version == GG_MQTT_V5) {
		say_limits(c, p, q);
		say_response(c, p, id, &response, q);
		say_method(data, q);
	}
	if (!p->client_id.len) {
		q->assigned_client_id = id;
		gg_mqtt_set(q, GG_MQTT_ASSIGNED_CLIENT_ID);
	}
	c->state = CONNECTED;
	if (gg_connection_send(c, &ack) == 0)
		return true;
	gg_connection_end(c, 0, "the client takes no packet of the size of a CONNACK");
	return false;
}

void gg_connect_establish(struct connection *c, const struct gg_mqtt_connect *p, struct gg_str data)
{
	struct broker *b = c->broker;
	char made[64];
	struct gg_str id = choose_id(p, made, sizeof made);
	struct session *s = gg_session_find(b, id);
	bool present = false;
	if (s && s->device != c->device) {
		gg_connect_refuse(c, GG_MQTT_BAD_CLIENT_ID, "the client id belongs to another device");
		return;
	}
	if (p->has_will && gg_limit_topic(b, p->will.topic)) {
		gg_connect_refuse(c, GG_MQTT_BAD_TOPIC, "the will's topic is too long");
		return;
	}
	if (p->has_will && (p->will.topic.p[0] == '$' || !gg_access(c, p->will.topic))) {
		gg_connect_refuse(c, GG_MQTT_NOT_AUTHORIZED, "the will's topic is not the client's own");
		return;
	}
	s = take_session(c, p, id, &present);
	if (!s || set_will(s, p) < 0) {
		gg_connect_refuse(c, GG_MQTT_QUOTA, "no memory for the session");
		return;
	}
	bool persisted = present && gg_session_persists(s);
	s->expiry_s = expiry_of(b, p);
	s->device = c->device;
	s->any_topic = c->any_topic;
	s->connection = c;
	s->drop_told = false;
	c->session = s;
	gg_timer_stop(&s->expiry);
	gg_timer_stop(&s->will_timer);
	if (gg_session_persists(s))
		gg_persist_session(s, NULL);
	else if (persisted)
		gg_persist_session_end(s);
	if (s->will)
		gg_persist_will(s);
	if (!send_connack(c, p, id, present, data))
		return;
	if (c->device != GG_NONE)
		b->outside.health(b->outside.arg, c->device, true, "connected");
	gg_outbound_reconnected(s);
}

/* ---- who it is ---- */

static bool anonymous_may(const struct connection *c)
{
	int who = c->broker->o.anonymous;
	return who == ANONYMOUS_ALWAYS || (who == ANONYMOUS_AUTO && c->trusted);
}

void gg_connect_identify(struct connection *c, const struct gg_grant *g)
{
	free(c->id);
	free(c->topics);
	c->device = g->device;
	c->any_topic = g->any_topic;
	c->id = g->id.len ? gg_str_dup(g->id) : NULL;
	c->topics = g->topics.len ? gg_str_dup(g->topics) : NULL;
}

void gg_connect_not_granted(struct connection *c, int status)
{
	if (status == -EDQUOT)
		gg_connect_refuse(c, GG_MQTT_CONNECTION_RATE, "too many failed logins");
	else if (status == -EAGAIN)
		gg_connect_refuse(c, GG_MQTT_SERVER_BUSY, "too many logins at once");
	else
		gg_connect_refuse(c, GG_MQTT_BAD_CREDENTIALS, "unknown name or wrong password");
}

static void granted(void *arg, const struct gg_grant *g)
{
	struct login *l = arg;
	struct connection *c = l->connection;
	struct gg_mqtt_packet p;
	uint8_t reason;
	struct gg_mqtt_frame f = {.type = GG_MQTT_CONNECT, .body = {l->bytes, l->len}};
	if (c)
		c->login = NULL;
	if (!c || c->closing || gg_mqtt_decode(&f, c->version, &p, &reason) < 0) {
		free(l);
		return;
	}
	gg_connect_identify(c, g);
	if (g->status == 0)
		gg_connect_establish(c, &p.connect, GG_STR(""));
	else
		gg_connect_not_granted(c, g->status);
	gg_connection_resume(c, PAUSE_LOGIN);
	free(l);
}

static void ask(struct connection *c, const struct gg_mqtt_frame *f, const struct gg_mqtt_connect *p,
	struct gg_str certificate)
{
	struct broker *b = c->broker;
	struct login *l = malloc(sizeof *l + f->body.len);
	if (!l) {
		gg_connect_refuse(c, GG_MQTT_SERVER_BUSY, "out of memory");
		return;
	}
	l->connection = c;
	l->len = f->body.len;
	memcpy(l->bytes, f->body.p, f->body.len);
	struct gg_login login = {.user = p->user,
		.secret = p->password,
		.certificate = certificate,
		.peer = gg_str(gg_stream_peer(c->stream)),
		.local = anonymous_may(c)}; /* an empty name with an empty password is nobody, too */
	c->login = l;
	c->state = AWAITS_LOGIN;
	gg_connection_pause(c, PAUSE_LOGIN);
	if (b->outside.login(b->outside.arg, &login, granted, l) < 0) {
		c->login = NULL;
		free(l);
		gg_connect_refuse(c, GG_MQTT_SERVER_BUSY, "too many logins at once");
	}
}

void gg_connect_in(struct connection *c, const struct gg_mqtt_frame *f, const struct gg_mqtt_connect *p)
{
	struct gg_str certificate = gg_str(gg_stream_certificate_name(c->stream));
	c->version = (enum gg_mqtt_version)p->version;
	learn_limits(c, p);
	if (c->broker->o.redirect.to) {
		gg_connect_refuse(c, gg_redirect_reason(c->broker), "clients are sent to another server");
	} else if (p->client_id.len > CLIENT_ID_MAX ||
		   (!p->client_id.len && !p->clean && c->version == GG_MQTT_V3)) {
		gg_connect_refuse(c, GG_MQTT_BAD_CLIENT_ID, "client id empty or too long");
	} else if (gg_mqtt_has(&p->properties, GG_MQTT_AUTH_METHOD)) {
		gg_auth_connect(c, f, p);
	} else if (p->has_user || p->has_password || certificate.len) {
		ask(c, f, p, certificate);
	} else if (anonymous_may(c)) {
		c->any_topic = true;
		gg_connect_establish(c, p, GG_STR(""));
	} else {
		gg_connect_refuse(c, GG_MQTT_NOT_AUTHORIZED, "no credentials");
	}
}

void gg_connect_forget(struct connection *c)
{
	if (c->login)
		c->login->connection = NULL;
	c->login = NULL;
}
