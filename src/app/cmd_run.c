/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ganglion run`: the gateway at work until SIGTERM or SIGINT. SIGHUP reads the configuration again. Under
 * systemd it says when it is ready and keeps the watchdog fed as long as all loops turn.
 */
#include "api/api.h"
#include "app/notify.h"
#include "app/problems.h"
#include "gateway/gateway.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

static struct gg_watch signal_watch;

static void reload(void)
{
	struct gg_problems problems = {0};
	struct gg_config *fresh = NULL;
	struct gg_error e = {0};
	char text[1024];
	int rc = gg_gateway.config_path ? gg_config_load_file(gg_gateway.config_path, &problems, &fresh)
					: -ENOENT;
	if (rc == 0)
		rc = gg_gateway_apply(fresh, "signal", "SIGHUP", &e);
	if (rc < 0)
		gg_log(GG_ERROR, "config", "the configuration was not taken over, the one in force stays",
			GG_S("reason", problems.count ? gg_error_format(&problems.items[0], text, sizeof text)
						      : gg_error_format(&e, text, sizeof text)));
	gg_problems_done(&problems);
}

static void take_signal(struct gg_watch *w, uint32_t events)
{
	struct signalfd_siginfo info;
	(void)events;
	if (read(w->fd, &info, sizeof info) != sizeof info)
		return;
	if (info.ssi_signo == SIGHUP) {
		reload();
		return;
	}
	gg_log(GG_INFO, "gateway", "ending", GG_I("signal", info.ssi_signo));
	gg_gateway_end();
}

/* Before any thread starts, so that all inherit the mask and the signals come here only. */
static int block_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int start(const struct gg_args *args, struct gg_config *config, struct gg_error *e)
{
	const char *data = gg_arg(args, "data");
	struct gg_gateway_options o = {.config_path = gg_arg(args, "config"),
		.data_dir = data                    ? data
			    : config->site.data_dir ? config->site.data_dir
						    : "ganglion-data",
		.config = config};
	int rc = gg_gateway_start(&o, e);
	if (rc < 0)
		return rc;
	rc = gg_api_start(&gg_gateway.config->site.api, e);
	if (rc < 0)
		gg_gateway_stop();
	return rc;
}

int gg_cmd_run(const struct gg_args *args)
{
	struct gg_config *config = NULL;
	struct gg_error e = {0};
	char text[1024];
	if (args->word_count)
		return gg_cli_wrong(
			args, "no argument expected; the configuration is given with --config FILE");
	if (gg_cli_load_config(args, gg_arg(args, "config"), &config) < 0)
		return 1;
	gg_log_setup((enum gg_log_level)config->site.log.level, (enum gg_log_format)config->site.log.format,
		STDERR_FILENO);
	umask(027);
	int signals = block_signals();
	if (start(args, config, &e) < 0)
		return gg_cli_failed(args, "%s", gg_error_format(&e, text, sizeof text));
	gg_watch_add(gg_gateway.control, &signal_watch, signals, EPOLLIN, take_signal);
	gg_notify_start(gg_gateway.control);
	gg_log(GG_INFO, "gateway", "ready", GG_S("site", gg_gateway.config->site.name),
		GG_S("data", gg_gateway.data_dir), GG_I("revision", gg_gateway.revision),
		GG_F("seconds", (double)gg_gateway.ready_ns / 1e9));
	gg_gateway_run();
	gg_notify_stopping();
	gg_api_stop();
	gg_gateway_stop();
	close(signals);
	return 0;
}
