/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of retention: copied when they are given, also while the history runs. Its thread takes new ones over
 * before it looks for the next time at what may go.
 */
#include "store/history_private.h"

/* Errors: -ENOMEM; what was copied is freed with the rules. */
static int copy_texts(
	const struct gg_str *from, size_t count, const struct gg_str **ret_to, size_t *ret_count)
{
	struct gg_str *to = calloc(count + 1, sizeof *to);
	*ret_to = to;
	*ret_count = 0;
	for (size_t i = 0; to && i < count; i++) {
		char *text = gg_str_dup(from[i]);
		if (!text)
			return -ENOMEM;
		to[(*ret_count)++] = gg_str(text);
	}
	return to ? 0 : -ENOMEM;
}

int gg_history_copy_rules(struct gg_history_options *o)
{
	const struct gg_history_keep *from = o->keep;
	size_t count = o->keep_count;
	struct gg_history_keep *rules = calloc(count + 1, sizeof *rules);
	int status = rules ? 0 : -ENOMEM;
	o->keep = rules;
	o->keep_count = rules ? count + 1 : 0;
	for (size_t i = 0; i < count && status == 0; i++) {
		memcpy(rules[i].age_ns, from[i].age_ns, sizeof rules[i].age_ns);
		status = copy_texts(
			from[i].select, from[i].select_count, &rules[i].select, &rules[i].select_count);
		if (status == 0 && from[i].devices)
			status = copy_texts(from[i].devices, from[i].device_count, &rules[i].devices,
				&rules[i].device_count);
	}
	for (int level = 0; level < GG_LEVELS && rules; level++)
		rules[count].age_ns[level] = o->keep_ns;
	return status;
}

static void free_texts(const struct gg_str *texts, size_t count)
{
	for (size_t i = 0; texts && i < count; i++)
		free((char *)(uintptr_t)texts[i].p);
	free((void *)(uintptr_t)texts);
}

void gg_history_free_rules(struct gg_history_options *o)
{
	for (size_t i = 0; i < o->keep_count; i++) {
		free_texts(o->keep[i].select, o->keep[i].select_count);
		free_texts(o->keep[i].devices, o->keep[i].device_count);
	}
	free((void *)(uintptr_t)o->keep);
	o->keep = NULL;
	o->keep_count = 0;
}

int gg_history_tune(struct gg_history *h, const struct gg_history_options *o)
{
	struct gg_history_options fresh = *o, former;
	int status = gg_history_copy_rules(&fresh);
	if (status < 0) {
		gg_history_free_rules(&fresh);
		return status;
	}
	if (!fresh.keep_bytes)
		fresh.keep_bytes = GG_HISTORY_BYTES;
	pthread_mutex_lock(&h->lock);
	former = h->fresh;
	h->fresh = fresh;
	pthread_mutex_unlock(&h->lock);
	gg_history_free_rules(&former);
	return 0;
}

void gg_history_take_rules(struct gg_history *h)
{
	pthread_mutex_lock(&h->lock);
	struct gg_history_options fresh = h->fresh;
	h->fresh = (struct gg_history_options){0};
	pthread_mutex_unlock(&h->lock);
	if (!fresh.keep)
		return;
	gg_history_free_rules(&h->o);
	h->o.keep = fresh.keep;
	h->o.keep_count = fresh.keep_count;
	h->o.keep_bytes = fresh.keep_bytes;
	h->retain_id = h->retain_at = 0; /* from the first signal, at once */
}
