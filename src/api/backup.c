/* SPDX-License-Identifier: Apache-2.0 */
/* A backup of the gateway at work (gateway/backup.h), poured while it is made. */
#include "gateway/backup.h"
#include "api/handlers.h"
#include "api/pour.h"
#include "base/log.h"
#include "gateway/gateway.h"

struct backing_up {
	char site[128];
};

static int run(void *arg, const struct gg_sink *sink, const _Atomic bool *cancelled, struct gg_error *e)
{
	const struct backing_up *job = arg;
	const struct gg_backup b = {.data_dir = gg_gateway.data_dir,
		.site = job->site,
		.journal = gg_gateway.journal,
		.cancelled = cancelled};
	return gg_backup_write(&b, sink, e);
}

void gg_api_backup(struct gg_api_call *c)
{
	struct backing_up *job = calloc(1, sizeof *job);
	if (!job) {
		gg_api_problem(c, -ENOMEM, "out of memory");
		return;
	}
	gg_str_copy(job->site, sizeof job->site, gg_str(gg_gateway.site));
	gg_log(GG_INFO, "audit", "a backup is made", GG_S("by", c->who));
	gg_api_pour(c, &(struct gg_pour_work){.media = "application/zstd",
			       .file = "ganglion-backup.tar.zst",
			       .arg = job,
			       .run = run,
			       .free = free});
}
