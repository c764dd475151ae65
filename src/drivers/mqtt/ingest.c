/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics and payloads become samples. Which pattern a topic meets and which device it names is found once
 * and remembered by topic, so a message costs one look-up here and one per signal in the decoder.
 *
 *   topic ─▶ route {rule, source, name} ─▶ decoder of the source ─▶ the connection's batch of this turn
 *
 * Samples of one device gather in one batch; another device's message starts another one.
 */
#include "broker.h"

enum { ROUTES = 65536, BATCH_SAMPLES = 4096, BATCH_TAIL = 256 << 10 };

struct route {
	const struct rule *rule; /* NULL: no pattern */
	struct source *source;   /* NULL: the device that publishes */
	size_t len;
	char name[]; /* the signal, as the topic says it */
};

static int ask_signal(void *arg, uint32_t device, struct gg_str name, uint32_t *ret_signal)
{
	struct broker *b = arg;
	return b->outside.signal(b->outside.arg, device, name, ret_signal);
}

static int source_of(struct broker *b, struct gg_str id, struct source **ret_source)
{
	struct source *s = gg_map_get_ptr(&b->sources, id);
	if (s) {
		*ret_source = s;
		return 0;
	}
	uint32_t device = 0;
	int rc = b->outside.device(b->outside.arg, id, &device);
	if (rc < 0)
		return rc;
	s = calloc(1, sizeof *s);
	if (!s || gg_map_put_ptr(&b->sources, id, s) < 0) {
		free(s);
		return -ENOMEM;
	}
	s->device = device;
	s->decoder = (struct gg_decoder){.device = device, .signal = ask_signal, .arg = b};
	*ret_source = s;
	return 0;
}

static void forget_routes(struct broker *b)
{
	const struct gg_map_entry *e;
	gg_map_each (e, &b->routes)
		free((void *)(uintptr_t)e->value);
	gg_map_done(&b->routes);
}

static int remember(struct broker *b, struct gg_str topic, const struct route *found, struct gg_str name,
	const struct route **ret_route)
{
	if (b->routes.count >= ROUTES)
		forget_routes(b);
	struct route *r = malloc(sizeof *r + name.len);
	if (!r)
		return -ENOMEM;
	*r = *found;
	r->len = name.len;
	memcpy(r->name, name.p, name.len);
	if (gg_map_put_ptr(&b->routes, topic, r) < 0) {
		free(r);
		return -ENOMEM;
	}
	*ret_route = r;
	return 0;
}

static int find_route(struct broker *b, struct gg_str topic, const struct route **ret_route)
{
	struct gg_topic_names names = {{"", 0}, {"", 0}}, command;
	struct route found = {0};
	bool is_command = b->has_write && gg_topic_pattern_match(&b->write_pattern, topic, &command);
	for (size_t i = 0; i < b->rule_count && !found.rule && !is_command; i++)
		if (gg_topic_pattern_match(&b->rules[i].pattern, topic, &names))
			found.rule = &b->rules[i];
	struct gg_str id = names.device.len || !found.rule ? names.device : found.rule->format.device;
	if (found.rule && id.len) {
		int rc = source_of(b, id, &found.source);
		if (rc < 0)
			return rc;
	}
	return remember(b, topic, &found, names.signal, ret_route);
}

static struct gg_batch *new_batch(struct broker *b, uint32_t device)
{
	struct gg_batch *batch = gg_batch_new(64, 256);
	if (!batch)
		return NULL;
	batch->device = device;
	batch->kind = GG_BATCH_INPUT;
	batch->received_ns = gg_loop_utc(b->loop);
	batch->arrived_mono_ns = gg_loop_now(b->loop);
	return batch;
}

static int decode_apart(struct broker *b, const struct route *r, struct source *source, struct gg_str payload)
{
	struct gg_batch *batch = new_batch(b, source->device);
	if (!batch)
		return -ENOMEM;
	int rc = gg_decode(&source->decoder, &r->rule->format, gg_str_n(r->name, r->len), payload,
		gg_loop_utc(b->loop), &batch);
	if (rc == 0 && batch->count)
		gg_promise_batch_take(b, NULL, NULL, batch);
	else
		gg_batch_unref(batch);
	return rc;
}

void gg_ingest_flush(struct connection *c)
{
	struct gg_batch *batch = GG_TAKE(c->batch);
	if (!batch)
		return;
	if (batch->count)
		gg_promise_batch_take(c->broker, c, c->batch_promised ? c->hold : NULL, batch);
	else
		gg_batch_unref(batch);
	c->batch_promised = false;
}

/* The batch of this turn, with room, of that device. */
static struct gg_batch *batch_of(struct connection *c, const struct source *source)
{
	const struct gg_batch *now = c->batch;
	if (now &&
		(now->device != source->device || now->count >= BATCH_SAMPLES || now->tail_len >= BATCH_TAIL))
		gg_ingest_flush(c);
	if (!c->batch)
		c->batch = new_batch(c->broker, source->device);
	return c->batch;
}

/* Whose samples they are when the topic does not say: the device's that publishes. */
static int own_source(struct broker *b, uint32_t device, struct source **ret_source)
{
	bool known = device != GG_NONE;
	return source_of(b, known ? b->outside.device_id(device) : gg_str(b->outside.name), ret_source);
}

int gg_ingest(
	struct broker *b, struct connection *c, const struct session *from, const struct gg_mqtt_publish *p)
{
	uint32_t device = c ? c->device : from ? from->device : GG_NONE;
	bool any_topic = c ? c->any_topic : !from || from->any_topic;
	const struct route *r = gg_map_get_ptr(&b->routes, p->topic);
	int rc = r ? 0 : find_route(b, p->topic, &r);
	if (rc < 0 || !r->rule)
		return rc < 0 ? rc : -ENOENT;
	struct source *source = r->source;
	if (!source && (rc = own_source(b, device, &source)) < 0)
		return rc;
	if (!any_topic && source->device != device)
		return -EACCES; /* sensors/press-2 may be a topic of a device called sensors; its samples are
				   not */
	if (!c)
		return decode_apart(b, r, source, p->payload);
	if (!batch_of(c, source))
		return -ENOMEM;
	rc = gg_decode(&source->decoder, &r->rule->format, gg_str_n(r->name, r->len), p->payload,
		c->batch->received_ns, &c->batch);
	if (rc == 0 && p->qos)
		c->batch_promised = true;
	return rc;
}

void gg_ingest_done(struct broker *b)
{
	const struct gg_map_entry *e;
	forget_routes(b);
	gg_map_each (e, &b->sources) {
		struct source *s = (struct source *)(uintptr_t)e->value;
		gg_decoder_done(&s->decoder);
		free(s);
	}
	gg_map_done(&b->sources);
}
