/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may go. The oldest segment goes when it is beyond keep_bytes or keep_ns (or the disk is full) and no
 * pin needs it; beyond max_bytes it goes although a pin needs it, which is counted and told; a pin that is
 * forever is never overruled. The last segment always stays.
 */
#include "base/log.h"
#include "store/journal_private.h"

int gg_journal_pin(struct gg_journal *j, const char *name, uint64_t position, bool forever)
{
	if (strlen(name) >= GG_PIN_NAME)
		return -ENAMETOOLONG;
	pthread_mutex_lock(&j->lock);
	size_t i = 0;
	while (i < j->pin_count && strcmp(j->pins[i].name, name) != 0)
		i++;
	int status = i < GG_PINS ? 0 : -EDQUOT;
	if (status == 0) {
		if (i == j->pin_count)
			gg_str_copy(j->pins[j->pin_count++].name, GG_PIN_NAME, gg_str(name));
		j->pins[i].position = position;
		j->pins[i].forever = forever;
	}
	pthread_mutex_unlock(&j->lock);
	return status;
}

void gg_journal_unpin(struct gg_journal *j, const char *name)
{
	pthread_mutex_lock(&j->lock);
	for (size_t i = 0; i < j->pin_count; i++)
		if (strcmp(j->pins[i].name, name) == 0) {
			j->pins[i] = j->pins[--j->pin_count];
			break;
		}
	pthread_mutex_unlock(&j->lock);
}

static uint64_t disk_bytes(const struct gg_journal *j)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < j->segments.count; i++) {
		const struct gg_segment *s = &j->segments.items[i];
		sum += s->end == UINT64_MAX ? j->offset : s->end - s->first;
	}
	return sum;
}

struct loss {
	char name[GG_PIN_NAME];
	uint64_t from, to;
};

/* Is the oldest segment to go? Fills losses with the pins that are overruled. */
static bool may_go(struct gg_journal *j, bool urgent, struct loss *losses, size_t *loss_count)
{
	const struct gg_segment *s = &j->segments.items[0];
	uint64_t total = disk_bytes(j);
	int64_t now = gg_clock_utc(j->o.clock);
	bool wanted = urgent || total > j->o.keep_bytes ||
		      (j->o.keep_ns > 0 && now - j->segments.items[1].created_ns > j->o.keep_ns);
	bool pinned = false;
	*loss_count = 0;
	for (size_t i = 0; i < j->pin_count; i++) {
		if (j->pins[i].position >= s->end)
			continue;
		if (j->pins[i].forever)
			return false;
		pinned = true;
	}
	if (!pinned)
		return wanted || total > j->o.max_bytes;
	if (total <= j->o.max_bytes)
		return false;
	for (size_t i = 0; i < j->pin_count; i++) {
		struct gg_pin *p = &j->pins[i];
		if (p->position >= s->end)
			continue;
		struct loss *l = &losses[(*loss_count)++];
		gg_str_copy(l->name, sizeof l->name, gg_str(p->name));
		l->from = p->position > s->first ? p->position : s->first;
		l->to = s->end;
		j->stats.lost_bytes += l->to - l->from;
		p->position = s->end; /* counted: not again with the next segment */
	}
	return true;
}

unsigned gg_journal_retain(struct gg_journal *j, bool urgent)
{
	struct loss losses[GG_PINS];
	unsigned gone = 0;
	for (;;) {
		size_t loss_count = 0;
		char path[GG_PATH_MAX];
		pthread_mutex_lock(&j->lock);
		/* The last one stays: it is written to, or says where positions go on. */
		bool go = j->segments.count > 1 && may_go(j, urgent, losses, &loss_count);
		uint64_t first = go ? j->segments.items[0].first : 0;
		if (go) {
			if (j->sealed && j->segments.items[0].form == GG_SEGMENT_PLAIN)
				j->stats.plain_segments--;
			gg_segment_list_drop_first(&j->segments);
			atomic_store(&j->begin, j->segments.items[0].first);
			j->stats.segments = (unsigned)j->segments.count;
		}
		j->stats.disk_bytes = disk_bytes(j);
		gg_gauge_set(j->metrics.disk, (int64_t)j->stats.disk_bytes);
		pthread_mutex_unlock(&j->lock);
		if (!go)
			return gone;
		if (gg_segment_path(path, j->dir, first) == 0) {
			int status = j->o.files->remove(j->o.files->arg, path);
			if (status < 0)
				gg_log(GG_WARN, "journal", "segment can't be removed", GG_S("file", path),
					GG_S("error", strerror(-status)));
		}
		gone++;
		for (size_t i = 0; i < loss_count && j->o.on_lost; i++)
			j->o.on_lost(j->o.arg, losses[i].name, losses[i].from, losses[i].to);
	}
}
