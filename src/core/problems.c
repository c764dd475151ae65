/* SPDX-License-Identifier: Apache-2.0 */
#include "core/options.h"

#include <stdarg.h>

void gg_problems_done(struct gg_problems *p)
{
	free(p->items);
	*p = (struct gg_problems){0};
}

static bool make_room(struct gg_problems *p)
{
	if (p->count < p->cap)
		return true;
	size_t cap = gg_min_size(p->cap ? p->cap * 2 : 8, GG_PROBLEMS);
	struct gg_error *bigger = cap > p->count ? realloc(p->items, cap * sizeof *bigger) : NULL;
	if (!bigger)
		return false;
	p->items = bigger;
	p->cap = cap;
	return true;
}

void gg_problem(struct gg_problems *p, const struct gg_value *at, const char *format, ...)
{
	if (!make_room(p)) {
		p->more++;
		return;
	}
	char text[GG_ERROR_TEXT];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	struct gg_error *e = &p->items[p->count++];
	gg_error_set(e, -EINVAL, "%s", text);
	if (at && at->file)
		gg_error_at(e, at->file, at->line, at->column);
}

static bool comes_before(const struct gg_error *a, const struct gg_error *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* Insertion sort: stable, at most GG_PROBLEMS items, and only within runs of one file. */
void gg_problems_sort(struct gg_problems *p)
{
	for (size_t i = 1; i < p->count; i++) {
		struct gg_error moved = p->items[i];
		size_t j = i;
		while (j > 0 && strcmp(p->items[j - 1].file, moved.file) == 0 &&
			comes_before(&moved, &p->items[j - 1])) {
			p->items[j] = p->items[j - 1];
			j--;
		}
		p->items[j] = moved;
	}
}

const char *gg_nearest(struct gg_str word, const char *(*get)(const void *ctx, size_t i), const void *ctx)
{
	unsigned best = word.len <= 3 ? 1 : word.len <= 6 ? 2 : 3;
	const char *nearest = NULL;
	const char *name;
	for (size_t i = 0; (name = get(ctx, i)); i++) {
		unsigned distance = gg_str_distance(word, gg_str(name));
		if (distance <= best && distance < gg_max_size(word.len, 2)) {
			best = distance;
			nearest = name;
			if (distance == 0)
				break;
			best--;
		}
	}
	return nearest;
}
