/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topic aliases from the server to a client (§3.3.2.3.4): as many as the client takes, at most 64, the one
 * that was used longest ago gives way. A topic stands for its alias only once it has been sent with it, so
 * what could not be sent changes nothing. They end with the connection.
 */
#include "broker.h"

enum { MOST = 64, WORTH_IT = 4 };

struct alias_row {
	uint64_t hash, used;
	char *topic;
	size_t len;
};

struct alias_table {
	uint64_t clock;
	uint16_t count, most;
	struct alias_row rows[];
};

static struct alias_table *table_of(struct connection *c)
{
	uint16_t most = c->alias_maximum < MOST ? c->alias_maximum : MOST;
	if (c->aliases_out || !most)
		return c->aliases_out;
	c->aliases_out = calloc(1, sizeof *c->aliases_out + most * sizeof c->aliases_out->rows[0]);
	if (c->aliases_out)
		c->aliases_out->most = most;
	return c->aliases_out;
}

uint16_t gg_alias_pick(struct connection *c, struct gg_str topic, bool *ret_known)
{
	struct alias_table *t = topic.len >= WORTH_IT ? table_of(c) : NULL;
	if (!t)
		return 0;
	uint64_t hash = gg_hash(topic);
	uint16_t oldest = 0;
	for (uint16_t i = 0; i < t->count; i++) {
		struct alias_row *r = &t->rows[i];
		if (r->hash == hash && gg_str_eq(gg_str_n(r->topic, r->len), topic)) {
			r->used = ++t->clock;
			*ret_known = true;
			return (uint16_t)(i + 1);
		}
		if (r->used < t->rows[oldest].used)
			oldest = i;
	}
	*ret_known = false;
	return (uint16_t)((t->count < t->most ? t->count : oldest) + 1);
}

void gg_alias_sent(struct connection *c, uint16_t alias, struct gg_str topic)
{
	struct alias_table *t = c->aliases_out;
	struct alias_row *r = &t->rows[alias - 1];
	free(r->topic);
	if (alias > t->count)
		t->count = alias;
	*r = (struct alias_row){
		.hash = gg_hash(topic), .used = ++t->clock, .topic = gg_str_dup(topic), .len = topic.len};
	if (!r->topic) /* no memory: a row that nothing equals */
		*r = (struct alias_row){.topic = NULL};
}

void gg_alias_done(struct connection *c)
{
	for (uint16_t i = 0; c->aliases_out && i < c->aliases_out->count; i++)
		free(c->aliases_out->rows[i].topic);
	free(c->aliases_out);
	c->aliases_out = NULL;
}
