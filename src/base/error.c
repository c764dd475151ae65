/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/str.h"

#include <stdarg.h>

int gg_error_set(struct gg_error *e, int code, const char *format, ...)
{
	if (!e)
		return code;
	va_list args;
	va_start(args, format);
	e->code = code;
	e->line = e->column = 0;
	e->file[0] = '\0';
	vsnprintf(e->text, sizeof e->text, format, args);
	va_end(args);
	return code;
}

void gg_error_prefix(struct gg_error *e, const char *format, ...)
{
	if (!e)
		return;
	char before[GG_ERROR_TEXT], whole[2 * GG_ERROR_TEXT + 3];
	va_list args;
	va_start(args, format);
	vsnprintf(before, sizeof before, format, args);
	va_end(args);
	snprintf(whole, sizeof whole, "%s: %s", before, e->text);
	gg_str_copy(e->text, sizeof e->text, gg_str(whole));
}

void gg_error_at(struct gg_error *e, const char *file, unsigned line, unsigned column)
{
	if (!e)
		return;
	gg_str_copy(e->file, sizeof e->file, gg_str(file));
	e->line = line;
	e->column = column;
}

const char *gg_error_format(const struct gg_error *e, char *to, size_t size)
{
	if (e->file[0] && e->line)
		snprintf(to, size, "%s:%u:%u: %s", e->file, e->line, e->column, e->text);
	else if (e->file[0])
		snprintf(to, size, "%s: %s", e->file, e->text);
	else
		snprintf(to, size, "%s", e->text);
	return to;
}

struct kind {
	int code, http;
	const char *name;
};

static const struct kind *kind_of(int code)
{
#define ROW(name, number, status, text) {-(number), status, text},
	static const struct kind kinds[] = {GG_ERRORS(ROW)};
#undef ROW
	for (size_t i = 0; i < GG_COUNT(kinds); i++)
		if (kinds[i].code == code)
			return &kinds[i];
	return &kinds[GG_COUNT(kinds) - 1];
}

const char *gg_error_name(int code)
{
	return kind_of(code)->name;
}

int gg_error_http(int code)
{
	return kind_of(code)->http;
}
