/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples to payloads, for all that sends them north. A payload is about one device and is written as the
 * samples come, so nothing is gathered before:
 *
 *   begin ─▶ add ─▶ add ─▶ ... ─▶ end      bytes grow in a gg_buf with a maximum; errors are the buffer's
 *
 *   json    {"id":"1f40","device":"boiler","samples":[{"signal":"temperature","time":"...","value":21.5,
 *            "unit":"degC"}, {"signal":"burner","time":"...","value":null,"quality":"bad",
 *            "reason":"no answer in time"}]}          quality and reason only when it is not good
 *   cbor    the same as a map (RFC 8949, deterministic: §4.2.1), time as ns since 1970, bytes as bytes
 *   senml   RFC 8428; numbers in SenML's own units. It has no word for a bad value, so those are left out;
 *           it has none for events either: they go as JSON
 *   event   {"id":"1f40","event":{...}}
 *
 * Thread: its owner's.
 */
#ifndef GG_FORMATS_ENCODE_H
#define GG_FORMATS_ENCODE_H

#include "base/json.h"
#include "ganglion/batch.h"

struct gg_encoding {
	struct gg_buf *to;
	struct gg_json_writer json;
	size_t mark;     /* where the samples begin */
	uint64_t count;  /* samples written */
	int64_t base_ns; /* SenML: the base time */
	struct gg_str device;
};

struct gg_encoder {
	const char *name, *content_type, *event_content_type;
	/* id is the parcel's; device is borrowed until end. */
	void (*begin)(struct gg_encoding *e, struct gg_buf *to, uint64_t id, struct gg_str device);
	void (*add)(struct gg_encoding *e, const struct gg_batch *b, const struct gg_sample *s);
	void (*end)(struct gg_encoding *e);
	/* event: a JSON object. Errors: -EINVAL it is none. */
	int (*event)(struct gg_buf *to, uint64_t id, struct gg_str event);
};

extern const struct gg_encoder gg_encoder_json, gg_encoder_senml, gg_encoder_cbor;

/* The signal's name behind its device; an index that is unknown gives "". */
struct gg_str gg_encode_signal(uint32_t signal, const char **ret_unit);
/* 16 hexadecimal digits: an id as payloads and properties write it. to has 17 bytes. */
size_t gg_encode_id(char *to, uint64_t id);
int gg_encode_event_json(struct gg_buf *to, uint64_t id, struct gg_str event);

#endif
