/* SPDX-License-Identifier: Apache-2.0 */
/* Making and ending a broker; mqtt.c gives it its options and its gateway, tests give it doubles. */
#include "broker.h"

enum { SUBSCRIPTION_NODES = 200000 };

/* The more a pattern spells out, the earlier it is tried; else in the order written. */
static void put_in_order(struct broker *b)
{
	for (size_t i = 1; i < b->rule_count; i++)
		for (size_t k = i; k > 0 && b->rules[k].literal > b->rules[k - 1].literal; k--) {
			struct rule swap = b->rules[k];
			b->rules[k] = b->rules[k - 1];
			b->rules[k - 1] = swap;
		}
}

static int make_rules(struct broker *b, struct gg_error *e)
{
	const struct topic_option *topics = b->o.topics.items;
	if (b->o.topics.count > BROKER_TOPICS)
		return gg_error_set(e, -E2BIG, "topics: at most %d patterns", BROKER_TOPICS);
	b->rules = calloc(b->o.topics.count + 1, sizeof *b->rules);
	if (!b->rules)
		return gg_error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < b->o.topics.count; i++) {
		struct rule *rule = &b->rules[b->rule_count];
		int rc = gg_topic_pattern_parse(gg_str(topics[i].pattern), &rule->pattern, e);
		if (rc == 0)
			rc = gg_format_rule_make(&topics[i].format, &rule->format, e);
		if (rc < 0) {
			gg_error_prefix(e, "topics");
			return rc;
		}
		for (unsigned k = 0; k < rule->pattern.count; k++)
			rule->literal += rule->pattern.levels[k].kind == GG_LEVEL_TEXT;
		b->rule_count++;
	}
	put_in_order(b);
	return 0;
}

int gg_broker_init(struct broker *b, struct gg_error *e)
{
	b->subscriptions = GG_TOPIC_TREE(SUBSCRIPTION_NODES);
	b->retained = GG_TOPIC_TREE(b->o.max_retained * 4 + 64);
	b->record = GG_BUF(b->o.max_packet * 2 + (1 << 20));
	b->next_message_id = 1;
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&b->idle_lock, NULL);
	pthread_cond_init(&b->idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int rc = make_rules(b, e);
	if (rc < 0)
		return rc;
	b->has_write = b->o.write != NULL;
	if (b->has_write) {
		rc = gg_topic_pattern_parse(gg_str(b->o.write), &b->write_pattern, e);
		if (rc < 0) {
			gg_error_prefix(e, "write");
			return rc;
		}
		if (!b->write_pattern.has_signal)
			return gg_error_set(e, -EINVAL, "write: expected {signal} in \"%s\"", b->o.write);
	}
	gg_sys_init(b);
	return 0;
}

/* ---- the end: the loop closes, another thread waits until all is back ---- */

static bool is_idle(struct broker *b)
{
	return !atomic_load_explicit(&b->waits_under_way, memory_order_acquire) &&
	       !atomic_load_explicit(&b->connection_count, memory_order_acquire);
}

void gg_broker_look_idle(struct broker *b)
{
	if (!b->closing || !is_idle(b))
		return;
	pthread_mutex_lock(&b->idle_lock);
	pthread_cond_broadcast(&b->idle);
	pthread_mutex_unlock(&b->idle_lock);
}

bool gg_broker_wait_idle(struct broker *b, int64_t most_ns)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t ns = until.tv_nsec + most_ns;
	until.tv_sec += ns / GG_NS_PER_S;
	until.tv_nsec = ns % GG_NS_PER_S;
	pthread_mutex_lock(&b->idle_lock);
	int rc = 0;
	while (!is_idle(b) && rc == 0)
		rc = pthread_cond_timedwait(&b->idle, &b->idle_lock, &until);
	pthread_mutex_unlock(&b->idle_lock);
	return is_idle(b);
}

void gg_broker_close(struct broker *b)
{
	const struct gg_map_entry *e;
	gg_retained_flush(b);
	gg_timer_stop(&b->sys_timer);
	for (struct connection *c = b->connections; c; c = c->next) {
		c->said_goodbye = true; /* it is the gateway that goes: no wills */
		gg_connection_end(c, GG_MQTT_SHUTTING_DOWN, "the gateway shuts down");
	}
	gg_map_each (
		e, &b->sessions) { /* fini() runs on another thread: timers are the loop's, now or never */
		struct session *s = (struct session *)(uintptr_t)e->value;
		gg_timer_stop(&s->expiry);
		gg_timer_stop(&s->will_timer);
	}
	gg_commands_done(b);
	b->closing = true;
	gg_promise_done(b);
}

void gg_broker_done(struct broker *b)
{
	const struct gg_map_entry *e;
	b->closing = b->replaying = true; /* no records, no wills */
	for (;;) {
		struct session *s = NULL;
		gg_map_each (e, &b->sessions) {
			s = (struct session *)(uintptr_t)e->value;
			break;
		}
		if (!s)
			break;
		gg_session_end(s, true);
	}
	gg_map_done(&b->sessions);
	gg_map_each (e, &b->replayed)
		gg_message_unref((struct message *)(uintptr_t)e->value);
	gg_map_done(&b->replayed);
	gg_retained_done(b);
	for (size_t i = 0; i < BROKER_LISTENERS; i++) /* they are closed: none is asked any more */
		free(b->listeners[i].proxies);
	gg_topic_tree_done(&b->subscriptions);
	gg_ingest_done(b);
	gg_promise_free(b);
	free(b->rules);
	free(b->matches);
	gg_buf_done(&b->record);
	gg_timer_stop(&b->sys_timer);
	pthread_cond_destroy(&b->idle);
	pthread_mutex_destroy(&b->idle_lock);
}
