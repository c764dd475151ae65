/* SPDX-License-Identifier: Apache-2.0 */
#include "store/query_backward.h"

enum { FIRST_SAMPLES = 512, MOST_GROWTH = 128, WINDOW_MAX = 4 << 20, TEXT_MAX = 64 << 20 };

void gg_query_backward_done(struct gg_query_backward *b)
{
	free(b->signal);
	free(b->samples);
	gg_buf_done(&b->text);
	*b = (struct gg_query_backward){.done = true};
}

/* How the numbers are spread says how wide a window should be; blocks' summaries know without being opened.
 */
static int look(struct gg_query_backward *b)
{
	struct gg_summary all;
	if (b->from == b->to || b->to == INT64_MIN)
		return 0;
	int64_t end = b->to == INT64_MAX ? b->to : b->to + 1;
	int status = gg_history_chart(b->reader, gg_str(b->signal), b->from, end, &all, 1);
	if (status < 0 || all.count == 0)
		return status;
	int64_t span;
	b->first = all.first_ns;
	b->last = all.last_ns;
	if (__builtin_sub_overflow(b->last, b->first, &span))
		span = INT64_MAX;
	b->width = span / (int64_t)(all.count / FIRST_SAMPLES + 1) + 1;
	b->most = b->width > INT64_MAX / MOST_GROWTH ? INT64_MAX : b->width * MOST_GROWTH;
	return 0;
}

int gg_query_backward_begin(struct gg_query_backward *b, struct gg_history_reader *reader,
	struct gg_str signal, int64_t from, int64_t to)
{
	gg_query_backward_done(b);
	*b = (struct gg_query_backward){
		.reader = reader, .from = from, .to = to, .first = 1, .text = GG_BUF(TEXT_MAX)};
	b->signal = gg_str_dup(signal);
	if (!b->signal)
		return -ENOMEM;
	return look(b);
}

static bool keep(void *arg, const struct gg_sample *s, struct gg_str text)
{
	struct gg_query_backward *b = arg;
	if (b->count == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : FIRST_SAMPLES * 2;
		struct gg_sample *fresh = cap <= WINDOW_MAX ? realloc(b->samples, cap * sizeof *fresh) : NULL;
		if (!fresh) {
			b->failed = true;
			return false;
		}
		b->samples = fresh;
		b->cap = cap;
	}
	b->samples[b->count] = *s;
	if (s->type == GG_TYPE_STRING || s->type == GG_TYPE_BYTES) {
		b->samples[b->count].v.blob.off = (uint32_t)b->text.len;
		b->samples[b->count].v.blob.len = (uint32_t)text.len;
		gg_buf_str(&b->text, text);
	}
	b->failed |= b->text.error != 0;
	b->count++;
	return !b->failed;
}

/* Where the window that ends at `to` begins. */
static int64_t begin_of_window(const struct gg_query_backward *b)
{
	int64_t end = b->last < b->to ? b->last : b->to, low;
	if (b->first > b->last || __builtin_sub_overflow(end, b->width, &low) || low <= b->first)
		return b->from;
	return low > b->from ? low : b->from;
}

static int next_window(struct gg_query_backward *b)
{
	int64_t low = begin_of_window(b);
	b->count = 0;
	gg_buf_clear(&b->text);
	int status = gg_history_scan(b->reader, gg_str(b->signal), low, b->to, keep, b);
	if (status < 0 || b->failed)
		return status < 0 ? status : -ENOMEM;
	b->done = low == b->from;
	b->to = b->done ? low : low - 1;
	if (b->count == 0)
		b->width = b->width > INT64_MAX / 2 ? INT64_MAX : b->width * 2;
	else if (b->width < b->most)
		b->width *= 2;
	return 0;
}

int gg_query_backward_next(struct gg_query_backward *b, struct gg_sample *ret_sample, struct gg_str *ret_text)
{
	while (b->count == 0) {
		int status = b->done ? 0 : next_window(b);
		if (status < 0 || (b->done && b->count == 0))
			return status;
	}
	const struct gg_sample *s = &b->samples[--b->count];
	bool text = s->type == GG_TYPE_STRING || s->type == GG_TYPE_BYTES;
	*ret_sample = *s;
	*ret_text = text ? gg_str_n(b->text.p + s->v.blob.off, s->v.blob.len) : GG_STR("");
	return 1;
}
