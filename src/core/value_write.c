/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing trees. YAML comes out in block style, with quotes only where a reader would else see something
 * other than the text, and scripts of several lines as literal blocks. Reading the result gives the same tree
 * (the fuzz target holds it to that).
 */
#include "core/value.h"

static bool is_json_number(struct gg_str text)
{
	struct gg_json_reader r = gg_json_reader(text);
	return gg_json_next(&r) == GG_JSON_NUMBER && r.text.len == text.len;
}

static void scalar_to_json(const struct gg_value *v, struct gg_json_writer *w)
{
	if (!v->quoted && gg_str_is(v->text, "true"))
		gg_json_bool(w, true);
	else if (!v->quoted && gg_str_is(v->text, "false"))
		gg_json_bool(w, false);
	else if (!v->quoted && is_json_number(v->text))
		gg_json_raw(w, v->text);
	else
		gg_json_string(w, v->text);
}

void gg_value_to_json(const struct gg_value *v, struct gg_json_writer *w)
{
	if (!v || v->kind == GG_VALUE_NULL) {
		gg_json_null(w);
		return;
	}
	if (v->kind == GG_VALUE_SCALAR) {
		scalar_to_json(v, w);
		return;
	}
	bool map = v->kind == GG_VALUE_MAP;
	if (map)
		gg_json_begin_object(w);
	else
		gg_json_begin_array(w);
	for (size_t i = 0; i < v->count; i++) {
		if (map)
			gg_json_key(w, v->keys[i]->text);
		gg_value_to_json(v->items[i], w);
	}
	if (map)
		gg_json_end_object(w);
	else
		gg_json_end_array(w);
}

static void indent(struct gg_buf *to, unsigned level)
{
	for (unsigned i = 0; i < level; i++)
		gg_buf_str(to, GG_STR("  "));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool plain_start(struct gg_str s)
{
	char c = s.p[0], next = s.len > 1 ? s.p[1] : '\0';
	if (is_letter(c) || is_digit(c) || c == '_' || c == '/')
		return true;
	if (c == '-' || c == '+') /* -inf, too: in quotes it would be a text */
		return is_digit(next) || is_letter(next) || next == '.';
	return c == '.' ? is_digit(next) : c == '$' && next == '{';
}

static bool plain_inside(struct gg_str s, size_t i)
{
	char c = s.p[i], next = i + 1 < s.len ? s.p[i + 1] : ' ';
	if (c == ':')
		return next != ' ';
	if (c == '#')
		return i && s.p[i - 1] != ' ';
	if (c == ' ')
		return i + 1 < s.len && next != ' ' && i > 0;
	return c > ' ' && c < 0x7f;
}

/* Can the text stand without quotes in block style, on one line? */
static bool can_be_plain(struct gg_str s)
{
	if (s.len == 0 || s.len > 200 || !plain_start(s) || gg_str_is(s, "null"))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!plain_inside(s, i))
			return false;
	return true;
}

/* Code points that YAML readers take for line ends, marks or nothing printable: they go as escapes. Returns
 * the bytes of the sequence, 0 when it is an ordinary one. */
static size_t odd_sequence(struct gg_str s, unsigned *ret_point)
{
	const unsigned char *p = (const unsigned char *)s.p;
	if (s.len >= 2 && p[0] == 0xc2 && p[1] < 0xa1) {
		*ret_point = p[1];
		return 2;
	}
	if (s.len < 3 || (p[0] != 0xe2 && p[0] != 0xef))
		return 0;
	*ret_point = (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
	bool odd =
		*ret_point == 0x2028 || *ret_point == 0x2029 || *ret_point == 0xfeff || *ret_point >= 0xfffe;
	return odd ? 3 : 0;
}

static void put_quoted(struct gg_buf *to, struct gg_str s)
{
	gg_buf_char(to, '"');
	for (size_t i = 0; i < s.len;) {
		unsigned char c = (unsigned char)s.p[i];
		unsigned point = 0;
		size_t odd = c >= 0x80 ? odd_sequence(gg_str_n(s.p + i, s.len - i), &point) : 0;
		if (odd)
			gg_buf_printf(to, "\\u%04x", point);
		else if (c == '"' || c == '\\')
			gg_buf_printf(to, "\\%c", c);
		else if (c == '\n')
			gg_buf_str(to, GG_STR("\\n"));
		else if (c < 0x20 || c == 0x7f)
			gg_buf_printf(to, "\\x%02x", c);
		else
			gg_buf_char(to, (char)c);
		i += odd ? odd : 1;
	}
	gg_buf_char(to, '"');
}

static bool can_be_literal(struct gg_str s)
{
	if (gg_str_find(s, '\n') == s.len || s.p[0] == ' ' || s.p[0] == '\n' || s.p[0] == '\t')
		return false;
	unsigned point;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			return false;
		if (c >= 0x80 && odd_sequence(gg_str_n(s.p + i, s.len - i), &point))
			return false;
		if (c == '\n' &&
			(s.p[i - 1] == ' ' ||
				s.p[i - 1] == '\t')) /* blanks that nobody sees would get lost in an editor */
			return false;
	}
	return s.len < 2 || s.p[s.len - 1] != '\n' || s.p[s.len - 2] != '\n';
}

static void put_literal(struct gg_buf *to, struct gg_str s, unsigned level)
{
	bool ends = s.p[s.len - 1] == '\n';
	gg_buf_str(to, ends ? GG_STR("|") : GG_STR("|-"));
	if (ends)
		s.len--;
	for (size_t at = 0; at <= s.len;) {
		struct gg_str rest = gg_str_n(s.p + at, s.len - at);
		size_t len = gg_str_find(rest, '\n');
		gg_buf_char(to, '\n');
		if (len)
			indent(to, level);
		gg_buf_add(to, rest.p, len);
		at += len + 1;
	}
}

static void put_scalar(struct gg_buf *to, const struct gg_value *v, unsigned level)
{
	struct gg_str text = v->raw.p ? v->raw : v->text;
	if (text.len && can_be_literal(text))
		put_literal(to, text, level);
	else if (can_be_plain(text) && !(v->quoted && (v->raw.p || gg_value_looks_typed(text))))
		gg_buf_str(to, text);
	else
		put_quoted(to, text);
}

static void put_value(struct gg_buf *to, const struct gg_value *v, unsigned level, bool in_list);

static void put_item(struct gg_buf *to, const struct gg_value *v, unsigned level)
{
	gg_buf_char(to, '-');
	if (v->kind == GG_VALUE_NULL)
		gg_buf_str(to, GG_STR(" null"));
	else
		put_value(to, v, level, true);
}

static void put_key(struct gg_buf *to, const struct gg_value *key)
{
	if (can_be_plain(key->text) && !gg_value_looks_typed(key->text))
		gg_buf_str(to, key->text);
	else
		put_quoted(to, key->text);
	gg_buf_char(to, ':');
}

/* What stands behind "key:" or "-", the line end included. level is that of the children's indentation. */
static void put_value(struct gg_buf *to, const struct gg_value *v, unsigned level, bool in_list)
{
	if (v->kind == GG_VALUE_NULL || v->kind == GG_VALUE_SCALAR || v->count == 0) {
		if (v->kind != GG_VALUE_NULL)
			gg_buf_char(to, ' ');
		if (v->kind == GG_VALUE_SCALAR)
			put_scalar(to, v, level);
		else if (v->kind != GG_VALUE_NULL)
			gg_buf_str(to, v->kind == GG_VALUE_MAP ? GG_STR("{}") : GG_STR("[]"));
		gg_buf_char(to, '\n');
		return;
	}
	for (size_t i = 0; i < v->count; i++) {
		bool first_in_list = i == 0 && in_list;
		if (first_in_list) {
			gg_buf_char(to, ' ');
		} else {
			if (i == 0)
				gg_buf_char(to, '\n');
			indent(to, level);
		}
		if (v->kind == GG_VALUE_MAP) {
			put_key(to, v->keys[i]);
			put_value(to, v->items[i], level + 1, false);
		} else {
			put_item(to, v->items[i], level + 1);
			if (v->items[i]->kind == GG_VALUE_NULL)
				gg_buf_char(to, '\n');
		}
	}
}

void gg_value_to_yaml(const struct gg_value *v, struct gg_buf *to)
{
	if (!v || v->kind == GG_VALUE_NULL) {
		gg_buf_str(to, GG_STR("null\n"));
		return;
	}
	if (v->kind != GG_VALUE_SCALAR && v->count) {
		/* At the root nothing stands before the first key: the line end put there is skipped. */
		struct gg_buf inner = GG_BUF(to->max);
		put_value(&inner, v, 0, false);
		if (inner.error)
			to->error = inner.error;
		else
			gg_buf_add(to, inner.p + 1, inner.len - 1);
		gg_buf_done(&inner);
		return;
	}
	struct gg_value flat = *v;
	put_value(to, &flat, 1, true);
}
