/* SPDX-License-Identifier: Apache-2.0 */
#include "app/output.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static _Atomic bool interrupted;

static void on_signal(GG_UNUSED int number)
{
	atomic_store(&interrupted, true);
}

const _Atomic bool *gg_cli_interruptible(void)
{
	struct sigaction a = {.sa_handler = on_signal};
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	return &interrupted;
}

bool gg_cli_interrupted(void)
{
	return atomic_load(&interrupted);
}

static int take(void *arg, const void *data, size_t len)
{
	struct gg_output *o = arg;
	const char *from = data;
	while (len && !gg_cli_interrupted()) {
		ssize_t n = write(o->fd, from, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		from += n;
		len -= (size_t)n;
		o->bytes += (uint64_t)n;
	}
	if (o->doing)
		gg_cli_progress(o->args, o->doing, o->bytes >> 20, 0);
	return gg_cli_interrupted() ? -ECANCELED : 0;
}

int gg_output_open(struct gg_output *o, const struct gg_args *args, const char *path, unsigned mode)
{
	*o = (struct gg_output){.args = args, .fd = STDOUT_FILENO};
	o->sink = (struct gg_sink){o, take};
	if (!path || strcmp(path, "-") == 0)
		return fflush(stdout) == 0 ? 0 : 1;
	if (gg_str_copy(o->path, sizeof o->path, gg_str(path)) >= sizeof o->path)
		return gg_cli_failed(args, "%s: the name is too long", path);
	snprintf(o->part, sizeof o->part, "%s.part", o->path);
	unlink(o->part);
	o->fd = open(o->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	return o->fd < 0 ? gg_cli_failed(args, "%s: %s", o->part, strerror(errno)) : 0;
}

int gg_output_close(struct gg_output *o, int rc)
{
	gg_cli_progress_end();
	if (!o->part[0])
		return rc;
	if (rc == 0 && fsync(o->fd) < 0)
		rc = gg_cli_failed(o->args, "%s: %s", o->part, strerror(errno));
	close(o->fd);
	if (rc == 0 && rename(o->part, o->path) < 0)
		rc = gg_cli_failed(o->args, "%s: %s", o->path, strerror(errno));
	if (rc)
		unlink(o->part);
	return rc;
}
