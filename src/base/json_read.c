/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

enum { WANT_VALUE, WANT_FIRST_KEY, WANT_FIRST_ITEM, AFTER_VALUE };

struct gg_json_reader gg_json_reader(struct gg_str json)
{
	return (struct gg_json_reader){
		.start = json.p, .p = json.p, .end = json.p + json.len, .state = WANT_VALUE};
}

static enum gg_json_token fail(struct gg_json_reader *r, const char *expected)
{
	r->error = expected;
	return GG_JSON_ERROR;
}

static void skip_blank(struct gg_json_reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
		r->p++;
}

/* The bytes after a backslash: 0 when wrong, else how many belong to the escape. */
static size_t escape_length(const char *p, const char *end)
{
	if (p >= end)
		return 0;
	if (*p != 'u')
		return memchr("\"\\/bfnrt", *p, 8) ? 1 : 0;
	if (end - p < 5)
		return 0;
	for (int i = 1; i <= 4; i++)
		if (!((p[i] >= '0' && p[i] <= '9') || ((p[i] | 32) >= 'a' && (p[i] | 32) <= 'f')))
			return 0;
	return 5;
}

static bool scan_string(struct gg_json_reader *r)
{
	const char *p = r->p + 1;
	bool wide = false;
	r->escaped = false;
	while (p < r->end && *p != '"') {
		unsigned char c = (unsigned char)*p;
		size_t n = 1;
		if (c < 0x20)
			break;
		if (c == '\\') {
			n = escape_length(p + 1, r->end);
			if (n++ == 0)
				break;
			r->escaped = true;
		}
		wide |= c >= 0x80;
		p += n;
	}
	r->text = gg_str_n(r->p + 1, (size_t)(p - r->p - 1));
	bool ok = p < r->end && *p == '"' && (!wide || gg_utf8_valid(r->text));
	r->p = ok ? p + 1 : p;
	return ok;
}

static const char *scan_run(const char *p, const char *end)
{
	while (p < end && (unsigned)(*p - '0') <= 9)
		p++;
	return p;
}

static bool scan_number(struct gg_json_reader *r)
{
	const char *p = r->p, *end = r->end;
	if (p < end && *p == '-')
		p++;
	const char *whole = p;
	p = scan_run(p, end);
	bool ok = p > whole && !(*whole == '0' && p - whole > 1);
	if (ok && p < end && *p == '.') {
		const char *fraction = ++p;
		p = scan_run(p, end);
		ok = p > fraction;
	}
	if (ok && p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		const char *exponent = p;
		p = scan_run(p, end);
		ok = p > exponent;
	}
	r->text = gg_str_n(r->p, (size_t)(p - r->p));
	r->p = p;
	return ok;
}

static bool literal(struct gg_json_reader *r, struct gg_str word)
{
	if (!gg_str_starts(gg_str_n(r->p, (size_t)(r->end - r->p)), word))
		return false;
	r->p += word.len;
	return true;
}

static enum gg_json_token open_level(struct gg_json_reader *r, bool object)
{
	if (r->depth + 1 >= GG_JSON_DEPTH)
		return fail(r, "less nesting");
	r->p++;
	r->depth++;
	r->in_object = object ? r->in_object | 1ULL << r->depth : r->in_object & ~(1ULL << r->depth);
	r->state = object ? WANT_FIRST_KEY : WANT_FIRST_ITEM;
	return object ? GG_JSON_OBJECT : GG_JSON_ARRAY;
}

static enum gg_json_token close_level(struct gg_json_reader *r)
{
	bool object = r->in_object >> r->depth & 1;
	r->p++;
	r->depth--;
	r->state = AFTER_VALUE;
	return object ? GG_JSON_OBJECT_END : GG_JSON_ARRAY_END;
}

static enum gg_json_token value(struct gg_json_reader *r)
{
	r->state = AFTER_VALUE;
	switch (r->p < r->end ? *r->p : '\0') {
	case '{':
		return open_level(r, true);
	case '[':
		return open_level(r, false);
	case '"':
		return scan_string(r) ? GG_JSON_STRING : fail(r, "a string of UTF-8 ended by '\"'");
	case 't':
		return literal(r, GG_STR("true")) ? GG_JSON_TRUE : fail(r, "true");
	case 'f':
		return literal(r, GG_STR("false")) ? GG_JSON_FALSE : fail(r, "false");
	case 'n':
		return literal(r, GG_STR("null")) ? GG_JSON_NULL : fail(r, "null");
	default:
		return scan_number(r) ? GG_JSON_NUMBER : fail(r, "a value");
	}
}

static enum gg_json_token key(struct gg_json_reader *r)
{
	if (r->p >= r->end || *r->p != '"' || !scan_string(r))
		return fail(r, "a key in quotes");
	skip_blank(r);
	if (r->p >= r->end || *r->p != ':')
		return fail(r, "':'");
	r->p++;
	r->state = WANT_VALUE;
	return GG_JSON_KEY;
}

static enum gg_json_token after_value(struct gg_json_reader *r)
{
	bool object = r->in_object >> r->depth & 1;
	if (r->depth == 0)
		return r->p == r->end ? GG_JSON_END : fail(r, "the end of the text");
	if (r->p < r->end && *r->p == (object ? '}' : ']'))
		return close_level(r);
	if (r->p >= r->end || *r->p != ',')
		return fail(r, object ? "',' or '}'" : "',' or ']'");
	r->p++;
	skip_blank(r);
	return object ? key(r) : value(r);
}

enum gg_json_token gg_json_next(struct gg_json_reader *r)
{
	if (r->error)
		return GG_JSON_ERROR;
	skip_blank(r);
	bool closes = r->p < r->end && (*r->p == '}' || *r->p == ']');
	switch (r->state) {
	case WANT_FIRST_KEY:
		return closes && *r->p == '}' ? close_level(r) : key(r);
	case WANT_FIRST_ITEM:
		return closes && *r->p == ']' ? close_level(r) : value(r);
	case AFTER_VALUE:
		return after_value(r);
	default:
		return value(r);
	}
}

bool gg_json_skip(struct gg_json_reader *r, enum gg_json_token first)
{
	if (first == GG_JSON_KEY)
		first = gg_json_next(r);
	if (first != GG_JSON_OBJECT && first != GG_JSON_ARRAY)
		return first > GG_JSON_END;
	for (unsigned outside = r->depth - 1; r->depth > outside;)
		if (gg_json_next(r) <= GG_JSON_END)
			return false;
	return true;
}

static uint32_t hex4(const char *p)
{
	uint32_t v = 0;
	for (int i = 0; i < 4; i++)
		v = v << 4 | (uint32_t)gg_hex_digit(p[i]);
	return v;
}

static size_t put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		to[i] = (char)(0x80 | (c & 0x3f));
	to[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
	return n;
}

/* One \uXXXX, or two that make a pair; returns how many bytes of text it took, from the 'u' on. */
static size_t unescape_unicode(const char *p, const char *end, uint32_t *ret_c)
{
	uint32_t c = hex4(p + 1);
	*ret_c = c >= 0xd800 && c <= 0xdfff ? 0xfffd : c;
	if (c < 0xd800 || c > 0xdbff || end - p < 11 || p[5] != '\\' || p[6] != 'u')
		return 5;
	uint32_t low = hex4(p + 7);
	if (low < 0xdc00 || low > 0xdfff)
		return 5;
	*ret_c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	return 11;
}

size_t gg_json_unescape(struct gg_str text, char *to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *p = text.p, *end = text.p + text.len;
	size_t n = 0;
	while (p < end) {
		if (*p != '\\' || p + 1 >= end) {
			to[n++] = *p++;
			continue;
		}
		p++;
		if (*p == 'u' && end - p >= 5) {
			uint32_t c;
			p += unescape_unicode(p, end, &c);
			n += put_utf8(to + n, c);
			continue;
		}
		const char *at = strchr(from, *p++);
		to[n++] = at ? into[at - from] : '?';
	}
	to[n] = '\0';
	return n;
}

/* Does the pointer's part (with ~0 and ~1) name this key? Compares unescaped, without a copy of the part. */
static bool names_key(struct gg_str part, const struct gg_json_reader *r)
{
	char plain[256];
	struct gg_str key_text = r->text;
	if (r->escaped) {
		if (r->text.len >= sizeof plain)
			return false;
		key_text = gg_str_n(plain, gg_json_unescape(r->text, plain));
	}
	size_t k = 0;
	for (size_t i = 0; i < part.len; i++, k++) {
		char c = part.p[i];
		if (c == '~' && i + 1 < part.len)
			c = part.p[++i] == '1' ? '/' : '~';
		if (k >= key_text.len || key_text.p[k] != c)
			return false;
	}
	return k == key_text.len;
}

/* Steps into the member or item that part names; leaves its first token in *token. */
static int descend(struct gg_json_reader *r, struct gg_str part, enum gg_json_token *token)
{
	bool object = *token == GG_JSON_OBJECT;
	uint64_t index = 0, at = 0;
	if (!object && (*token != GG_JSON_ARRAY || gg_parse_uint(part, &index) < 0))
		return -ENOENT;
	for (;; at++) {
		enum gg_json_token t = gg_json_next(r);
		if (t == GG_JSON_ERROR)
			return -EINVAL;
		if (t == GG_JSON_OBJECT_END || t == GG_JSON_ARRAY_END)
			return -ENOENT;
		if (object ? names_key(part, r) : at == index) {
			*token = object ? gg_json_next(r) : t;
			return *token == GG_JSON_ERROR ? -EINVAL : 0;
		}
		if (!gg_json_skip(r, t))
			return -EINVAL;
	}
}

int gg_json_pointer(struct gg_str json, struct gg_str pointer, struct gg_str *ret_value)
{
	struct gg_json_reader r = gg_json_reader(json);
	enum gg_json_token token = gg_json_next(&r);
	if (token <= GG_JSON_END || (pointer.len && pointer.p[0] != '/'))
		return -EINVAL;
	while (pointer.len) { /* each part begins with its slash */
		struct gg_str part = gg_str_n(pointer.p + 1, pointer.len - 1);
		part.len = gg_str_find(part, '/');
		pointer = gg_str_n(part.p + part.len, pointer.len - 1 - part.len);
		int rc = descend(&r, part, &token);
		if (rc < 0)
			return rc;
	}
	bool quoted = token == GG_JSON_STRING;
	size_t width = token == GG_JSON_STRING || token == GG_JSON_NUMBER ? r.text.len + 2 * quoted
		       : token == GG_JSON_FALSE                           ? 5
		       : token == GG_JSON_TRUE || token == GG_JSON_NULL   ? 4
									  : 1;
	const char *start = r.p - width;
	if (!gg_json_skip(&r, token))
		return -EINVAL;
	*ret_value = gg_str_n(start, (size_t)(r.p - start));
	return 0;
}
