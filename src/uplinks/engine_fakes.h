/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine's test puts around it: a journal that is an array, a memory for cursors, peers that note
 * what is sent to them and acknowledge when they are told to. A header because one test program includes it.
 */
#ifndef GG_UPLINKS_ENGINE_FAKES_H
#define GG_UPLINKS_ENGINE_FAKES_H

#include "check.h"

#include "core/loop.h"
#include "core/signals.h"
#include "uplinks/engine.h"
#include "uplinks/private.h"

/* ---- the journal: records in an array, 10 to 99 bytes each ---- */

enum { RECORDS = 8000, FIRST = 100, STEP = 10 };

struct record {
	enum gg_record_kind kind;
	struct gg_batch *batch;
	char json[64];
};

static struct {
	struct record r[RECORDS];
	uint64_t count, lost; /* lost: so many at the beginning are gone */
	unsigned opened;
} journal;

static uint64_t position_of(uint64_t i)
{
	return FIRST + i * STEP;
}

static uint64_t fake_begin(void *arg)
{
	(void)arg;
	return position_of(journal.lost);
}

static uint64_t fake_end(void *arg)
{
	(void)arg;
	return position_of(journal.count);
}

static int fake_open(void *arg, uint64_t position, void **ret_reader)
{
	(void)arg;
	uint64_t *at = malloc(sizeof *at);
	*at = position <= fake_begin(NULL) ? journal.lost : (position - FIRST + STEP - 1) / STEP;
	*ret_reader = at;
	journal.opened++;
	return 0;
}

static struct gg_record record_of(uint64_t i)
{
	struct record *r = &journal.r[i];
	return (struct gg_record){
		r->kind, position_of(i), position_of(i + 1), r->batch, GG_STR(""), gg_str(r->json)};
}

static int fake_next(void *reader, struct gg_record *ret_record)
{
	uint64_t *at = reader;
	if (*at >= journal.count)
		return 0;
	*ret_record = record_of((*at)++);
	if (ret_record->batch)
		gg_batch_ref(ret_record->batch);
	return 1;
}

static uint64_t fake_position(void *reader)
{
	return position_of(*(uint64_t *)reader);
}

static void fake_close(void *reader)
{
	free(reader);
}

static uint64_t pinned;

static void fake_pin(void *arg, const char *name, uint64_t position)
{
	(void)arg, (void)name;
	pinned = position;
}

/* ---- cursors ---- */

static struct {
	bool known;
	uint64_t position;
	unsigned saves;
} kept;

static int fake_load(void *arg, const char *uplink, uint64_t *ret_position)
{
	(void)arg, (void)uplink;
	*ret_position = kept.position;
	return kept.known ? 0 : -ENOENT;
}

static void fake_save(void *arg, const char *uplink, uint64_t position)
{
	(void)arg, (void)uplink;
	kept.known = true;
	kept.position = position;
	kept.saves++;
}

/* ---- peers ---- */

struct gg_host {
	const char *name;
	bool up, silent, refuse, slow; /* silent: does not acknowledge; slow: has no room */
	unsigned window, connects;
	int64_t connected_at[16];
	uint64_t ids[20000];
	char names[20000][12];
	char last[400000];
	size_t last_len;
	size_t count, bytes, largest, urgent;
	uint64_t waiting[64]; /* ids not acknowledged */
	unsigned waiting_count;
};

static struct gg_host *cloud, *other;
static struct gg_loop *loop;
static struct gg_uplinks *all;
static struct gg_uplink_engine *engine;
static struct gg_uplink_common common;
static unsigned events_told;

const char *gg_host_name(const struct gg_host *h)
{
	return h->name;
}

uint64_t gg_event(const struct gg_event_report *r)
{
	(void)r;
	events_told++;
	return 1;
}

static void peer_connect(void *self)
{
	struct gg_host *h = self;
	if (h->connects < GG_COUNT(h->connected_at))
		h->connected_at[h->connects] = gg_clock_monotonic(&gg_clock_system);
	h->connects++;
	gg_uplink_ready(h, h->up, "nobody there");
}

static unsigned peer_window(void *self)
{
	return ((struct gg_host *)self)->window;
}

static int peer_send(void *self, const struct gg_parcel *p)
{
	struct gg_host *h = self;
	if (h->slow)
		return -EAGAIN;
	assert_true(h->count < GG_COUNT(h->ids));
	gg_str_copy(h->names[h->count], sizeof h->names[0], p->name);
	gg_str_copy(h->last, sizeof h->last, p->payload);
	h->last_len = p->payload.len;
	h->ids[h->count++] = p->id;
	h->bytes += p->payload.len;
	h->largest = gg_max_size(h->largest, p->payload.len);
	h->urgent += p->urgent;
	if (h->silent)
		h->waiting[h->waiting_count++] = p->id;
	else
		gg_uplink_done(h, p->id, h->refuse ? -EINVAL : 0);
	return 0;
}

static const struct gg_uplink_ops ops = {peer_connect, peer_window, peer_send};
static const struct gg_component component = {.name = "fake", .kind = GG_UPLINK, .uplink = &ops};

/* ---- helpers ---- */

#define turn_until(condition)                                                                                \
	do {                                                                                                 \
		int64_t end_ = gg_clock_monotonic(&gg_clock_system) + 10 * GG_NS_PER_S;                      \
		while (!(condition) && gg_clock_monotonic(&gg_clock_system) < end_)                          \
			gg_loop_turn(loop, 5 * GG_NS_PER_MS);                                                \
		assert_true(condition);                                                                      \
	} while (0)

static void turns(int n)
{
	while (n--)
		gg_loop_turn(loop, 0);
}

static struct gg_uplink_engine *add(struct gg_host *h)
{
	struct gg_uplink_engine *u = NULL;
	struct gg_uplink_setup setup = {h, &component, h, &common, 20 * GG_NS_PER_MS, 80 * GG_NS_PER_MS};
	assert_int_equal(gg_uplink_add(all, &setup, &u, NULL), 0);
	return u;
}

static void follow(void)
{
	struct gg_record r = record_of(journal.count - 1);
	gg_uplinks_follow(all, &r);
}

/* A batch of n samples of device/x, received now or at a time of its own. */
static void append_at(const char *device, int n, double value, int64_t received_ns)
{
	char name[40];
	uint32_t signal = GG_NONE;
	snprintf(name, sizeof name, "%s/x", device);
	assert_int_equal(gg_signal_make_full(gg_str(name), NULL, &signal), 0);
	struct gg_batch *b = gg_batch_new((uint32_t)n, 0);
	b->device = gg_device_find(gg_str(device));
	b->received_ns = received_ns;
	for (int i = 0; i < n; i++)
		gg_batch_add_float(b, signal, 1700000000 * GG_NS_PER_S + i, value + i);
	gg_batch_freeze(b);
	journal.r[journal.count++] = (struct record){GG_RECORD_INPUT, b, ""};
	if (all)
		follow();
}

static void append(const char *device, double value)
{
	append_at(device, 1, value, gg_clock_utc(&gg_clock_system));
}

static void append_event(const char *kind)
{
	struct record *r = &journal.r[journal.count++];
	*r = (struct record){.kind = GG_RECORD_EVENT};
	snprintf(r->json, sizeof r->json, "{\"kind\":\"%s\"}", kind);
	follow();
}

static void acknowledge_all(struct gg_host *h)
{
	unsigned n = h->waiting_count;
	h->waiting_count = 0;
	for (unsigned i = 0; i < n; i++)
		gg_uplink_done(h, h->waiting[i], 0);
}

static struct gg_uplink_state state_of(struct gg_uplink_engine *u)
{
	struct gg_uplink_state s;
	gg_uplink_get_state(u, &s);
	return s;
}

static void check_ids(const struct gg_host *h, size_t from, size_t to, uint64_t first_record)
{
	for (size_t i = from; i < to; i++)
		assert_int_equal(h->ids[i], position_of(first_record + i - from));
}

static void restart(void)
{
	gg_uplink_remove(engine);
	engine = add(cloud);
}

static int set_up(void **state)
{
	static const char *send[] = {"*", "events"};
	static const char *exclude[] = {"*/secret", "quiet/*"};
	(void)state;
	memset(&journal, 0, sizeof journal);
	memset(&kept, 0, sizeof kept);
	cloud = calloc(1, sizeof *cloud);
	other = calloc(1, sizeof *other);
	*cloud = (struct gg_host){.name = "cloud", .up = true, .window = 8};
	*other = (struct gg_host){.name = "other", .up = true, .window = 1};
	common = (struct gg_uplink_common){
		.enabled = true, .send = {send, 2}, .exclude = {exclude, 2}, .parcel_size = 64 << 10};
	loop = gg_loop_new("north", 1000);
	struct gg_uplink_source source = {
		NULL, fake_begin, fake_end, fake_open, fake_next, fake_position, fake_close, fake_pin};
	struct gg_uplink_memory memory = {NULL, fake_load, fake_save};
	all = gg_uplinks_new(loop, &source, &memory);
	engine = add(cloud);
	return all ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	gg_uplink_remove(engine);
	gg_uplinks_free(all);
	all = NULL;
	for (uint64_t i = 0; i < journal.count; i++)
		gg_batch_unref(journal.r[i].batch);
	gg_loop_free(loop);
	free(cloud);
	free(other);
	return 0;
}

#endif
