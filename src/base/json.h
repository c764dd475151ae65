/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON (RFC 8259): a writer into a gg_buf and a pull reader over borrowed bytes. Neither allocates per value.
 *
 * Writer: commas are put by themselves. Errors are the buffer's (sticky).
 *   gg_json_begin_object(&w); gg_json_key(&w, GG_STR("mean")); gg_json_float(&w, 21.5);
 * gg_json_end_object(&w);
 *
 * Reader: gg_json_next() walks token by token; a value nested deeper than GG_JSON_DEPTH, a control byte in a
 * string, a wrong number or invalid UTF-8 is an error with its offset.
 * Thread: its owner's.
 */
#ifndef GG_JSON_H
#define GG_JSON_H

#include "base/buf.h"

enum { GG_JSON_DEPTH = 64 };

struct gg_json_writer {
	struct gg_buf *to;
	uint64_t has_member; /* one bit a level: a comma is due */
	unsigned depth;
	bool after_key;
};

static inline struct gg_json_writer gg_json_writer(struct gg_buf *to)
{
	return (struct gg_json_writer){.to = to};
}

void gg_json_begin_object(struct gg_json_writer *w);
void gg_json_end_object(struct gg_json_writer *w);
void gg_json_begin_array(struct gg_json_writer *w);
void gg_json_end_array(struct gg_json_writer *w);
void gg_json_key(struct gg_json_writer *w, struct gg_str key);
/* Invalid UTF-8 becomes U+FFFD. */
void gg_json_string(struct gg_json_writer *w, struct gg_str s);
void gg_json_int(struct gg_json_writer *w, int64_t v);
void gg_json_uint(struct gg_json_writer *w, uint64_t v);
/* NaN and infinities have no JSON form: null. */
void gg_json_float(struct gg_json_writer *w, double v);
void gg_json_bool(struct gg_json_writer *w, bool v);
void gg_json_null(struct gg_json_writer *w);
/* RFC 3339 text. */
void gg_json_time(struct gg_json_writer *w, int64_t utc_ns);
/* A value that is JSON already. */
void gg_json_raw(struct gg_json_writer *w, struct gg_str json);
/* key and value at once */
void gg_json_put_str(struct gg_json_writer *w, const char *key, struct gg_str v);
void gg_json_put_int(struct gg_json_writer *w, const char *key, int64_t v);
void gg_json_put_float(struct gg_json_writer *w, const char *key, double v);
void gg_json_put_bool(struct gg_json_writer *w, const char *key, bool v);
void gg_json_put_time(struct gg_json_writer *w, const char *key, int64_t utc_ns);

enum gg_json_token {
	GG_JSON_ERROR = -1,
	GG_JSON_END, /* the whole text has been read */
	GG_JSON_OBJECT,
	GG_JSON_OBJECT_END,
	GG_JSON_ARRAY,
	GG_JSON_ARRAY_END,
	GG_JSON_KEY,
	GG_JSON_STRING,
	GG_JSON_NUMBER,
	GG_JSON_TRUE,
	GG_JSON_FALSE,
	GG_JSON_NULL,
};

struct gg_json_reader {
	const char *start, *p, *end;
	struct gg_str text; /* of a key or string: what stands between the quotes, still escaped; of a number:
			       itself */
	bool escaped;       /* text has backslashes: use gg_json_unescape() */
	const char *error;  /* what was expected, when the last token was GG_JSON_ERROR */
	uint64_t in_object; /* one bit a level */
	unsigned depth;
	uint8_t state;
};

struct gg_json_reader gg_json_reader(struct gg_str json);
enum gg_json_token gg_json_next(struct gg_json_reader *r);
/* Passes over the value whose first token was just returned. Returns false on error. */
bool gg_json_skip(struct gg_json_reader *r, enum gg_json_token first);
/* Offset of the next byte to be read, or of the error. */
static inline size_t gg_json_offset(const struct gg_json_reader *r)
{
	return (size_t)(r->p - r->start);
}
/* Resolves the escapes of text into to (which needs text.len + 1 bytes) and ends with NUL; returns the
 * length. A lone surrogate becomes U+FFFD. */
size_t gg_json_unescape(struct gg_str text, char *to);
/* RFC 6901: finds the value at pointer ("" is the whole, "/a/0/b") in json; the result is a view of json.
 * Errors: -EINVAL the pointer or the JSON is wrong, -ENOENT nothing is there. */
int gg_json_pointer(struct gg_str json, struct gg_str pointer, struct gg_str *ret_value);

#endif
