/* SPDX-License-Identifier: Apache-2.0 */
/* The commands, in the order `ganglion help` lists them. */
#include "app/cli.h"

static const struct gg_flag detect_flags[] = {
	{"out", GG_FLAG_TEXT, "DIR", "where the results go (made if missing)"}, {0}};

const struct gg_command gg_commands[] = {
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
