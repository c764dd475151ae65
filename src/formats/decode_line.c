/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/decode_line.h"

enum { NAME = GG_SIGNAL_NAME, FIELD_TEXT = 64 << 10 };

/* ---- cutting ---- */

/* Position of the first stop byte that is neither escaped nor, when quotes count, within quotes; or len. */
static size_t find_plain(struct gg_str s, const char *stops, bool quotes)
{
	bool quoted = false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\' && i + 1 < s.len && s.p[i + 1] != '\n')
			i++;
		else if (quotes && s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && s.p[i] && strchr(stops, s.p[i]))
			return i;
	}
	return s.len;
}

static struct gg_str cut_at(struct gg_str *s, size_t n)
{
	struct gg_str head = gg_str_n(s->p, n);
	size_t skip = n < s->len ? n + 1 : n;
	*s = gg_str_n(s->p + skip, s->len - skip);
	return head;
}

static int cut_line(struct gg_str *text, struct gg_line *ret_line)
{
	/* The key may not hold a line end; fields may, within quotes. */
	size_t key = find_plain(*text, " \n", false);
	if (key == text->len || text->p[key] != ' ')
		return -EINVAL;
	struct gg_str head = cut_at(text, key);
	struct gg_line line = {.measurement = cut_at(&head, find_plain(head, ",", false)), .tags = head};
	size_t end = find_plain(*text, "\n", true);
	struct gg_str rest = gg_str_trim(cut_at(text, end));
	line.fields = cut_at(&rest, find_plain(rest, " ", true));
	line.time = gg_str_trim(rest);
	if (line.measurement.len == 0 || line.fields.len == 0)
		return -EINVAL;
	*ret_line = line;
	return 1;
}

int gg_line_next(struct gg_str *text, struct gg_line *ret_line)
{
	for (;;) {
		while (text->len && strchr(" \t\r\n", text->p[0]) && text->p[0])
			*text = gg_str_n(text->p + 1, text->len - 1);
		if (text->len == 0)
			return 0;
		if (text->p[0] != '#')
			return cut_line(text, ret_line);
		cut_at(text, gg_str_find(*text, '\n'));
	}
}

int gg_line_pair(struct gg_str *list, struct gg_str *ret_key, struct gg_str *ret_value)
{
	if (list->len == 0)
		return 0;
	struct gg_str pair = cut_at(list, find_plain(*list, ",", true));
	size_t equals = find_plain(pair, "=", false);
	if (equals == 0 || equals + 1 >= pair.len)
		return -EINVAL;
	*ret_key = cut_at(&pair, equals);
	*ret_value = pair;
	return 1;
}

size_t gg_line_unescape(struct gg_str text, char *to)
{
	bool quoted = text.len >= 2 && text.p[0] == '"' && text.p[text.len - 1] == '"';
	size_t n = 0, end = quoted ? text.len - 1 : text.len;
	for (size_t i = quoted; i < end; i++) {
		/* In a string only \" and \\ are escapes, outside ',', '=', ' ' and '\' too. */
		if (text.p[i] == '\\' && i + 1 < end && strchr(quoted ? "\"\\" : ",= \\", text.p[i + 1]) &&
			text.p[i + 1])
			i++;
		to[n++] = text.p[i];
	}
	return n;
}

/* ---- names ---- */

struct name {
	char text[NAME];
	size_t len;
};

static int name_add(struct name *n, struct gg_str escaped)
{
	char plain[NAME];
	if (escaped.len >= sizeof plain)
		return -EINVAL;
	size_t len = gg_line_unescape(escaped, plain);
	if (n->len + len + 1 >= sizeof n->text || len == 0)
		return -EINVAL;
	if (n->len)
		n->text[n->len++] = '.';
	memcpy(n->text + n->len, plain, len);
	n->len += len;
	return 0;
}

/* Device, and what stands before the field in the names of its signals. */
static int names_of(
	const struct gg_line *line, struct gg_str device_tag, struct name *device, struct name *prefix)
{
	struct gg_str tags = line->tags, key, value;
	int rc;
	while ((rc = gg_line_pair(&tags, &key, &value)) == 1)
		if (gg_str_eq(key, device_tag) && device->len == 0 && name_add(device, value) < 0)
			return -EINVAL;
	if (rc < 0)
		return rc;
	bool tagged = device->len > 0;
	rc = name_add(tagged ? prefix : device, line->measurement);
	tags = line->tags;
	while (rc == 0 && gg_line_pair(&tags, &key, &value) == 1)
		if (!tagged || !gg_str_eq(key, device_tag))
			rc = name_add(prefix, value);
	return rc;
}

/* ---- values ---- */

static bool is_word(struct gg_str s, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (gg_str_is(s, words[i]))
			return true;
	return false;
}

static int add_text(struct gg_batch **batch, const struct gg_sample *s, struct gg_str value)
{
	if (value.len > FIELD_TEXT)
		return -E2BIG;
	char *plain GG_CLEANUP(gg_free_p) = malloc(value.len);
	if (!plain)
		return -ENOMEM;
	struct gg_str text = gg_str_n(plain, gg_line_unescape(value, plain));
	if (!gg_utf8_valid(text))
		return -EINVAL;
	return gg_decode_add_text(batch, s->signal, s->time_ns, text);
}

static int add_value(struct gg_batch **batch, struct gg_sample *s, struct gg_str value)
{
	static const char *const yes[] = {"t", "T", "true", "True", "TRUE"};
	static const char *const no[] = {"f", "F", "false", "False", "FALSE"};
	struct gg_str head = gg_str_n(value.p, value.len - 1);
	char last = value.p[value.len - 1];
	if (value.p[0] == '"')
		return value.len >= 2 && last == '"' ? add_text(batch, s, value) : -EINVAL;
	if (is_word(value, yes, GG_COUNT(yes)) || is_word(value, no, GG_COUNT(no))) {
		s->type = GG_TYPE_BOOL;
		s->v.b = is_word(value, yes, GG_COUNT(yes));
	} else if (last == 'i' && gg_parse_int(head, &s->v.i) == 0) {
		s->type = GG_TYPE_INT;
	} else if (last == 'u' && gg_parse_uint(head, &s->v.u) == 0) {
		s->type = GG_TYPE_UINT;
	} else if (last >= '.' && last <= '9' && gg_parse_float(value, &s->v.f) == 0) {
		s->type = GG_TYPE_FLOAT;
	} else {
		return -EINVAL;
	}
	return gg_decode_add(batch, s);
}

static int take_line(
	const struct gg_line *line, const struct gg_line_rule *rule, const struct gg_line_sink *sink)
{
	struct name device = {.len = 0}, prefix = {.len = 0};
	struct gg_decoder *decoder = NULL;
	struct gg_batch **batch = NULL;
	int64_t time_ns = rule->received_ns;
	int rc = line->time.len ? gg_decode_time(line->time, rule->unit, &time_ns) : 0;
	if (rc == 0)
		rc = names_of(line, rule->device_tag, &device, &prefix);
	if (rc == 0)
		rc = sink->device(sink->arg, gg_str_n(device.text, device.len), &decoder, &batch);
	struct gg_str fields = line->fields, key, value;
	while (rc == 0) {
		struct gg_sample s = {.time_ns = time_ns};
		struct name signal = prefix;
		int more = gg_line_pair(&fields, &key, &value);
		if (more <= 0)
			return more;
		rc = name_add(&signal, key);
		if (rc == 0)
			rc = gg_decoder_signal(decoder, gg_str_n(signal.text, signal.len), &s.signal);
		if (rc == 0)
			rc = add_value(batch, &s, value);
	}
	return rc;
}

int gg_decode_lines(struct gg_str payload, const struct gg_line_rule *rule, const struct gg_line_sink *sink,
	struct gg_error *e)
{
	struct gg_str rest = payload;
	struct gg_line line;
	for (unsigned number = 1;; number++) {
		int rc = gg_line_next(&rest, &line);
		if (rc == 0)
			return 0;
		if (rc == 1)
			rc = take_line(&line, rule, sink);
		if (rc == -EINVAL)
			return gg_error_set(e, rc,
				"line %u: expected measurement[,tag=value...] field=value[,...] [time]",
				number);
		if (rc < 0)
			return gg_error_set(e, rc, "line %u: %s", number, strerror(-rc));
	}
}
