/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets a message, and sending it with QoS 0.
 *
 * All subscriptions that match are gathered by session, so that overlapping ones give one copy with the
 * highest QoS and all identifiers (§3.3.4). Of each shared subscription one member is chosen, in turn,
 * those that are connected first (§4.8.2). With QoS 0 the packet is encoded once per protocol version and
 * copied into each client's output; with more it becomes a shared message in each session's queue, and one
 * record in the journal names all sessions that outlive their connection.
 */
#include "broker.h"

#include "base/log.h"

struct match {
	struct session *session;
	const struct subscription *share; /* not decided yet, session is NULL */
	uint32_t ids[OUT_IDS];
	uint8_t qos;
	bool retain_as_published;
};

struct encoded {
	uint8_t *bytes;
	size_t len;
};

struct delivery {
	struct broker *broker;
	const struct gg_mqtt_publish *publish;
	struct session *from;
	struct message *message; /* made when the first needs it */
	struct hold *hold;
	struct persist_receiver *receivers;
	size_t receiver_count;
	struct gg_buf bytes[2]; /* of QoS 0, by version */
	unsigned given;
};

static struct match *new_match(struct broker *b)
{
	if (b->match_count == b->match_cap) {
		uint32_t cap = b->match_cap ? b->match_cap * 2 : 64;
		struct match *bigger = realloc(b->matches, cap * sizeof *bigger);
		if (!bigger)
			return NULL;
		b->matches = bigger;
		b->match_cap = cap;
	}
	struct match *m = &b->matches[b->match_count++];
	*m = (struct match){0};
	return m;
}

static void merge(struct broker *b, const struct subscription *sub)
{
	struct session *s = sub->session;
	struct match *m;
	bool seen = s->match_turn == b->match_turn;
	if (seen && !(sub->id && b->matches[s->match_place].ids[OUT_IDS - 1])) {
		m = &b->matches[s->match_place];
	} else { /* also a further copy when there is no room for one more identifier, [MQTT-3.3.4-5] */
		m = new_match(b);
		if (!m)
			return;
		m->session = s;
		s->match_turn = b->match_turn;
		s->match_place = b->match_count - 1;
	}
	if (sub->qos > m->qos)
		m->qos = sub->qos;
	m->retain_as_published |= sub->retain_as_published;
	for (size_t i = 0; sub->id && i < OUT_IDS; i++)
		if (!m->ids[i]) {
			m->ids[i] = sub->id;
			break;
		}
}

static void found(void *arg, struct gg_topic_entry *entry)
{
	struct delivery *d = arg;
	const struct subscription *sub = (const struct subscription *)entry;
	if (sub->no_local && sub->session == d->from)
		return;
	if (!sub->group.len) {
		merge(d->broker, sub);
		return;
	}
	struct match *m = new_match(d->broker);
	if (m)
		m->share = sub;
}

static bool same_share(const struct subscription *a, const struct subscription *b)
{
	return a && b && a->entry.node == b->entry.node && gg_str_eq(a->group, b->group);
}

/* Chooses of all members of the share at place i; the others are struck off. */
static const struct subscription *choose(struct broker *b, uint32_t i)
{
	const struct subscription *first = b->matches[i].share, *chosen = first;
	unsigned connected = 0;
	for (uint32_t k = i; k < b->match_count; k++)
		if (same_share(first, b->matches[k].share))
			connected += b->matches[k].share->session->connection != NULL;
	unsigned turn = connected ? b->share_turn++ % connected : 0;
	for (uint32_t k = i; k < b->match_count; k++) {
		const struct subscription *sub = b->matches[k].share;
		if (!same_share(first, sub))
			continue;
		b->matches[k].share = NULL;
		if (sub->session->connection && turn-- == 0)
			chosen = sub;
	}
	return chosen;
}

static void decide_shares(struct broker *b)
{
	uint32_t count = b->match_count;
	for (uint32_t i = 0; i < count; i++)
		if (b->matches[i].share) {
			const struct subscription *chosen = choose(b, i);
			b->match_turn++; /* a copy of its own, beside that of an ordinary subscription */
			merge(b, chosen);
		}
}

/* ---- QoS 0 ---- */

static struct gg_str encoded(struct delivery *d, enum gg_mqtt_version version)
{
	struct gg_buf *to = &d->bytes[version == GG_MQTT_V5];
	if (to->len)
		return gg_buf_view(to);
	struct gg_mqtt_publish p = *d->publish;
	p.qos = 0;
	p.retain = p.dup = false;
	size_t size = gg_mqtt_publish_size(&p, version);
	char *at = gg_buf_room(to, size);
	if (!at)
		return gg_str_n("", 0);
	struct gg_writer w = gg_writer(at, size);
	gg_mqtt_encode_publish(&w, &p, version);
	to->len = gg_writer_ok(&w) ? size : 0;
	return gg_buf_view(to);
}

/* Once a connection: the counters say how many. */
static void tell_drop(struct session *s, const char *why)
{
	if (s->drop_told)
		return;
	s->drop_told = true;
	gg_log(GG_WARN, s->broker->outside.name, "messages for a client are dropped",
		GG_SV("client", gg_session_id(s)), GG_S("why", why));
}

static void send_plain(struct delivery *d, const struct match *m)
{
	struct broker *b = d->broker;
	struct connection *c = m->session->connection;
	bool retain = m->retain_as_published && d->publish->retain;
	if (!c || c->closing)
		return;
	d->given++;
	int rc = -E2BIG;
	if (retain || c->alias_maximum || (m->ids[0] && c->version == GG_MQTT_V5)) {
		struct outgoing o = {.retain = retain};
		memcpy(o.ids, m->ids, sizeof o.ids);
		rc = gg_outbound_send(c, d->publish, INT64_MAX, &o, false);
	} else {
		struct gg_str bytes = encoded(d, c->version);
		if (bytes.len && bytes.len <= c->maximum_packet)
			rc = gg_stream_write(c->stream, bytes.p, bytes.len);
		if (rc == 0) {
			b->sent++;
			b->payload_sent += d->publish->payload.len;
			gg_count(b->count.out[0], 1);
			gg_connection_sent(c, bytes.len);
		}
	}
	b->dropped += rc < 0;
	if (rc < 0)
		gg_count(rc == -EAGAIN ? b->count.dropped_slow : b->count.dropped_large, 1);
	if (rc == -EAGAIN)
		tell_drop(m->session, "it reads too slowly");
}

/* ---- QoS 1 and 2 ---- */

static void queue(struct delivery *d, const struct match *m)
{
	struct broker *b = d->broker;
	uint8_t qos = m->qos < d->publish->qos ? m->qos : d->publish->qos;
	if (!d->message) {
		d->message = gg_message_new(b, d->publish);
		if (d->message && b->command)
			gg_command_attach(b->command, d->message);
	}
	bool retain = m->retain_as_published && d->publish->retain;
	int rc = d->message ? gg_outbound_add(m->session, d->message, qos, retain, m->ids) : -ENOMEM;
	if (rc < 0) {
		b->dropped++;
		gg_count(b->count.dropped_full, 1);
		gg_log(GG_WARN, b->outside.name, "message dropped, no more wait for the client",
			GG_SV("client", gg_session_id(m->session)), GG_SV("topic", d->publish->topic),
			GG_S("limit", rc == -ENOBUFS  ? "max_queued"
				      : rc == -EDQUOT ? "client_memory"
						      : "memory"));
		return;
	}
	d->given++;
	if (!gg_session_persists(m->session))
		return;
	if (!d->receivers)
		d->receivers = malloc(b->match_count * sizeof *d->receivers);
	if (!d->receivers)
		return;
	struct persist_receiver *r = &d->receivers[d->receiver_count++];
	*r = (struct persist_receiver){.session = m->session, .qos = qos, .retain = retain};
	memcpy(r->ids, m->ids, sizeof r->ids);
}

unsigned gg_deliver(
	struct broker *b, const struct gg_mqtt_publish *p, struct session *from, struct hold *hold)
{
	struct gg_mqtt_publish forward = *p;
	struct delivery d = {.broker = b, .publish = &forward, .from = from, .hold = hold};
	forward.properties.present &=
		~(1ULL << GG_MQTT_TOPIC_ALIAS | 1ULL << GG_MQTT_SUBSCRIPTION_ID); /* of one hop only */
	b->match_count = 0;
	b->match_turn++;
	gg_topic_tree_match(&b->subscriptions, p->topic, found, &d);
	if (b->match_count == 0)
		return 0;
	decide_shares(b);
	d.bytes[0] = d.bytes[1] = GG_BUF(b->o.max_packet + 64);
	for (uint32_t i = 0; i < b->match_count; i++) {
		const struct match *m = &b->matches[i];
		if (m->session && p->qos && m->qos)
			queue(&d, m);
		else if (m->session)
			send_plain(&d, m);
	}
	if (d.receiver_count) /* before it is sent, so that no record of its end comes first */
		gg_persist_message(
			b, d.message, d.receivers, d.receiver_count, b->received_id ? from : NULL, hold);
	for (uint32_t i = 0; d.message && i < b->match_count; i++)
		if (b->matches[i].session)
			gg_outbound_pump(b->matches[i].session);
	gg_message_unref(d.message);
	free(d.receivers);
	gg_buf_done(&d.bytes[0]);
	gg_buf_done(&d.bytes[1]);
	return d.given;
}
