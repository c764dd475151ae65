/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SUBSCRIBE (§3.8) and UNSUBSCRIBE (§3.10). SUBACK waits until the subscriptions of a session that outlives
 * its connection are kept, as an acknowledgement of a message does; the retained messages follow at once.
 */
#include "broker.h"

#include "base/log.h"

enum { FILTERS_A_PACKET = 256 };

static struct subscription *find(struct session *s, struct gg_str filter)
{
	struct subscription *sub = s->subscriptions;
	while (sub && !gg_str_eq(sub->filter, filter))
		sub = sub->next;
	return sub;
}

int gg_subscription_set(struct session *s, const struct gg_mqtt_filter *f, uint32_t id, bool *ret_new)
{
	struct subscription *sub = find(s, f->filter);
	bool is_new = sub == NULL;
	struct broker *b = s->broker;
	size_t bytes = sizeof *sub + f->filter.len;
	if (is_new && s->subscription_count >= b->o.max_subscriptions && !b->replaying) {
		b->limit = "max_subscriptions";
		return -EDQUOT;
	}
	if (is_new && b->o.client_memory && !b->replaying &&
		s->out_bytes + s->subscription_bytes + bytes > b->o.client_memory) {
		b->limit = "client_memory";
		return -EDQUOT;
	}
	if (is_new) {
		sub = calloc(1, sizeof *sub + f->filter.len);
		if (!sub)
			return -ENOMEM;
		memcpy(sub->text, f->filter.p, f->filter.len);
		sub->filter = gg_str_n(sub->text, f->filter.len);
		sub->session = s;
		struct gg_str inner = sub->filter;
		gg_mqtt_filter_shared(sub->filter, &sub->group, &inner);
		int rc = gg_topic_tree_add(&s->broker->subscriptions, inner, &sub->entry);
		if (rc < 0) {
			free(sub);
			return rc;
		}
		sub->next = s->subscriptions;
		s->subscriptions = sub;
		s->subscription_count++;
		s->subscription_bytes += bytes;
		b->subscription_count++;
		b->shared_count += sub->group.len > 0;
	}
	sub->qos = f->qos;
	sub->no_local = f->no_local;
	sub->retain_as_published = f->retain_as_published;
	sub->id = id;
	*ret_new = is_new;
	return 0;
}

bool gg_subscription_drop(struct session *s, struct gg_str filter)
{
	for (struct subscription **at = &s->subscriptions; *at; at = &(*at)->next) {
		struct subscription *sub = *at;
		if (!gg_str_eq(sub->filter, filter))
			continue;
		*at = sub->next;
		s->subscription_count--;
		s->subscription_bytes -= sizeof *sub + sub->filter.len;
		s->broker->subscription_count--;
		s->broker->shared_count -= sub->group.len > 0;
		gg_topic_tree_remove(&s->broker->subscriptions, &sub->entry);
		free(sub);
		return true;
	}
	return false;
}

static uint8_t subscribe_one(struct connection *c, const struct gg_mqtt_filter *f, uint32_t id)
{
	struct session *s = c->session;
	struct gg_str group = {"", 0}, inner;
	bool shared = gg_mqtt_filter_shared(f->filter, &group, &inner), is_new = false;
	uint8_t failed = c->version == GG_MQTT_V5 ? 0 : GG_MQTT_UNSPECIFIED; /* all that 3.1.1 knows */
	struct broker *b = c->broker;
	const char *limit = gg_limit_topic(b, shared ? inner : f->filter);
	if (!gg_access(c, f->filter)) {
		gg_count(b->count.dropped_denied, 1);
		b->why = "a filter is not the client's own";
		return failed ? failed : GG_MQTT_NOT_AUTHORIZED;
	}
	int rc = limit ? -EDQUOT : gg_subscription_set(s, f, id, &is_new);
	if (rc < 0) {
		b->limit = limit ? limit : rc == -EDQUOT && b->limit ? b->limit : "memory";
		b->why = rc == -EINVAL ? "a filter has too many levels"
				       : "a limit of subscriptions is reached";
		gg_log(GG_WARN, b->outside.name, "subscription refused", GG_SV("client", gg_session_id(s)),
			GG_SV("filter", gg_str_n(f->filter.p, gg_min_size(f->filter.len, 200))),
			GG_S("limit", rc == -EINVAL ? "max_levels" : b->limit));
		return failed ? failed : rc == -EINVAL ? GG_MQTT_BAD_FILTER : GG_MQTT_QUOTA;
	}
	if (gg_session_persists(s))
		gg_persist_subscription(find(s, f->filter), gg_promise_hold(c));
	return f->qos;
}

/* [MQTT-3.8.3-4] */
static bool options_valid(struct gg_str filters)
{
	struct gg_mqtt_filter f;
	struct gg_str group, inner;
	while (gg_mqtt_filter_next(&filters, GG_MQTT_SUBSCRIBE, &f))
		if (f.no_local && gg_mqtt_filter_shared(f.filter, &group, &inner))
			return false;
	return true;
}

/* false: the connection is ended. */
static bool reply(struct connection *c, const struct gg_mqtt_packet *ack)
{
	int rc = gg_promise_reply(c, ack);
	if (rc == -EMSGSIZE)
		gg_connection_end(c, GG_MQTT_TOO_LARGE, "the answer is larger than the client takes");
	else if (rc < 0)
		gg_connection_end(c, GG_MQTT_QUOTA, "out of memory");
	return rc == 0;
}

void gg_subscribe_in(struct connection *c, const struct gg_mqtt_subscribe *p)
{
	uint8_t codes[FILTERS_A_PACKET];
	bool was_new[FILTERS_A_PACKET];
	size_t count = 0;
	struct gg_mqtt_filter f;
	struct gg_str left = p->filters;
	bool has_id = gg_mqtt_has(&p->properties, GG_MQTT_SUBSCRIPTION_ID);
	c->broker->why = c->broker->limit = NULL;
	if (!options_valid(p->filters)) {
		gg_connection_end(c, GG_MQTT_PROTOCOL_ERROR, "no local with a shared subscription");
		return;
	}
	while (count < FILTERS_A_PACKET && gg_mqtt_filter_next(&left, GG_MQTT_SUBSCRIBE, &f)) {
		was_new[count] = find(c->session, f.filter) == NULL;
		codes[count++] = subscribe_one(c, &f, has_id ? p->properties.subscription_ids[0] : 0);
	}
	if (left.len) {
		gg_connection_end(c, GG_MQTT_QUOTA, "too many filters in one SUBSCRIBE");
		return;
	}
	struct gg_mqtt_packet ack = {.type = GG_MQTT_SUBACK,
		.subscribe = {.packet_id = p->packet_id, .codes = gg_str_n(codes, count)}};
	char block[LIMIT_BLOCK];
	if (c->version == GG_MQTT_V5)
		gg_connection_explain(&ack.subscribe.properties, c->broker->why, c->broker->limit, block);
	if (!reply(c, &ack))
		return;
	gg_ingest_flush(c); /* SUBACK first where it can be, as most clients expect */
	gg_promise_turn(c);
	left = p->filters;
	for (size_t i = 0; !c->closing && i < count && gg_mqtt_filter_next(&left, GG_MQTT_SUBSCRIBE, &f);
		i++) {
		struct subscription *sub = find(c->session, f.filter);
		bool wanted = f.retain_handling == 0 || (f.retain_handling == 1 && was_new[i]);
		if (codes[i] < GG_MQTT_UNSPECIFIED && wanted && !sub->group.len)
			gg_retained_send(sub, f.filter);
	}
}

void gg_unsubscribe_in(struct connection *c, const struct gg_mqtt_subscribe *p)
{
	uint8_t codes[FILTERS_A_PACKET];
	size_t count = 0;
	struct gg_mqtt_filter f;
	struct gg_str left = p->filters;
	while (count < FILTERS_A_PACKET && gg_mqtt_filter_next(&left, GG_MQTT_UNSUBSCRIBE, &f)) {
		bool had = gg_subscription_drop(c->session, f.filter);
		if (had && gg_session_persists(c->session))
			gg_persist_unsubscribe(c->session, f.filter, gg_promise_hold(c));
		codes[count++] = had ? 0 : GG_MQTT_NO_SUBSCRIPTION;
	}
	if (left.len) {
		gg_connection_end(c, GG_MQTT_QUOTA, "too many filters in one UNSUBSCRIBE");
		return;
	}
	struct gg_mqtt_packet ack = {.type = GG_MQTT_UNSUBACK,
		.subscribe = {.packet_id = p->packet_id, .codes = gg_str_n(codes, count)}};
	reply(c, &ack);
}
