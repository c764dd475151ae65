/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retained messages (§3.3.1.3): the last one of each topic, in a tree by topic so that a wildcard filter
 * finds them without looking at all. With QoS > 0 the record is kept at once and the acknowledgement waits
 * for it; with QoS 0 nobody was promised anything, so a topic that changes often is kept once a second at
 * most.
 */
#include "broker.h"

struct retained {
	struct gg_topic_entry entry; /* first */
	struct message *message;     /* NULL: cleared, the record of that is due */
	struct retained *next_dirty;
	uint32_t owner; /* the device that published it; GG_NONE an application */
	bool dirty, volatile_;
};

static const int64_t dirty_ns = GG_NS_PER_S;

static struct retained *at(const struct broker *b, struct gg_str topic)
{
	return (struct retained *)gg_topic_tree_at(&b->retained, topic);
}

static void remove_entry(struct broker *b, struct retained *r)
{
	for (struct retained **d = &b->dirty; r->dirty && *d; d = &(*d)->next_dirty)
		if (*d == r) {
			*d = r->next_dirty;
			break;
		}
	gg_topic_tree_remove(&b->retained, &r->entry);
	gg_limit_retained(b, r->owner, r->message->size, 0);
	gg_message_unref(r->message);
	free(r);
	b->retained_count--;
	gg_gauge_set(b->count.retained, (int64_t)b->retained_count);
}

static void flush_dirty(struct gg_timer *t)
{
	struct broker *b = GG_CONTAINER(t, struct broker, retained_timer);
	while (b->dirty) {
		struct retained *r = b->dirty;
		b->dirty = r->next_dirty;
		r->dirty = false;
		gg_persist_retained(b, r->message, r->owner, NULL);
	}
}

static void mark_dirty(struct broker *b, struct retained *r)
{
	if (r->dirty || b->replaying)
		return;
	r->dirty = true;
	r->next_dirty = b->dirty;
	b->dirty = r;
	if (!b->retained_timer.place)
		gg_timer_start(b->loop, &b->retained_timer, dirty_ns, flush_dirty);
}

/* Another device's place under its own name, as far as limits go. */
static int charge(struct broker *b, const struct retained *old, uint32_t owner, size_t size)
{
	if (!old || old->owner == owner)
		return gg_limit_retained(b, owner, old ? old->message->size : 0, size);
	return gg_limit_retained_move(b, old->owner, owner, old->message->size, size);
}

static int set(
	struct broker *b, const struct gg_mqtt_publish *p, uint32_t owner, struct retained **ret_retained)
{
	struct retained *r = at(b, p->topic);
	struct message *m = gg_message_new(b, p);
	if (!m)
		return -ENOMEM;
	m->publish.retain = true;
	int rc = charge(b, r, owner, m->size);
	if (rc < 0) {
		gg_message_unref(m);
		return rc;
	}
	if (!r) {
		r = calloc(1, sizeof *r);
		rc = r ? gg_topic_tree_add(&b->retained, p->topic, &r->entry) : -ENOMEM;
		if (rc < 0) {
			free(r);
			gg_limit_retained(b, owner, m->size, 0);
			gg_message_unref(m);
			return rc;
		}
		b->retained_count++;
		gg_gauge_set(b->count.retained, (int64_t)b->retained_count);
	}
	gg_message_unref(r->message);
	r->message = m;
	r->owner = owner;
	*ret_retained = r;
	return 0;
}

int gg_retain(struct broker *b, const struct gg_mqtt_publish *p, uint32_t owner, struct hold *hold)
{
	struct retained *r = at(b, p->topic);
	if (p->payload.len == 0) { /* [MQTT-3.3.1-6] */
		if (r) {
			bool had_record = !r->volatile_;
			remove_entry(b, r);
			if (had_record)
				gg_persist_retained_clear(b, p->topic, p->qos ? hold : NULL);
		}
		return 0;
	}
	int rc = set(b, p, owner, &r);
	if (rc < 0)
		return rc;
	r->volatile_ = false;
	if (p->qos)
		gg_persist_retained(b, r->message, owner, hold);
	else
		mark_dirty(b, r);
	return 0;
}

/* $SYS, which nobody keeps, and replay. */
int gg_retain_quietly(struct broker *b, const struct gg_mqtt_publish *p, uint32_t owner, int64_t expires_ns)
{
	struct retained *r = at(b, p->topic);
	if (p->payload.len == 0) {
		if (r)
			remove_entry(b, r);
		return 0;
	}
	int rc = set(b, p, owner, &r);
	if (rc < 0)
		return rc;
	r->volatile_ = p->topic.p[0] == '$';
	if (expires_ns)
		r->message->expires_ns = expires_ns;
	return 0;
}

struct sending {
	struct subscription *to;
	int64_t now_ns;
};

static void send_one(void *arg, struct gg_topic_entry *entry)
{
	const struct sending *s = arg;
	const struct retained *r = (const struct retained *)entry;
	struct session *session = s->to->session;
	struct message *m = r->message;
	if (m->expires_ns <= s->now_ns)
		return;
	uint8_t qos = m->publish.qos < s->to->qos ? m->publish.qos : s->to->qos;
	struct outgoing o = {.retain = true, .ids = {s->to->id}};
	if (qos && gg_outbound_add(session, m, qos, true, o.ids) < 0) {
		gg_count(session->broker->count.dropped_full, 1);
	} else if (qos && gg_session_persists(session)) {
		struct persist_receiver to = {
			.session = session, .qos = qos, .retain = true, .ids = {s->to->id}};
		gg_persist_message(session->broker, m, &to, 1, NULL, NULL);
	}
	if (!qos && gg_outbound_send(session->connection, &m->publish, m->expires_ns, &o, false) < 0)
		gg_count(session->broker->count.dropped_slow, 1);
}

void gg_retained_send(struct subscription *s, struct gg_str filter)
{
	struct broker *b = s->session->broker;
	struct sending sending = {s, gg_broker_utc(b)};
	gg_topic_tree_find(&b->retained, filter, send_one, &sending);
	gg_outbound_pump(s->session);
}

struct each {
	void (*each)(void *arg, struct message *m, uint32_t owner);
	void *arg;
};

static void each_one(void *arg, struct gg_topic_entry *entry)
{
	const struct each *e = arg;
	const struct retained *r = (const struct retained *)entry;
	if (!r->volatile_)
		e->each(e->arg, r->message, r->owner);
}

void gg_retained_each(struct broker *b, void (*each)(void *arg, struct message *m, uint32_t owner), void *arg)
{
	struct each e = {each, arg};
	gg_topic_tree_find(&b->retained, GG_STR("#"), each_one, &e);
}

void gg_retained_flush(struct broker *b)
{
	gg_timer_stop(&b->retained_timer);
	flush_dirty(&b->retained_timer);
}

struct collected {
	struct retained **items;
	size_t count;
};

static void collect(void *arg, struct gg_topic_entry *entry)
{
	struct collected *c = arg;
	c->items[c->count++] = (struct retained *)entry;
}

void gg_retained_done(struct broker *b)
{
	struct collected all = {.items = calloc(b->retained_count + 1, sizeof(struct retained *))};
	gg_timer_stop(&b->retained_timer);
	b->dirty = NULL;
	if (all.items) {
		gg_topic_tree_find(&b->retained, GG_STR("#"), collect, &all);
		gg_topic_tree_find(&b->retained, GG_STR("$SYS/#"), collect, &all);
	}
	for (size_t i = 0; i < all.count; i++)
		remove_entry(b, all.items[i]);
	free(all.items);
	gg_topic_tree_done(&b->retained);
	gg_limit_done(b);
}
