/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a query as text, written piece by piece: CSV (RFC 4180), a JSON array of objects, or JSON lines.
 * The same for who asks over the API and for who reads the data folder. Owner: whoever has the struct.
 */
#ifndef GG_GATEWAY_QUERY_TEXT_H
#define GG_GATEWAY_QUERY_TEXT_H

#include "base/sink.h"
#include "store/query.h"

enum gg_query_format { GG_QUERY_CSV, GG_QUERY_JSON, GG_QUERY_JSONL };

struct gg_query_text {
	enum gg_query_format format;
	const struct gg_sink *sink;
	struct gg_buf out, names; /* names: each ended by NUL */
	uint64_t rows;
	int status; /* of the sink */
};

/* Errors: -EINVAL. */
int gg_query_format_of(struct gg_str name, enum gg_query_format *ret_format);
const char *gg_query_media(enum gg_query_format format);
/* Fills o so that a query's rows come here. */
void gg_query_text_begin(struct gg_query_text *t, enum gg_query_format format, const struct gg_sink *sink,
	struct gg_query_output *o);
/* Writes the end. Errors: the sink's, -ENOMEM. */
int gg_query_text_end(struct gg_query_text *t);
void gg_query_text_done(struct gg_query_text *t);

/* A field, quoted where it must be. */
void gg_csv_put(struct gg_buf *to, struct gg_str s);

#endif
