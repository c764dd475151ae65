/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ring.h"

static void drop_oldest(struct gg_ring *r)
{
	size_t at = r->oldest % GG_RING_MESSAGES;
	r->bytes -= r->lens[at];
	free(r->texts[at]);
	r->texts[at] = NULL;
	r->oldest++;
}

void gg_ring_done(struct gg_ring *r)
{
	while (r->oldest && r->oldest <= r->next)
		drop_oldest(r);
	*r = (struct gg_ring){0};
}

uint64_t gg_ring_add(struct gg_ring *r, struct gg_str text)
{
	char *copy = text.len <= GG_RING_BYTES ? gg_str_dup(text) : NULL;
	if (!r->oldest)
		r->oldest = 1;
	if (!copy)
		return 0;
	while (r->oldest <= r->next &&
		(r->next - r->oldest + 1 == GG_RING_MESSAGES || r->bytes + text.len > GG_RING_BYTES))
		drop_oldest(r);
	uint64_t number = ++r->next;
	r->texts[number % GG_RING_MESSAGES] = copy;
	r->lens[number % GG_RING_MESSAGES] = text.len;
	r->bytes += text.len;
	return number;
}

int gg_ring_after(const struct gg_ring *r, uint64_t seen, uint64_t *ret_number, struct gg_str *ret_text)
{
	if (seen > r->next)
		return -ESTALE;
	if (seen == r->next)
		return -EAGAIN;
	if (seen + 1 < r->oldest)
		return -ESTALE;
	size_t at = (seen + 1) % GG_RING_MESSAGES;
	*ret_number = seen + 1;
	*ret_text = gg_str_n(r->texts[at], r->lens[at]);
	return 0;
}

uint64_t gg_ring_newest(const struct gg_ring *r)
{
	return r->next;
}
