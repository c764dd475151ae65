/* SPDX-License-Identifier: Apache-2.0 */
/* The commands, in the order `ganglion help` lists them. */
#include "app/cli.h"

static const struct gg_flag detect_flags[] = {
	{"out", GG_FLAG_TEXT, "DIR", "where the results go (made if missing)"}, {0}};

static const struct gg_flag run_flags[] = {
	{"config", GG_FLAG_TEXT, "FILE", "the configuration (default: built-in defaults)"},
	{"data", GG_FLAG_TEXT, "DIR", "where journal, history and catalog lie (default: ganglion-data)"},
	{0}};

static const struct gg_flag demo_flags[] = {
	{"data", GG_FLAG_TEXT, "DIR", "where everything of the demo lies (default: site-data)"},
	{"site", GG_FLAG_TEXT, "PATH", "the pump hall's program (default: ganglion-site beside this one)"},
	{"speed", GG_FLAG_TEXT, "N", "times faster than recorded (default 3000)"}, {0}};

const struct gg_command gg_commands[] = {
	{.name = "run",
		.summary = "Run the gateway",
		.usage = "[--config FILE] [--data DIR]",
		.details = "Ends in order on SIGTERM or Ctrl-C; SIGHUP reads the configuration again.",
		.examples = "  ganglion run\n"
			    "  ganglion run --config /etc/ganglion/ganglion.yaml --data /var/lib/ganglion",
		.flags = run_flags,
		.run = gg_cmd_run},
	{.name = "demo",
		.summary = "Run the gateway with a pump hall to watch",
		.usage = "[--data DIR]",
		.details =
			"Makes a configuration, certificates and passwords in DIR, starts a pump hall that "
			"speaks\n"
			"Modbus and MQTT, and runs the gateway. The next start goes on where this one ends.",
		.examples = "  ganglion demo\n"
			    "  ganglion demo --data /tmp/hall --speed 6000",
		.flags = demo_flags,
		.run = gg_cmd_demo},
	{.name = "check",
		.summary = "Check a configuration; every mistake with its place",
		.usage = "[FILE]",
		.details = "Reads FILE (default: ganglion.yaml) and conf.d/*.yaml beside it, and starts "
			   "nothing.",
		.examples = "  ganglion check\n"
			    "  ganglion check --json /etc/ganglion/ganglion.yaml",
		.run = gg_cmd_check},
	{.name = "detect",
		.summary = "Find what is unusual in recorded series, without any setting",
		.usage = "--out DIR FILE.csv...",
		.details = "Reads files of timestamp,value and writes the same rows to DIR, under the same "
			   "name, with an\n"
			   "anomaly_score: 0 where nothing is to be told, else a number above 0.5. A summary "
			   "of what was\n"
			   "found, in words, goes to the terminal.",
		.examples = "  ganglion detect --out results machine_temperature.csv\n"
			    "  ganglion detect --json --out results *.csv",
		.flags = detect_flags,
		.run = gg_cmd_detect},
	{.name = "version",
		.summary = "Say which Ganglion this is",
		.usage = "",
		.examples = "  ganglion version",
		.run = gg_cmd_version},
	{.name = "help",
		.summary = "List the commands, or explain one",
		.usage = "[COMMAND]",
		.examples = "  ganglion help detect",
		.run = gg_cmd_help},
	{0}};
