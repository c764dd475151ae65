/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ganglion run`: the gateway at work until SIGTERM or SIGINT. SIGHUP reads the configuration again. Under
 * systemd it says when it is ready and keeps the watchdog fed as long as all loops turn.
 */
#include "app/problems.h"
#include "app/run_loop.h"
#include "base/log.h"

#include <unistd.h>

static const char *data_dir_of(const struct gg_args *args, const struct gg_config *config)
{
	const char *data = gg_arg(args, "data");
	if (!data)
		data = config->site.data_dir;
	return data ? data : "ganglion-data";
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
	const struct gg_run run = {.config_path = gg_arg(args, "config"),
		.data_dir = data_dir_of(args, config),
		.config = config};
	int rc = gg_run_block_signals();
	if (rc < 0)
		return gg_cli_failed(args, "signals: %s", strerror(-rc));
	if (gg_run_gateway(&run, &e) < 0)
		return gg_cli_failed(args, "%s", gg_error_format(&e, text, sizeof text));
	return 0;
}
