/* SPDX-License-Identifier: Apache-2.0 */
#include "app/notify.h"
#include "core/loop.h"
#include "gateway/gateway.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct gg_timer watchdog;
static int64_t watchdog_ns;

static void say(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof to.sun_path)
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	memcpy(to.sun_path, path, strlen(path));
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, len) < 0)
		gg_log(GG_WARN, "gateway", "systemd could not be told", GG_S("reason", strerror(errno)));
	close(fd);
}

static bool hangs(const struct gg_loop *loop, int64_t now)
{
	int64_t since = gg_loop_busy_since(loop);
	if (!since || now - since < watchdog_ns / 2)
		return false;
	gg_log(GG_ERROR, "gateway", "a loop hangs", GG_S("loop", gg_loop_name(loop)),
		GG_F("seconds", (double)(now - since) / 1e9));
	return true;
}

static void feed(struct gg_timer *t)
{
	int64_t now = gg_loop_now(gg_gateway.control);
	bool hung = hangs(gg_gateway.io, now) || hangs(gg_gateway.north, now);
	for (unsigned i = 0; i < gg_gateway.shard_count; i++)
		hung |= hangs(gg_gateway.shards[i]->loop, now);
	if (!hung)
		say("WATCHDOG=1");
	gg_timer_start(t->loop, t, watchdog_ns / 4, feed);
}

void gg_notify_start(struct gg_loop *control)
{
	const char *text = getenv("WATCHDOG_USEC");
	uint64_t us = 0;
	say("READY=1");
	if (!text || gg_parse_uint(gg_str(text), &us) < 0 || us == 0 || us > INT64_MAX / 1000)
		return;
	watchdog_ns = (int64_t)us * GG_NS_PER_US;
	gg_timer_start(control, &watchdog, watchdog_ns / 4, feed);
}

void gg_notify_rewriting(const char *path, unsigned percent)
{
	char text[400];
	const char *name = strrchr(path, '/');
	snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=120000000\nSTATUS=rewriting %.200s, %u %%",
		name ? name + 1 : path, percent);
	say(text);
}

void gg_notify_stopping(void)
{
	say("STOPPING=1");
}
