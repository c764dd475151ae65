/* SPDX-License-Identifier: Apache-2.0 */
#include "app/run_loop.h"
#include "api/api.h"
#include "app/notify.h"
#include "app/reload.h"
#include "gateway/gateway.h"
#include "store/sealed_vfs.h"

#include <malloc.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

static struct gg_watch signal_watch;
static int signal_fd = -1;

static void take_signal(struct gg_watch *w, uint32_t events)
{
	struct signalfd_siginfo info;
	(void)events;
	if (read(w->fd, &info, sizeof info) != sizeof info)
		return;
	if (info.ssi_signo == SIGHUP) {
		gg_reload_now("SIGHUP");
		return;
	}
	gg_log(GG_INFO, "gateway", "ending", GG_I("signal", info.ssi_signo));
	gg_gateway_end();
}

int gg_run_block_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return signal_fd < 0 ? -errno : 0;
}

void gg_run_unblock_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int start(const struct gg_run *r, struct gg_error *e)
{
	const struct gg_gateway_options o = {
		.config_path = r->config_path, .data_dir = r->data_dir, .config = r->config};
	int rc = gg_gateway_start(&o, e);
	if (rc < 0)
		return rc;
	rc = gg_api_start(&gg_gateway.config->site.api, e);
	if (rc == 0 && r->started && (rc = r->started(r->arg, e)) < 0)
		gg_api_stop();
	if (rc < 0)
		gg_gateway_stop();
	return rc;
}

int gg_run_gateway(const struct gg_run *r, struct gg_error *e)
{
	umask(027); /* what we keep is nobody else's */
	gg_sealed_on_progress(gg_notify_rewriting);
	int rc = start(r, e);
	gg_sealed_on_progress(NULL);
	if (rc < 0)
		return rc;
	gg_watch_add(gg_gateway.control, &signal_watch, signal_fd, EPOLLIN, take_signal);
	gg_reload_watch(gg_gateway.control);
	gg_notify_start(gg_gateway.control);
	gg_log(GG_INFO, "gateway", "ready", GG_S("site", gg_gateway.config->site.name),
		GG_S("data", gg_gateway.data_dir), GG_I("revision", gg_gateway.revision),
		GG_F("seconds", (double)gg_gateway.ready_ns / 1e9));
	malloc_trim(0); /* what reading configuration and lists took for a moment */
	gg_gateway_run();
	gg_notify_stopping();
	gg_reload_stop();
	if (r->ending)
		r->ending(r->arg);
	gg_api_stop();
	gg_gateway_stop();
	close(signal_fd);
	signal_fd = -1;
	return 0;
}
