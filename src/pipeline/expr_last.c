/* SPDX-License-Identifier: Apache-2.0 */
/* The last value of a signal: what expressions look at. */
#include "pipeline/expr.h"
#include "pipeline/state_io.h"

#include <math.h>

static bool set_text(struct gg_expr_last *l, struct gg_str text)
{
	if (text.len > GG_EXPR_LAST_TEXT)
		return false;
	if (text.len > l->text_cap) {
		size_t cap = gg_min_size(GG_EXPR_LAST_TEXT, text.len * 2);
		char *bigger = realloc(l->text, cap);
		if (!bigger)
			return false;
		l->text = bigger;
		l->text_cap = (uint16_t)cap;
	}
	if (text.len)
		memcpy(l->text, text.p, text.len);
	l->text_len = (uint16_t)text.len;
	return true;
}

static void set_good(struct gg_expr_last *l, const struct gg_sample *s, struct gg_str text, bool before)
{
	if (s->type == GG_TYPE_STRING) {
		bool same = before && gg_str_eq(text, gg_str_n(l->text, l->text_len));
		l->flags |= same || !before ? 0 : GG_LAST_CHANGED;
		if (!set_text(l, text))
			l->quality = GG_BAD;
		return;
	}
	double value = gg_sample_number(s);
	if (!isfinite(value)) {
		l->quality = GG_BAD;
		return;
	}
	if (before && l->flags & GG_LAST_BEFORE)
		l->before = l->number;
	if (before && value != l->number)
		l->flags |= GG_LAST_CHANGED;
	l->number = value;
}

/* GG_LAST_BEFORE is set from the second good sample on; `before` below says there is a first one. */
void gg_expr_last_set(struct gg_expr_last *l, const struct gg_sample *s, struct gg_str text, int64_t now_ns)
{
	enum { GOOD_ONCE = 8 };
	bool once = l->flags & GOOD_ONCE;
	l->flags = (uint8_t)((l->flags & ~GG_LAST_CHANGED) | GG_LAST_SEEN);
	l->time_ns = s->time_ns;
	l->seen_ns = now_ns;
	l->quality = s->quality;
	l->aux = s->aux;
	if (s->quality == GG_BAD)
		return;
	if (once)
		l->flags |= GG_LAST_BEFORE;
	l->type = s->type;
	set_good(l, s, text, once);
	if (l->quality != GG_BAD)
		l->flags |= GOOD_ONCE;
}

void gg_expr_last_done(struct gg_expr_last *l)
{
	free(l->text);
	l->text = NULL;
	l->text_cap = l->text_len = 0;
}

/* u8 type, quality, flags; u16 aux; time, seen, number, before; u16 length of the text and the text */
void gg_expr_last_save(const struct gg_expr_last *l, struct gg_buf *to)
{
	gg_put_u8(to, l->type);
	gg_put_u8(to, l->quality);
	gg_put_u8(to, l->flags);
	gg_put_u16(to, l->aux);
	gg_put_i64(to, l->time_ns);
	gg_put_i64(to, l->seen_ns);
	gg_put_double(to, l->number);
	gg_put_double(to, l->before);
	gg_put_u16(to, l->text_len);
	gg_buf_add(to, l->text, l->text_len);
}

int gg_expr_last_load(struct gg_expr_last *l, struct gg_reader *from)
{
	struct gg_expr_last fresh = {.signal = l->signal, .text = l->text, .text_cap = l->text_cap};
	fresh.type = gg_read_u8(from);
	fresh.quality = gg_read_u8(from);
	fresh.flags = gg_read_u8(from);
	fresh.aux = gg_read_le16(from);
	fresh.time_ns = gg_read_i64(from);
	fresh.seen_ns = gg_read_i64(from);
	fresh.number = gg_read_le_double(from);
	fresh.before = gg_read_le_double(from);
	struct gg_str text = gg_read_str(from, gg_read_le16(from));
	if (!gg_reader_ok(from) || fresh.type > GG_TYPE_BYTES || fresh.quality > GG_BAD ||
		!set_text(&fresh, text))
		return -EINVAL;
	*l = fresh;
	return 0;
}
