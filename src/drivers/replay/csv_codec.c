/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/replay/csv_codec.h"

/* Where the record ends: the place of its LF, or len. A line end within quotes does not count. */
static int find_end(const char *text, size_t len, bool last, size_t *ret_end)
{
	bool quoted = false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		else if (text[i] == '\n' && !quoted) {
			*ret_end = i;
			return 0;
		}
	}
	if (!last)
		return -EAGAIN;
	*ret_end = len;
	return quoted ? -EINVAL : 0;
}

/* A quoted field that begins behind the quote at *at; leaves *at behind the closing one. */
static struct gg_str take_quoted(char *text, size_t end, size_t *at)
{
	size_t from = ++*at, to = from;
	for (; *at < end; ++*at) {
		if (text[*at] == '"') {
			if (*at + 1 == end || text[*at + 1] != '"') {
				++*at;
				break;
			}
			++*at;
		}
		text[to++] = text[*at];
	}
	return gg_str_n(text + from, to - from);
}

static void pass_blanks(const char *text, size_t end, char separator, size_t *at)
{
	if (separator == ' ')
		while (*at < end && text[*at] == ' ')
			++*at;
}

static int split(
	char *text, size_t end, char separator, struct gg_csv_field *fields, size_t max, size_t *ret_count)
{
	size_t count = 0, at = 0;
	pass_blanks(text, end, separator, &at);
	while (at < end) {
		if (count == max)
			return -E2BIG;
		struct gg_csv_field *f = &fields[count++];
		f->quoted = text[at] == '"';
		if (f->quoted) {
			f->text = take_quoted(text, end, &at);
			if (at < end && text[at] != separator)
				return -EINVAL;
		} else {
			size_t from = at;
			while (at < end && text[at] != separator)
				at++;
			f->text = gg_str_trim(gg_str_n(text + from, at - from));
		}
		if (at == end)
			break;
		at++;
		pass_blanks(text, end, separator, &at);
		if (at == end && separator != ' ') { /* "a," has an empty field at its end */
			if (count == max)
				return -E2BIG;
			fields[count++] = (struct gg_csv_field){GG_STR(""), false};
		}
	}
	*ret_count = count;
	return 0;
}

int gg_csv_record(char *text, size_t len, bool last, char separator, struct gg_csv_field *fields, size_t max,
	size_t *ret_count, size_t *ret_used)
{
	size_t end = 0;
	int rc = find_end(text, len, last, &end);
	if (rc == -EAGAIN)
		return rc;
	*ret_used = end < len ? end + 1 : end;
	if (rc < 0)
		return rc;
	if (end && text[end - 1] == '\r')
		end--;
	return split(text, end, separator, fields, max, ret_count);
}

char gg_csv_guess(struct gg_str line)
{
	static const char candidates[] = ",;\t|";
	char best = ',';
	size_t most = 0;
	for (const char *c = candidates; *c; c++) {
		size_t n = 0;
		for (size_t i = 0; i < line.len && line.p[i] != '\n'; i++)
			n += line.p[i] == *c;
		if (n > most) {
			most = n;
			best = *c;
		}
	}
	return best;
}
