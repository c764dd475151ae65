/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who turns encryption on expects that nothing plain is left. New segments are sealed from then on; those
 * from before are written anew, sealed, one after another, by a thread of low priority beside the journal's.
 * It needs room for one segment at a time, leaves the reserve of the disk alone, and goes on where it was
 * after a restart. What it can't do stays plain and readable until it leaves by retention.
 *
 * What was plain on a disk can be found there until its blocks are written to again; on flash nobody knows
 * when that is.
 */
#include "base/log.h"
#include "store/journal_private.h"

#include <sys/resource.h>

/* The first plain one behind position that nobody writes to. */
static bool find_plain(
	struct gg_journal *j, uint64_t position, struct gg_segment *ret_segment, unsigned *ret_left)
{
	bool found = false;
	pthread_mutex_lock(&j->lock);
	for (size_t i = 0; i < j->segments.count && !found; i++) {
		const struct gg_segment *s = &j->segments.items[i];
		found = s->form == GG_SEGMENT_PLAIN && s->end != UINT64_MAX && s->first >= position;
		if (found)
			*ret_segment = *s;
	}
	*ret_left = j->stats.plain_segments;
	pthread_mutex_unlock(&j->lock);
	return found;
}

/* There and back: the new file stands beside the old one for a while. */
static int check_room(struct gg_journal *j, const struct gg_segment *s)
{
	const struct gg_file_ops *f = j->o.files;
	pthread_mutex_lock(&j->lock);
	uint64_t reserve = j->o.reserve_bytes, room;
	pthread_mutex_unlock(&j->lock);
	uint64_t wanted = reserve + (s->end - s->first) + (s->end - s->first) / 2 + (1 << 20);
	return f->room && f->room(f->arg, j->dir, &room) == 0 && room < wanted ? -ENOSPC : 0;
}

static int seal_one(struct gg_journal *j, const struct gg_segment *s)
{
	struct gg_segment_reader r = {.fd = -1};
	struct gg_raw_record raw;
	struct gg_remake k;
	int status = check_room(j, s);
	if (status < 0)
		return status;
	status = gg_remake_begin(&k, j, s);
	if (status == 0)
		status = gg_segment_reader_open(&r, j->dir, s->first);
	if (status == 0 && r.form != GG_SEGMENT_PLAIN)
		status = -EEXIST; /* an erasure was quicker */
	while (status == 0 && (status = gg_segment_next(&r, s->end, &raw)) == 1)
		status = atomic_load(&j->closing)
				 ? -ECANCELED
				 : gg_remake_put(&k, raw.position, raw.kind, raw.content, raw.length);
	if (status == -EBADMSG)
		status = 0; /* damaged from here on: nobody reads that */
	if (status == 0)
		status = gg_remake_end(&k);
	gg_segment_reader_done(&r);
	gg_remake_done(&k);
	return status == -ENOENT || status == -EEXIST ? 0 : status;
}

int gg_journal_seal_old(struct gg_journal *j)
{
	struct gg_segment s;
	unsigned left = 0;
	int status = 0;
	for (uint64_t at = 0; status == 0 && find_plain(j, at, &s, &left); at = s.end) {
		gg_log(GG_INFO, "journal", "sealing a segment that is plain from before",
			GG_I("position", s.first), GG_I("bytes", s.end - s.first), GG_I("left", left));
		gg_remake_lock();
		status = seal_one(j, &s);
		gg_remake_unlock();
		if (atomic_load(&j->closing))
			return -ECANCELED;
	}
	find_plain(j, 0, &s, &left);
	if (status < 0)
		gg_log(GG_WARN, "journal",
			"plain segments could not be sealed: they stay readable to anybody until they leave "
			"by "
			"retention, or another start seals them",
			GG_I("segments", left), GG_S("reason", strerror(-status)));
	else
		gg_log(GG_INFO, "journal", "all segments of the journal are sealed now", GG_I("plain", left));
	return status;
}

static void *run(void *arg)
{
	setpriority(PRIO_PROCESS, 0, 10); /* of this thread */
	(void)gg_journal_seal_old(arg);
	return NULL;
}

void gg_journal_seal_start(struct gg_journal *j)
{
	struct gg_segment s;
	unsigned left = 0;
	if (!j->sealed || !find_plain(j, 0, &s, &left))
		return;
	gg_log(GG_INFO, "journal", "segments are plain from before, sealing them in the background",
		GG_I("segments", left));
	int status = -pthread_create(&j->sealer, NULL, run, j);
	if (status == 0)
		pthread_setname_np(j->sealer, "journal-seal");
	else
		gg_log(GG_WARN, "journal", "plain segments are not sealed in this run",
			GG_S("reason", strerror(-status)));
	j->sealing = status == 0;
}
