/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line reads of an answer: what is read and written reads as the same; times in words. */
#include "app/node.h"
#include "app/when.h"
#include "base/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void look(const struct gg_node *n, unsigned depth)
{
	char age[16], day[32];
	for (const struct gg_node *m = n->first; m; m = m->next)
		look(m, depth + 1);
	must(depth <= GG_JSON_DEPTH);
	int64_t ns = gg_node_time(n, "time");
	(void)gg_node_number(n, "value", 0);
	(void)gg_node_true(n, "value");
	must(strlen(gg_when_age(age, ns)) < sizeof age && strlen(gg_when_short(day, ns, 0)) < sizeof day);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_arena arena = GG_ARENA(16 << 20);
	struct gg_buf first = GG_BUF(16 << 20), second = GG_BUF(16 << 20);
	struct gg_str text = gg_str_n(data ? (const char *)data : "", size);
	struct gg_node *root, *again;
	int64_t ns;
	if (gg_when_parse(text, 1700000000 * GG_NS_PER_S, &ns) == 0)
		must(text.len > 0);
	if (gg_node_parse(&arena, text, &root) == 0) {
		look(root, 0);
		struct gg_json_writer w = gg_json_writer(&first);
		gg_node_write(root, &w);
		w = gg_json_writer(&second);
		must(first.error || gg_node_parse(&arena, gg_buf_view(&first), &again) == 0);
		if (!first.error) {
			gg_node_write(again, &w);
			must(gg_str_eq(gg_buf_view(&first), gg_buf_view(&second)));
		}
	}
	gg_buf_done(&first);
	gg_buf_done(&second);
	gg_arena_done(&arena);
	return 0;
}
