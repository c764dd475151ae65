/* SPDX-License-Identifier: Apache-2.0 */
/* Parcels: opened for a device, filled by the encoder, closed, queued, sent, and kept until acknowledged. */
#include "base/log.h"
#include "uplinks/private.h"

struct gg_slot *gg_slot_free(struct gg_uplink_engine *u)
{
	for (size_t i = 0; i < GG_PARCELS; i++)
		if (u->slots[i].state == GG_PARCEL_FREE)
			return &u->slots[i];
	return NULL;
}

struct gg_slot *gg_slot_open_of(struct gg_uplink_engine *u, uint32_t device)
{
	for (size_t i = 0; u->open && i < GG_PARCELS; i++)
		if (u->slots[i].state == GG_PARCEL_OPEN && u->slots[i].device == device)
			return &u->slots[i];
	return NULL;
}

uint64_t gg_slot_limit(const struct gg_uplink_engine *u)
{
	uint64_t limit = u->common.parcel_size, share = u->common.rate / 4;
	if (!share || share > limit)
		return limit;
	return share > GG_PARCEL_LEAST ? share : GG_PARCEL_LEAST;
}

static void prepare(struct gg_uplink_engine *u, struct gg_slot *s, uint64_t id, struct gg_round *round)
{
	s->parcel = (struct gg_parcel){.id = id};
	s->round = round;
	s->samples = 0;
	s->retried = false;
	s->buf.max = u->common.parcel_size + GG_PARCEL_SLACK;
	gg_buf_clear(&s->buf);
	if (round)
		round->left++;
}

void gg_slot_begin(
	struct gg_uplink_engine *u, struct gg_slot *s, uint64_t id, uint32_t device, struct gg_round *round)
{
	prepare(u, s, id, round);
	s->device = device;
	s->parcel.name = gg_device_id(device);
	s->parcel.content_type = u->encoder->content_type;
	u->encoder->begin(&s->encoding, &s->buf, id, s->parcel.name);
	s->state = GG_PARCEL_OPEN;
	u->open++;
}

void gg_slot_finish(struct gg_uplink_engine *u, struct gg_slot *s)
{
	u->open -= s->state == GG_PARCEL_OPEN;
	u->queued -= s->state == GG_PARCEL_QUEUED;
	u->sent -= s->state == GG_PARCEL_SENT;
	s->state = GG_PARCEL_FREE;
	if (s->round)
		s->round->left--;
	if (s->buf.cap > 2 * u->common.parcel_size)
		gg_buf_done(&s->buf);
}

/* Errors: of the buffers. */
static int compress(struct gg_uplink_engine *u, struct gg_slot *s)
{
	gg_buf_clear(&u->scratch);
	u->scratch.max = 2 * s->buf.max;
	int rc = gg_compress(u->compressor, gg_buf_view(&s->buf), &u->scratch);
	if (rc < 0)
		return rc;
	struct gg_buf plain = s->buf;
	s->buf = u->scratch;
	u->scratch = plain;
	s->parcel.content_encoding = "zstd";
	return 0;
}

/* Errors: those of encoding; the slot is as it was. */
static int enqueue(struct gg_uplink_engine *u, struct gg_slot *s)
{
	int rc = s->buf.error;
	if (rc == 0 && u->compressor)
		rc = compress(u, s);
	if (rc < 0)
		return rc;
	s->parcel.payload = gg_buf_view(&s->buf);
	u->open -= s->state == GG_PARCEL_OPEN;
	s->state = GG_PARCEL_QUEUED;
	s->order = ++u->orders;
	u->queued++;
	return 0;
}

void gg_slot_close(struct gg_uplink_engine *u, struct gg_slot *s)
{
	u->encoder->end(&s->encoding);
	int rc = s->encoding.count ? enqueue(u, s) : -ENODATA;
	if (rc == 0)
		return;
	if (rc != -ENODATA) {
		u->dropped++;
		gg_count(u->c_large, 1);
		gg_log(GG_ERROR, u->name, "samples cannot be written into a parcel, continuing without them",
			GG_SV("device", s->parcel.name), GG_I("samples", s->samples),
			GG_S("error", strerror(-rc)));
	}
	gg_slot_finish(u, s);
}

int gg_slot_event(
	struct gg_uplink_engine *u, struct gg_slot *s, const struct gg_item *item, struct gg_round *round)
{
	prepare(u, s, item->position, round);
	s->parcel.name = GG_STR("events");
	s->parcel.content_type = u->encoder->event_content_type;
	s->parcel.urgent = true;
	int rc = u->encoder->event(&s->buf, item->position, gg_str_n(item->bytes, item->len));
	if (rc == 0)
		rc = enqueue(u, s);
	if (rc < 0 && round)
		round->left--;
	return rc;
}

static bool is_ahead(const struct gg_slot *s)
{
	return !s->round && (s->state == GG_PARCEL_QUEUED || s->state == GG_PARCEL_SENT);
}

struct gg_slot *gg_slot_ahead(struct gg_uplink_engine *u, uint64_t position)
{
	for (size_t i = 0; i < GG_PARCELS; i++)
		if (is_ahead(&u->slots[i]) && u->slots[i].parcel.id == position)
			return &u->slots[i];
	return NULL;
}

size_t gg_slot_ahead_count(const struct gg_uplink_engine *u)
{
	size_t n = 0;
	for (size_t i = 0; i < GG_PARCELS; i++)
		n += is_ahead(&u->slots[i]);
	return n;
}

struct gg_slot *gg_slot_next(struct gg_uplink_engine *u)
{
	struct gg_slot *best = NULL;
	for (size_t i = 0; u->queued && i < GG_PARCELS; i++) {
		struct gg_slot *s = &u->slots[i];
		if (s->state != GG_PARCEL_QUEUED)
			continue;
		bool first = !s->round, best_first = best && !best->round;
		if (!best || (first == best_first ? s->order < best->order : first))
			best = s;
	}
	return best;
}
