/* SPDX-License-Identifier: Apache-2.0 */
/* See forget.h. The journal goes first: the history reads it, and would take in again what is still there. */
#include "gateway/forget.h"
#include "core/signals.h"
#include "gateway/gateway.h"

struct wanted {
	const struct gg_str *select;
	size_t count;
};

static bool is_wanted(void *arg, uint32_t index)
{
	const struct wanted *w = arg;
	const struct gg_signal_info *info = gg_signal(index);
	for (size_t i = 0; info && i < w->count; i++)
		if (gg_glob(w->select[i], info->name))
			return true;
	return false;
}

int gg_gateway_forget(const struct gg_str *select, size_t count, int64_t from, int64_t to,
	struct gg_forgotten *ret_forgotten, struct gg_error *e)
{
	struct wanted w = {select, count};
	struct gg_journal_wish wish = {.arg = &w, .from = from, .to = to, .signal = is_wanted};
	struct gg_forgotten f = {0};
	int rc = gg_journal_erase(gg_gateway.journal, &wish, &f.journal);
	if (rc < 0)
		return gg_error_set(e, rc, "the journal can't be rewritten: %s", strerror(-rc));
	if (gg_gateway.history)
		rc = gg_history_delete(gg_gateway.history, select, count, from, to, &f.history);
	if (rc < 0)
		return gg_error_set(e, rc, "the history can't be rewritten: %s", strerror(-rc));
	*ret_forgotten = f;
	return 0;
}
